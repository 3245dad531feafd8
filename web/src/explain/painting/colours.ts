import type { Grouped } from '../messages.ts';

export type Rgb = readonly [number, number, number];

/** Hues of segments: calm beside each other, told apart at a glance. */
const hues: readonly Rgb[] = [
  [62, 118, 214],
  [232, 158, 54],
  [58, 158, 116],
  [214, 92, 122],
  [138, 104, 204],
  [70, 176, 200],
  [166, 158, 58],
  [186, 106, 70],
];

export function css([red, green, blue]: Rgb, alpha = 1): string {
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}

function mixed(a: Rgb, b: Rgb, fraction: number): Rgb {
  return [0, 1, 2].map((c) => Math.round(a[c]! + (b[c]! - a[c]!) * fraction)) as unknown as Rgb;
}

export function segmentColour(segment: number): Rgb {
  const hue = hues[segment % hues.length] as Rgb;
  const round = Math.floor(segment / hues.length);
  return round === 0 ? hue : mixed(hue, round % 2 === 1 ? [255, 255, 255] : [0, 0, 0], 0.4);
}

/** Colours of groups: shades of the segment that the second stage merges them into. */
export function groupColours({ segmentOfGroup, groupSizes }: Grouped): Rgb[] {
  const shades = new Map<number, number[]>();
  for (const [group, segment] of segmentOfGroup.entries()) {
    if (groupSizes[group] === 0) continue;
    shades.set(segment, [...(shades.get(segment) ?? []), group]);
  }
  const colours = Array.from(segmentOfGroup, (segment) => segmentColour(segment));
  for (const [segment, groups] of shades) {
    for (const [i, group] of groups.entries()) {
      const place = groups.length === 1 ? 0 : -0.42 + (0.84 * i) / (groups.length - 1);
      colours[group] = mixed(segmentColour(segment), place < 0 ? [16, 18, 24] : [255, 255, 255], Math.abs(place));
    }
  }
  return colours;
}

/** What a distribution over numbers looks like: their colours, mixed by it. `weights` are `of(number)`. */
export function blend(colours: readonly Rgb[], of: (number: number) => number): Rgb {
  const sum: [number, number, number] = [0, 0, 0];
  for (const [number, colour] of colours.entries()) {
    const weight = of(number);
    for (const c of [0, 1, 2] as const) sum[c] += weight * colour[c];
  }
  return sum.map(Math.round) as unknown as Rgb;
}
