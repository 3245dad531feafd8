/** Style and script of the report; both go into the page as they are. */
import { chartColours } from '../bench/index.ts';

export const reportStyle: string = `
main { max-width: 1200px; padding: 32px 24px 64px; }
h2 { font-size: 17px; margin: 0 0 8px; }
header p, .hint { color: var(--soft); margin: 2px 0 12px; } .hint { font-size: 13px; }
section, .figures { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 16px 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
dt { color: var(--soft); font-size: 13px; } dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.bar { display: flex; justify-content: space-between; align-items: baseline; }
figure { margin: 0 0 16px; } figure img { max-width: 100%; border: 1px solid var(--line); border-radius: 4px; }
figcaption { color: var(--soft); font-size: 13px; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); gap: 24px; margin-top: 12px; }
.tables table { border-collapse: collapse; width: 100%; font-size: 13px; }
.tables th, .tables td { text-align: left; padding: 4px 8px 4px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.tables th { font-weight: 400; color: var(--soft); width: 45%; }
summary { font-size: 17px; font-weight: 600; }
@media (max-width: 600px) {
  main { padding: 20px 12px 40px; } section, .figures { padding: 14px; } .figures { grid-template-columns: 1fr 1fr; } dd { font-size: 17px; }
  .bar { flex-wrap: wrap; gap: 8px; }
}
`;

export const reportScript: string = `
const host = document.getElementById('charts');
const say = (v) => short(v, 4);
function draw() {
  host.textContent = '';
  const log = document.getElementById('log').checked;
  const places = data.charts.map(() => host.appendChild(document.createElement('div')));
  data.charts.forEach(({ title, step, lines }, n) => {
    const place = places[n];
    const positive = lines[0].values.every((v) => v > 0);
    const dark = lines.filter(({ pale }) => !pale);
    new uPlot({
      title, width: place.clientWidth, height: 220, cursor: { sync: { key: 'steps' } },
      scales: { x: { time: false }, y: log && positive ? { distr: 3 } : {} },
      axes: chartAxes(say),
      series: [{ label: 'step' }, ...lines.map((line) => line.pale
        ? { label: line.name, stroke: chartColour('--pale'), width: 1, points: { show: false }, value: (u, v) => say(v) }
        : { label: line.name, stroke: chartColour('--chart-' + dark.indexOf(line) % ${chartColours.light.length}), width: 2, points: { show: step.length < 3 }, value: (u, v) => say(v) })],
    }, [step, ...lines.map(({ values }) => values)], place);
  });
}
if (data.charts[0].step.length > 0) {
  keepDrawn(draw);
  document.getElementById('log').onchange = draw;
}
`;
