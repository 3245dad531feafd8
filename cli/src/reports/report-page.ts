/** Style and script of the report; both go into the page as they are. */

export const reportStyle: string = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #e4e6ea; --paper: #fff; --ground: #f5f6f8; --pale: #a9c9ee;
  --c0: #0b68cb; --c1: #c65200; --c2: #008a65; --c3: #b8578c; --c4: #a87500; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ebee; --soft: #a7adb8; --line: #2b3038; --paper: #191c21; --ground: #0f1114; --pale: #34486f;
  --c0: #6ba8ff; --c1: #f28a4b; --c2: #3fc79a; --c3: #e39ac4; --c4: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; margin: 0; } h2 { font-size: 17px; margin: 0 0 8px; }
header p, .hint { color: var(--soft); margin: 2px 0 12px; } .hint { font-size: 13px; }
section, .figures { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 16px 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
dt { color: var(--soft); font-size: 13px; } dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.bar { display: flex; justify-content: space-between; align-items: baseline; }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); gap: 20px 16px; }
#charts > div { min-width: 0; }
.u-title { font: 600 14px system-ui, sans-serif; text-align: left; padding-left: 8px; }
.u-legend { font-size: 12px; text-align: left; color: var(--soft); }
figure { margin: 0 0 16px; } figure img { max-width: 100%; border: 1px solid var(--line); border-radius: 4px; }
figcaption { color: var(--soft); font-size: 13px; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 24px; margin-top: 12px; }
.tables table { border-collapse: collapse; width: 100%; font-size: 13px; }
.tables th, .tables td { text-align: left; padding: 4px 8px 4px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.tables th { font-weight: 400; color: var(--soft); width: 45%; }
summary { cursor: pointer; font-size: 17px; font-weight: 600; }
@media (max-width: 600px) {
  main { padding: 20px 12px 40px; } section, .figures { padding: 14px; } .figures { grid-template-columns: 1fr 1fr; } dd { font-size: 17px; }
  .bar { flex-wrap: wrap; gap: 8px; }
}
`;

export const reportScript: string = `
const host = document.getElementById('charts');
const short = (v) => v == null ? '–' : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 || v === 0 ? String(+v.toPrecision(4)) : v.toExponential(2);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function draw() {
  host.textContent = '';
  const log = document.getElementById('log').checked;
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
  const places = data.charts.map(() => host.appendChild(document.createElement('div')));
  data.charts.forEach(({ title, step, lines }, n) => {
    const place = places[n];
    const positive = lines[0].values.every((v) => v > 0);
    const dark = lines.filter(({ pale }) => !pale);
    new uPlot({
      title, width: place.clientWidth, height: 220, cursor: { sync: { key: 'steps' } },
      scales: { x: { time: false }, y: log && positive ? { distr: 3 } : {} },
      axes: [{ ...axis, size: 32 }, { ...axis, size: 66, values: (u, ticks) => ticks.map((v) => v == null ? '' : short(v)) }],
      series: [{ label: 'step' }, ...lines.map((line) => line.pale
        ? { label: line.name, stroke: colour('--pale'), width: 1, points: { show: false }, value: (u, v) => short(v) }
        : { label: line.name, stroke: colour('--c' + dark.indexOf(line) % 5), width: 2, points: { show: step.length < 3 }, value: (u, v) => short(v) })],
    }, [step, ...lines.map(({ values }) => values)], place);
  });
}
if (data.charts[0].step.length > 0) {
  draw();
  document.getElementById('log').onchange = draw;
  let waiting;
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
}
`;
