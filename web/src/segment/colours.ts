/** Colours of words: told apart at a glance on a photo, in light and in dark; after twelve they come again, lighter and darker. */
const hues: readonly (readonly [number, number, number])[] = [
  [47, 111, 237],
  [242, 153, 31],
  [18, 161, 120],
  [219, 58, 98],
  [140, 86, 214],
  [86, 187, 224],
  [190, 170, 22],
  [230, 94, 44],
  [104, 159, 56],
  [232, 110, 190],
  [121, 85, 61],
  [24, 127, 140],
];

export type Rgb = readonly [number, number, number];

export function wordColour(number: number): Rgb {
  const colour = hues[number % hues.length] as Rgb;
  const round = Math.floor(number / hues.length) % 3;
  if (round === 0) return colour;
  const [towards, fraction] = round === 1 ? [255, 0.45] : [0, 0.4];
  return colour.map((value) => Math.round(value + (towards - value) * fraction)) as unknown as Rgb;
}

export function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** Of `#rrggbb`, as `<input type="color">` has it. */
export function rgb(text: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16)) as unknown as Rgb;
}
