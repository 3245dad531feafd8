/** One drawn object on its way into a picture. */

/** Pixels of one drawn object, as large as the picture; those outside of the box are stale. */
export interface Layer {
  /** RGBA, 0..255, transparency multiplied in. */
  readonly data: Float32Array;
  readonly size: number;
  left: number;
  top: number;
  /** Not included. */
  right: number;
  bottom: number;
}

/** A layer for pictures of a side, with nothing in its box. */
export function emptyLayer(size: number): Layer {
  return { data: new Float32Array(size * size * 4), size, left: 0, top: 0, right: 0, bottom: 0 };
}

/** Half of 255: from here on a pixel belongs to the object. */
const HALF = 127.5;

/** Pixels that the layer's object would own, and how many it would take from each owner. */
export function countPixels(
  { data, size, left, top, right, bottom }: Layer,
  owners: Uint8Array,
  others: number,
): { own: number; covered: Uint32Array } {
  const covered = new Uint32Array(others + 1);
  let own = 0;
  for (let y = top; y < bottom; y++) {
    for (let i = y * size + left; i < y * size + right; i++) {
      if (data[i * 4 + 3]! < HALF) continue;
      own++;
      covered[owners[i]!]!++;
    }
  }
  return { own, covered };
}

/** Lays the layer over the picture. */
export function compose(layer: Layer, picture: Uint8Array, owners: Uint8Array, owner: number): void {
  const { data, size, left, top, right, bottom } = layer;
  for (let y = top; y < bottom; y++) {
    for (let i = y * size + left; i < y * size + right; i++) {
      const alpha = data[i * 4 + 3]!;
      if (alpha === 0) continue;
      if (alpha >= HALF) owners[i] = owner;
      const rest = 1 - alpha / 255;
      picture[i * 3] = data[i * 4]! + rest * picture[i * 3]! + 0.5;
      picture[i * 3 + 1] = data[i * 4 + 1]! + rest * picture[i * 3 + 1]! + 0.5;
      picture[i * 3 + 2] = data[i * 4 + 2]! + rest * picture[i * 3 + 2]! + 0.5;
    }
  }
}
