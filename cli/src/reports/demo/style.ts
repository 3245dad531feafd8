/** Style and script of the demo's report; both go into the page as they are. */

export const demoStyle: string = `
:root { --own: #2563eb; --plain: #aab2be; --bar: #eceff4; --good: #0d8a5f; --bad: #b4500a; }
@media (prefers-color-scheme: dark) { :root { --own: #6f9dff; --plain: #565e6b; --bar: #262b33; --good: #45c998; --bad: #f0a05a; } }
body { font-size: 16px; line-height: 1.55; }
main { max-width: 1180px; padding: 36px 24px 64px; }
h1 { font-size: clamp(27px, 4vw, 42px); line-height: 1.12; letter-spacing: -.02em; margin: 0 0 10px; text-wrap: balance; }
h2 { font-size: 23px; letter-spacing: -.01em; margin: 0 0 6px; } h3 { font-size: 16px; margin: 22px 0 4px; }
p { margin: 0 0 12px; max-width: 50em; } .lead { font-size: 18px; color: var(--soft); } .hint { color: var(--soft); font-size: 14.5px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; padding: 26px; margin: 22px 0; }
.eyebrow { font-size: 13px; letter-spacing: .08em; text-transform: uppercase; color: var(--accent); font-weight: 650; margin: 0 0 8px; }
figure { min-width: 0; } img { display: block; width: 100%; height: auto; border-radius: 9px; background: var(--line); }
figcaption { font-size: 13.5px; line-height: 1.4; color: var(--soft); margin-top: 7px; } figcaption > b { color: var(--ink); font-weight: 620; }
figcaption > span { display: block; margin-top: 2px; }
.names { list-style: none; display: flex; flex-wrap: wrap; gap: 1px 12px; margin: 3px 0 0; padding: 0; font-size: 13.5px; max-width: none; }
.names li { display: inline-flex; align-items: center; gap: 5px; margin: 0; white-space: nowrap; } .names em { font-style: normal; color: var(--bad); } .names .yes { color: var(--good); }
.names i, .chip i { width: 11px; height: 11px; border-radius: 3px; flex: none; box-shadow: inset 0 0 0 1px rgb(128 128 128 / .45); }
.hero { display: grid; grid-template-columns: repeat(3, 1fr); gap: 18px; margin: 22px 0 10px; }
.hero figcaption > b { font-size: 16px; } .hero .names { font-size: 14.5px; }
.tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 18px; margin: 18px 0 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 13px 16px; }
.tile b { display: block; font-size: 25px; letter-spacing: -.02em; font-variant-numeric: tabular-nums; line-height: 1.25; } .tile span { color: var(--soft); font-size: 13.5px; line-height: 1.35; display: block; }
.chip { display: inline-flex; align-items: center; gap: 6px; font-size: 13.5px; padding: 1px 9px; border: 1px solid var(--line); border-radius: 999px; background: var(--ground); color: var(--ink); white-space: nowrap; }
.scene { border-top: 1px solid var(--line); margin-top: 18px; padding-top: 16px; } .scene h3 { margin: 0; display: inline; } .scene .caption { display: inline; color: var(--soft); font-size: 14.5px; margin-left: 8px; }
.row { display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; margin-top: 10px; } .row.three { grid-template-columns: repeat(3, 1fr); }
.how { display: grid; grid-template-columns: repeat(5, 1fr); gap: 20px; margin-top: 14px; } .after { margin: 18px 0 0; } .after .chip { margin: 2px 0; }
.film { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(120px, 1fr); gap: 12px; margin: 14px 0 20px; overflow-x: auto; }
.charts { margin: 12px 0; } .charts.one { grid-template-columns: minmax(0, 640px); }
.u-legend { width: auto; } .u-legend th, .u-legend td { padding: 1px 4px !important; } .u-legend tr { border: 0; }
.scroll { overflow-x: auto; margin: 14px 0 6px; }
.scores { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } .scores th, .scores td { text-align: left; padding: 8px 16px 8px 0; border-top: 1px solid var(--line); vertical-align: middle; font-weight: 400; }
.scores thead th { border: 0; color: var(--soft); font-size: 13.5px; padding-bottom: 5px; } .scores tbody th { width: 30%; min-width: 190px; } .scores small { display: block; color: var(--soft); font-size: 13px; line-height: 1.3; }
tr.own th { font-weight: 650 !important; } tr.own th small { font-weight: 400; } .scores td { min-width: 128px; }
.meter { display: grid; grid-template-columns: minmax(40px, 1fr) 52px; gap: 10px; align-items: center; } .meter i { position: relative; height: 12px; border-radius: 4px; background: var(--bar); display: block; }
.meter i::before { content: ""; display: block; height: 100%; width: var(--fraction); background: var(--plain); border-radius: 4px; } tr.own .meter i::before { background: var(--own); } tr.best .meter i::before { background: var(--good); }
.meter s { position: absolute; top: 5px; height: 2px; left: var(--low); width: calc(var(--high) - var(--low)); background: var(--ink); } .meter s::before, .meter s::after { content: ""; position: absolute; top: -3px; height: 8px; width: 2px; background: var(--ink); } .meter s::before { left: 0; } .meter s::after { right: 0; }
.meter span { white-space: nowrap; font-size: 14px; } .meter small { font-size: 12px; } tr.own .meter span { font-weight: 650; } tr.own .meter small { font-weight: 400; }
details { margin-top: 14px; } summary { color: var(--accent); font-weight: 550; } li details { margin: 2px 0 6px; } details > p { margin-top: 8px; }
ul { padding-left: 20px; margin: 8px 0 0; max-width: 52em; } li { margin: 0 0 8px; }
code, pre { font: 13.5px/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace; } pre { background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; overflow-x: auto; margin: 10px 0 0; }
footer { color: var(--faint); font-size: 13.5px; }
@media (max-width: 760px) {
  main { padding: 22px 12px 40px; } section { padding: 18px 14px; margin: 16px 0; border-radius: 12px; } .lead { font-size: 16.5px; }
  .hero { grid-template-columns: 1fr 1fr; gap: 12px; } .hero figure:nth-child(2) { grid-row: 1; grid-column: 1 / -1; }
  .tiles { grid-template-columns: 1fr; gap: 8px; } .tile { display: grid; grid-template-columns: 116px 1fr; gap: 12px; align-items: center; padding: 10px 14px; } .tile b { font-size: 21px; }
  .row, .row.three { grid-template-columns: 1fr 1fr; gap: 12px; } .scene .caption { display: block; margin: 2px 0 0; }
  .how { grid-template-columns: 1fr; gap: 14px; } .how figure { display: grid; grid-template-columns: 116px 1fr; gap: 14px; } .how figcaption { margin: 0; }
  .scores tbody th { min-width: 112px; width: 34%; } .scores th, .scores td { padding-right: 10px; } .scores td { min-width: 54px; } .scores tbody small { display: none; } .meter small { display: block !important; }
  .meter { grid-template-columns: 1fr; gap: 4px; } .meter span { order: -1; } .scores thead th { font-size: 12.5px; line-height: 1.25; }
}
`;

