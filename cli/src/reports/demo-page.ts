/** Style and script of the demo's report; both go into the page as they are. */

export const demoStyle: string = `
:root { color-scheme: light dark; --ink: #16191d; --soft: #5c626b; --faint: #8a9099; --line: #e2e5ea; --paper: #fff; --ground: #f4f5f7;
  --accent: #2563eb; --accent-2: #0f9d6b; --pale: #a9c3f5; --bar: #dbe5fb; --good: #0f9d6b; --shade: 0 1px 2px rgb(16 24 40 / .06), 0 4px 16px rgb(16 24 40 / .05); }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a2a8b3; --faint: #7b828d; --line: #2b3038; --paper: #191c21; --ground: #101215;
  --accent: #7aa5ff; --accent-2: #41c795; --pale: #38507e; --bar: #26344f; --good: #41c795; --shade: none; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: clamp(28px, 4.4vw, 42px); line-height: 1.12; letter-spacing: -.02em; margin: 0 0 14px; text-wrap: balance; max-width: 22em; }
h2 { font-size: 22px; letter-spacing: -.01em; margin: 0 0 6px; } h3 { font-size: 16px; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 46em; } .lead { font-size: 18px; color: var(--soft); } .hint { color: var(--soft); font-size: 14.5px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; padding: 24px; margin: 22px 0; box-shadow: var(--shade); }
.eyebrow { font-size: 13px; letter-spacing: .06em; text-transform: uppercase; color: var(--accent); font-weight: 650; margin: 0 0 8px; }
figure { margin: 0; min-width: 0; } img { display: block; width: 100%; height: auto; border-radius: 8px; background: var(--line); }
figcaption { font-size: 13.5px; line-height: 1.4; color: var(--soft); margin-top: 6px; } figcaption b { color: var(--ink); font-weight: 600; }
.hero { display: grid; grid-template-columns: 1fr auto 1fr auto 1fr; gap: 12px; align-items: center; margin: 26px 0 8px; }
.hero figcaption { text-align: center; font-size: 14.5px; }
.arrow { color: var(--faint); font-size: 26px; line-height: 1; padding-bottom: 28px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; margin: 22px 0 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 26px; letter-spacing: -.02em; font-variant-numeric: tabular-nums; line-height: 1.2; } .tile span { color: var(--soft); font-size: 13.5px; line-height: 1.35; display: block; }
.how { display: grid; grid-template-columns: repeat(5, 1fr); gap: 26px; margin-top: 16px; }
.how figure { position: relative; }
.how figure:not(:last-child)::after { content: "→"; position: absolute; right: -21px; top: min(19%, 84px); color: var(--faint); font-size: 20px; }
.words { margin-top: 20px; padding: 16px 18px; border: 1px dashed var(--accent); border-radius: 10px; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 210px); gap: 18px; align-items: center; }
.words p:last-child { margin: 0; } .chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 10px; }
.chip { display: inline-flex; align-items: center; gap: 7px; font-size: 13.5px; padding: 2px 10px 2px 8px; border: 1px solid var(--line); border-radius: 999px; background: var(--ground); }
.chip i { width: 11px; height: 11px; border-radius: 3px; flex: none; }
.rows { display: grid; gap: 22px; margin-top: 16px; }
.row { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px; } .row.five { grid-template-columns: repeat(5, 1fr); }
.row > .title { grid-column: 1 / -1; margin: 0 0 -6px; font-size: 14.5px; color: var(--soft); }
.film { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(118px, 1fr); gap: 12px; margin: 14px 0 26px; overflow-x: auto; } .film img + img { margin-top: 8px; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 22px 18px; } #charts > div { min-width: 0; }
.u-title { font: 600 14px system-ui, sans-serif !important; text-align: left !important; padding-left: 4px; color: var(--ink); }
.u-legend { font-size: 12.5px !important; text-align: left !important; color: var(--soft); } .u-legend th, .u-legend td { padding: 1px 4px !important; }
.u-legend tr { border: 0; } .u-legend { width: auto; }
.scroll { overflow-x: auto; margin: 14px 0 4px; }
.scores { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } .scores th, .scores td { text-align: left; padding: 9px 14px 9px 0; border-top: 1px solid var(--line); vertical-align: middle; font-weight: 400; }
.scores thead th { border: 0; color: var(--soft); font-size: 13.5px; padding-bottom: 6px; } .scores tbody th { min-width: 210px; } .scores small { display: block; color: var(--soft); font-size: 13px; line-height: 1.35; }
tr.own th { font-weight: 650 !important; } tr.own th small { font-weight: 400; } .scores td { width: 21%; min-width: 120px; }
.meter { display: grid; grid-template-columns: 1fr 56px; gap: 10px; align-items: center; } .meter i { height: 12px; border-radius: 4px; background: var(--bar); overflow: hidden; display: block; }
.meter i::before { content: ""; display: block; height: 100%; width: var(--share); background: var(--faint); border-radius: 4px; } tr.own .meter i::before { background: var(--accent); } tr.best .meter i::before { background: var(--good); }
.meter span { text-align: right; white-space: nowrap; font-size: 14px; } tr.own .meter span { font-weight: 650; }
.split { display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; margin-top: 14px; }
ul { padding-left: 20px; margin: 8px 0 0; max-width: 48em; } li { margin: 0 0 8px; }
code, pre { font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; } pre { background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; overflow-x: auto; margin: 12px 0 0; }
footer { color: var(--faint); font-size: 13.5px; }
@media (max-width: 760px) {
  main { padding: 24px 14px 48px; } section { padding: 18px 16px; margin: 16px 0; border-radius: 12px; }
  .hero { grid-template-columns: 1fr 1fr; } .hero .arrow { display: none; } .hero figure:first-child { grid-column: 1 / -1; }
  .tiles, .row { grid-template-columns: 1fr 1fr; } .row { gap: 12px; } .row.five { grid-template-columns: repeat(6, 1fr); }
  .row.five > figure { grid-column: span 2; } .row.five > figure:nth-of-type(-n + 2) { grid-column: span 3; }
  .how { grid-template-columns: 1fr; gap: 14px; } .how figure { display: grid; grid-template-columns: 112px 1fr; gap: 14px; } .how figure::after { display: none; } .how figcaption { margin: 0; }
  .words, .split { grid-template-columns: 1fr; } .scores td { min-width: 128px; } .scores tbody th { min-width: 148px; }
}
`;

