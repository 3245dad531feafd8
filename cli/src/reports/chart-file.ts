import { InvalidArgumentError } from 'commander';
import sharp from 'sharp';
import { type Chart, svg } from '../bench/index.ts';
import { writeNamedFile } from '../files/index.ts';
import { interLettering } from '../photos/index.ts';
import { printLines, type Terminal } from '../shell/index.ts';

/** Pixels of a PNG for each of the chart's units. */
const SCALE = 2;

/** Parses `--chart`. */
export function chartFile(file: string): string {
  if (!/\.(svg|png)$/i.test(file)) throw new InvalidArgumentError('It must end in .svg or .png.');
  return file;
}

/** Parses `--json`. */
export function jsonTarget(file: string): string {
  if (file !== '-' && !/\.json$/i.test(file)) throw new InvalidArgumentError('It must end in .json, or be -.');
  return file;
}

export async function writeJson(terminal: Terminal, target: string | undefined, value: unknown): Promise<void> {
  if (target === undefined) return;
  const text = JSON.stringify(value, undefined, 2);
  if (target === '-') return printLines(terminal.out, text);
  await writeNamedFile(target, `${text}\n`);
  terminal.out(`JSON: ${target}`);
}

/** Writes a chart as SVG or as PNG. */
export async function writeChart(file: string, chart: Chart): Promise<void> {
  await writeNamedFile(file, await chartBytes(file, chart));
}

/** A chart as SVG, or as PNG with letters of our own: a bare server has no fonts. */
export async function chartBytes(file: string, chart: Chart): Promise<string | Uint8Array> {
  if (/\.svg$/i.test(file)) return svg(chart);
  const lettering = interLettering();
  const letters = chart.texts.map(({ text, x, y, size, anchor, colour }) => {
    const { width } = lettering.measure(text, size);
    const left = x - { start: 0, middle: width / 2, end: width }[anchor];
    return `<path d="${lettering.path(text, size, left, y)}" fill="${colour}"/>`;
  });
  const outlined = svg({ ...chart, shapes: [...chart.shapes, ...letters], texts: [] });
  return sharp(Buffer.from(outlined), { density: 72 * SCALE })
    .png()
    .toBuffer();
}