export const demoScript: string = `
function draw() {
  for (const host of document.querySelectorAll('[data-charts]')) {
    host.textContent = '';
    if (host.clientWidth === 0) continue;
    const those = charts.filter(({ group }) => group === host.dataset.charts);
    const places = those.map(() => host.appendChild(document.createElement('div')));
    those.forEach((chart, n) => plot(chart, places[n]));
  }
}
function plot({ title, x, lines, unit, from }, place) {
  const say = (v) => v == null ? '–' : unit === '%' ? short(100 * v, 3) + ' %' : short(v, 3);
  new uPlot({
    title, width: place.clientWidth, height: 210, legend: { live: false, show: lines.length > 1 },
    scales: { x: { time: false }, y: from === undefined ? {} : { range: (u, low, high) => [from, Math.max(high * 1.08, from + 1e-3)] } },
    axes: chartAxes(say),
    series: [{ label: 'step' }, ...lines.map(({ label, style }) => ({
      label, value: (u, v) => say(v), points: { show: false },
      stroke: chartColour(style === 'pale' ? '--pale' : style === 'dashed' ? '--faint' : '--accent'),
      width: style === 'strong' ? 2 : 1.25, ...(style === 'dashed' ? { dash: [6, 5] } : {}),
    }))],
  }, [x, ...lines.map(({ values }) => values)], place);
}
keepDrawn(draw);
for (const details of document.querySelectorAll('details')) details.addEventListener('toggle', draw);
`;
