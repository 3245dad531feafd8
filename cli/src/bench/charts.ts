import { escapeXml } from '@zeroseg/core/internal';
import type { Row } from './bench.ts';
import { digits } from './tables.ts';

/** A text of a picture; `at` is its base line. */
export interface ChartText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly anchor: 'start' | 'middle' | 'end';
  readonly colour: string;
}

/** A picture: shapes as SVG, and texts apart, for whoever has no fonts to draw them. */
export interface Chart {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly string[];
  readonly texts: readonly ChartText[];
}

export const ink = '#1f2933';
export const faint = '#667085';
export const gridColour = '#d9dee5';
/** Colours that stay apart for colour-blind eyes (Okabe and Ito), on white and on near black. */
export const chartColours: Readonly<Record<'light' | 'dark', readonly string[]>> = {
  light: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#5b5b5b'],
  dark: ['#6ba8ff', '#f28a4b', '#3fc79a', '#e39ac4', '#e3b341', '#7cc7f0', '#b6b6b6'],
};

/** The colour of the i-th line or group on white; after the last they come again. */
export function chartColour(i: number): string {
  return chartColours.light[i % chartColours.light.length]!;
}

/** The picture as a file. */
export function svg({ width, height, shapes, texts }: Chart): string {
  const written = texts.map(
    ({ text, x, y, size, anchor, colour }) =>
      `<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="${anchor}" fill="${colour}">${escapeXml(text)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      'font-family="Inter, system-ui, sans-serif">',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...shapes,
    ...written,
    '</svg>',
    '',
  ].join('\n');
}

/** Bars: how much of the device's limit each workload reaches. */
export function limitChart(rows: readonly Row[], title: string, subtitle: string): Chart {
  const measured = rows.filter((row) => row.fraction !== null);
  const groups = [...new Set(measured.map(({ group }) => group))];
  const [width, bar, gap, heading, top] = [920, 16, 6, 26, 78];
  const left = 16 + 7 * Math.max(20, ...measured.map(({ name }) => name.length));
  const right = width - 64;
  const max = Math.max(1, ...measured.map(({ fraction }) => fraction as number));
  const x = (fraction: number) => left + ((right - left) * fraction) / Math.min(max, 1.25);
  const shapes: string[] = [];
  const texts: ChartText[] = [
    { text: title, x: 16, y: 28, size: 17, anchor: 'start', colour: ink },
    { text: subtitle, x: 16, y: 48, size: 12, anchor: 'start', colour: faint },
  ];
  let y = top;
  for (const [i, group] of groups.entries()) {
    texts.push({
      text: group,
      x: 16,
      y: y + 14,
      size: 13,
      anchor: 'start',
      colour: chartColour(i),
    });
    y += heading;
    for (const { name, fraction } of measured.filter((row) => row.group === group)) {
      const end = Math.min(right, x(fraction as number));
      shapes.push(
        `<rect x="${round(left)}" y="${y}" width="${round(Math.max(1, end - left))}" height="${bar}" rx="2" fill="${chartColour(i)}"/>`,
      );
      texts.push(
        { text: name, x: left - 8, y: y + 12, size: 12, anchor: 'end', colour: ink },
        {
          text: `${digits((fraction as number) * 100)} %`,
          x: end + 6,
          y: y + 12,
          size: 12,
          anchor: 'start',
          colour: ink,
        },
      );
      y += bar + gap;
    }
    y += gap;
  }
  const grid = [0, 0.25, 0.5, 0.75, 1].map((fraction) => {
    texts.push({ text: `${fraction * 100} %`, x: x(fraction), y: y + 16, size: 11, anchor: 'middle', colour: faint });
    return line(x(fraction), top, x(fraction), y, gridColour);
  });
  return { width, height: Math.ceil(y + 32), shapes: [...grid, ...shapes], texts };
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** `y = factor · x^exponent`. */
  readonly fit: { readonly exponent: number; readonly factor: number };
}

export interface Panel {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

/** Panels side by side, two in a row: points and fitted lines, both axes logarithmic. */
export function growthChart(panels: readonly Panel[], title: string, subtitle: string): Chart {
  const [panelWidth, panelHeight, top] = [460, 320, 64];
  const columns = Math.max(1, Math.min(2, panels.length));
  const shapes: string[] = [];
  const texts: ChartText[] = [
    { text: title, x: 16, y: 28, size: 17, anchor: 'start', colour: ink },
    { text: subtitle, x: 16, y: 48, size: 12, anchor: 'start', colour: faint },
  ];
  for (const [i, panel] of panels.entries()) {
    const at = { x: (i % columns) * panelWidth, y: top + Math.floor(i / columns) * panelHeight };
    drawPanel(panel, at, { width: panelWidth, height: panelHeight }, shapes, texts);
  }
  return {
    width: panelWidth * columns,
    height: top + Math.ceil(panels.length / columns) * panelHeight,
    shapes,
    texts,
  };
}

function drawPanel(
  panel: Panel,
  at: { x: number; y: number },
  size: { width: number; height: number },
  shapes: string[],
  texts: ChartText[],
): void {
  const [left, right] = [at.x + 64, at.x + size.width - 24];
  const [upper, lower] = [at.y + 56 + 16 * (panel.series.length - 1), at.y + size.height - 52];
  const all = panel.series.flatMap(({ points }) => points);
  const range = (values: readonly number[], pad: number) =>
    [Math.log(Math.min(...values)) - pad, Math.log(Math.max(...values)) + pad] as const;
  const [x0, x1] = range(
    all.map(([x]) => x),
    0.15,
  );
  const [y0, y1] = range(
    all.map(([, y]) => y),
    0.25,
  );
  const x = (value: number) => left + ((right - left) * (Math.log(value) - x0)) / (x1 - x0);
  const y = (value: number) => lower - ((lower - upper) * (Math.log(value) - y0)) / (y1 - y0);

  texts.push({ text: panel.title, x: at.x + 16, y: at.y + 20, size: 13, anchor: 'start', colour: ink });
  for (const value of new Set(all.map(([x]) => x))) {
    shapes.push(line(x(value), upper, x(value), lower, gridColour));
    texts.push({ text: String(value), x: x(value), y: lower + 16, size: 11, anchor: 'middle', colour: faint });
  }
  for (const value of ticks(Math.exp(y0), Math.exp(y1))) {
    shapes.push(line(left, y(value), right, y(value), gridColour));
    texts.push({ text: String(value), x: left - 6, y: y(value) + 4, size: 11, anchor: 'end', colour: faint });
  }
  texts.push(
    { text: panel.x, x: (left + right) / 2, y: lower + 34, size: 12, anchor: 'middle', colour: faint },
    { text: panel.y, x: at.x + 16, y: upper - 8, size: 12, anchor: 'start', colour: faint },
  );
  for (const [i, { name, points, fit }] of panel.series.entries()) {
    const colour = chartColour(i);
    const xs = points.map(([x]) => x);
    const on = (value: number) => fit.factor * value ** fit.exponent;
    const [from, to] = [Math.min(...xs), Math.max(...xs)];
    shapes.push(line(x(from), y(on(from)), x(to), y(on(to)), colour, 1.5));
    for (const [px, py] of points) {
      shapes.push(`<circle cx="${round(x(px))}" cy="${round(y(py))}" r="4" fill="${colour}"/>`);
    }
    const label = `${name}: grows as x^${fit.exponent.toFixed(2)}`;
    texts.push({ text: label, x: right, y: at.y + 20 + 16 * i, size: 12, anchor: 'end', colour });
  }
}

/** Powers of ten with 1, 2 and 5 before them; without those where there are many. */
function ticks(from: number, to: number): number[] {
  const found: number[] = [];
  const steps = to / from > 300 ? [1] : to / from > 30 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const step of steps) {
      const value = Number(`${step}e${power}`);
      if (value >= from && value <= to) found.push(value);
    }
  }
  return found;
}

export function line(x1: number, y1: number, x2: number, y2: number, colour: string, width = 1): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}" stroke-width="${width}"/>`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