export const demoScript: string = `
const host = document.getElementById('charts');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (v) => v == null ? '–' : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 || v === 0 ? String(+v.toPrecision(3)) : v.toExponential(1);
function draw() {
  host.textContent = '';
  const places = charts.map(() => host.appendChild(document.createElement('div')));
  charts.forEach(({ title, x, lines, unit, from }, n) => {
    const place = places[n];
    const say = (v) => v == null ? '–' : unit === '%' ? short(100 * v) + ' %' : short(v);
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
    new uPlot({
      title, width: place.clientWidth, height: 210, legend: { live: false },
      scales: { x: { time: false }, y: from === undefined ? {} : { range: (u, low, high) => [from, Math.max(high * 1.08, from + 1e-3)] } },
      axes: [{ ...axis, size: 32 }, { ...axis, size: 58, values: (u, ticks) => ticks.map((v) => v == null ? '' : say(v)) }],
      series: [{ label: 'step' }, ...lines.map(({ label, style }) => ({
        label, value: (u, v) => say(v), points: { show: false },
        stroke: colour(style === 'pale' ? '--pale' : style === 'dashed' ? '--faint' : '--accent'),
        width: style === 'strong' ? 2 : 1.25, ...(style === 'dashed' ? { dash: [6, 5] } : {}),
      }))],
    }, [x, ...lines.map(({ values }) => values)], place);
  });
}
draw();
let waiting;
addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
`;
