/** Red, green and blue, 0..255. */
export type Colour = readonly [red: number, green: number, blue: number];

/**
 * Colour of class c in the PASCAL VOC colour map: for bit j = 0..7 of c, bits 3j, 3j+1 and 3j+2 go to bit 7-j of red,
 * green and blue. Class 0 is black, 1 dark red, 255 a light grey.
 *
 * ```ts
 * classColour(15); // [192, 128, 128], person
 * ```
 */
export function classColour(c: number): Colour {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let j = 0; j < 8; j++, c >>= 3) {
    red |= (c & 1) << (7 - j);
    green |= ((c >> 1) & 1) << (7 - j);
    blue |= ((c >> 2) & 1) << (7 - j);
  }
  return [red, green, blue];
}

/** The first `classes` colours of the PASCAL map. */
export function pascalPalette(classes = 256): Colour[] {
  return Array.from({ length: classes }, (_, c) => classColour(c));
}

/** Eight colours that are told apart at a glance (Okabe and Ito's, without black, and two more). */
const eightColours: readonly Colour[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 94, 190],
  [213, 62, 40],
  [204, 121, 167],
  [120, 72, 180],
];

/** Colour of a segment, which is a number and no class. */
export function segmentColour(segment: number): Colour {
  return eightColours[segment] ?? classColour(segment);
}

/** Hue in turns (0 red, 1/3 green, 2/3 blue), saturation and value in 0..1. */
export function hsv(hue: number, saturation: number, value: number): Colour {
  const channel = (n: number): number => {
    const k = (n + (hue - Math.floor(hue)) * 6) % 6;
    return 255 * (value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}

/** `#rrggbb`; parts of a colour are rounded. */
export function hexColour(colour: Colour): string {
  return `#${colour.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}
