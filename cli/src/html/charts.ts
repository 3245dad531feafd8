/** Charts of a page that loads nothing: uPlot as text, and what the scripts of such pages share. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chartColours } from '../bench/index.ts';

/** What a page with charts needs in its style, and before its own script. */
export function chartLibrary(): { readonly style: string; readonly script: string } {
  const { resolve } = createRequire(import.meta.url);
  const read = (file: string): string => readFileSync(resolve(`uplot/dist/${file}`), 'utf8');
  // It stops at a language that Intl does not know, such as the en-US@posix of some headless browsers.
  const language =
    "try { new Intl.NumberFormat(navigator.language) } catch { Object.defineProperty(navigator, 'language', { value: 'en-US' }) }";
  return {
    style: read('uPlot.min.css') + chartStyle,
    script: `${language}\n${read('uPlot.iife.min.js').replaceAll('</script', '<\\/script')}\n${chartTools}`,
  };
}

const variables = (colours: readonly string[]): string =>
  colours.map((colour, i) => `--chart-${i}: ${colour};`).join(' ');

const chartStyle = `
:root { --pale: #b0caf2; ${variables(chartColours.light)} }
@media (prefers-color-scheme: dark) { :root { --pale: #34486f; ${variables(chartColours.dark)} } }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); gap: 20px 16px; } .charts > div { min-width: 0; }
.u-title { font: 600 14px system-ui, sans-serif !important; text-align: left !important; padding-left: 6px; color: var(--ink); }
.u-legend { font-size: 12.5px !important; text-align: left !important; color: var(--soft); }
`;

/** `chartColour`, `short`, `chartAxes` and `keepDrawn` for the script of a page. */
const chartTools = `
const chartColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (v, digits) => v == null ? '–' : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 || v === 0 ? String(+v.toPrecision(digits)) : v.toExponential(digits - 2);
function chartAxes(say) {
  const line = { stroke: chartColour('--line'), width: 1 };
  const axis = { stroke: chartColour('--soft'), grid: line, ticks: line };
  return [{ ...axis, size: 32 }, { ...axis, size: 64, values: (u, ticks) => ticks.map((v) => v == null ? '' : say(v)) }];
}
function keepDrawn(draw) {
  draw();
  let waiting;
  addEventListener('resize', () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
`;
