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
