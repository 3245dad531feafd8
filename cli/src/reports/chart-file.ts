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
  const shapes = Buffer.from(svg(chart, { withTexts: false }));
  const letters = chart.texts.map(({ text, x, y, size, anchor, colour }) => {
    const { width, height, ascent, coverage } = interLettering().line(text, size * SCALE);
    const before = { start: 0, middle: width / 2, end: width }[anchor];
    const rgba = Buffer.alloc(width * height * 4);
    const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    for (const [i, alpha] of coverage.entries()) rgba.set([...parts, alpha], 4 * i);
    return {
      input: rgba,
      raw: { width, height, channels: 4 as const },
      left: Math.round(x * SCALE - before),
      top: Math.round(y * SCALE - ascent),
    };
  });
  return sharp(shapes, { density: 72 * SCALE })
    .composite(letters)
    .png()
    .toBuffer();
}
