import { type Chart, chartColour, faint, gridColour, ink } from '../bench/index.ts';
import { efficiency, links, type StepParts } from './ranks.ts';

const RANKS = [1, 2, 4, 8, 16, 32, 64];

/** Efficiency of 1 to 64 ranks over each link: a model, see `ranks.ts`. */
export function scalingChart(parts: StepParts, title: string, subtitle: string): Chart {
  const [width, height, left, right, top, bottom] = [720, 400, 64, 150, 76, 52];
  const x = (ranks: number) => left + ((width - left - right) * Math.log2(ranks)) / Math.log2(RANKS.at(-1) as number);
  const y = (share: number) => height - bottom - (height - top - bottom) * share;
  const shapes: string[] = [];
  const texts: Chart['texts'][number][] = [
    { text: title, x: 16, y: 28, size: 17, anchor: 'start', colour: ink },
    { text: subtitle, x: 16, y: 48, size: 12, anchor: 'start', colour: faint },
    { text: 'ranks', x: (left + width - right) / 2, y: height - 12, size: 12, anchor: 'middle', colour: ink },
  ];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    shapes.push(
      `<line x1="${left}" y1="${y(share)}" x2="${width - right}" y2="${y(share)}" stroke="${gridColour}" stroke-width="1"/>`,
    );
    texts.push({ text: `${share * 100} %`, x: left - 8, y: y(share) + 4, size: 11, anchor: 'end', colour: faint });
  }
  for (const ranks of RANKS) {
    texts.push({
      text: String(ranks),
      x: x(ranks),
      y: height - bottom + 18,
      size: 11,
      anchor: 'middle',
      colour: faint,
    });
  }
  let last = Number.NEGATIVE_INFINITY;
  Object.values(links)
    .map((link, i) => ({ link, colour: chartColour(i), shares: RANKS.map((ranks) => efficiency(parts, ranks, link)) }))
    .sort((a, b) => (b.shares.at(-1) as number) - (a.shares.at(-1) as number))
    .forEach(({ link, colour, shares }) => {
      const points = shares.map((share, i) => `${x(RANKS[i] as number).toFixed(1)},${y(share).toFixed(1)}`);
      shapes.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
      // Names that would lie over each other move down.
      last = Math.max(y(shares.at(-1) as number) + 4, last + 16);
      const text = `${link.name}: ${Math.round(100 * (shares.at(-1) as number))} %`;
      texts.push({ text, x: width - right + 10, y: last, size: 12, anchor: 'start', colour });
    });
  return { width, height, shapes, texts };
}
