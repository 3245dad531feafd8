/** Photos as a model sees them: normalised planes `[3, height, width]`, and what windows take of them. */
import {
  type Image,
  imagenetMean,
  imagenetStd,
  keepRatioSize,
  type Rgb,
  resizeBilinear,
  toTensor,
  type WindowBox,
} from '../image/index.ts';
import type { PatchGrid } from '../pixels/index.ts';

/** The largest side that a photo is resized to, whatever its shape (MMSegmentation). */
const LONGEST = 2048;

/** Width and height of a photo whose shorter side becomes `short`; its longer one 2048 at most, where `short` is not above that. */
export function inferenceSize({ width, height }: Image, short: number): [width: number, height: number] {
  return keepRatioSize(width, height, short, Math.max(LONGEST, short));
}

/** A photo as normalised planes `[3, height, width]`, resized bilinearly without antialiasing. */
export function resizedPlanes(
  photo: Image,
  width: number,
  height: number,
  { mean, std }: { readonly mean: Rgb; readonly std: Rgb } = { mean: imagenetMean, std: imagenetStd },
): Float32Array {
  const planes = toTensor(photo, mean, std);
  if (width === photo.width && height === photo.height) return planes;
  return resizeBilinear(planes, 3, photo.height, photo.width, height, width);
}

/** Images one after another, as a batch. */
export function joinedPlanes(images: readonly Float32Array[]): Float32Array {
  const [first, second] = images as [Float32Array, Float32Array | undefined];
  if (!second) return first;
  const all = new Float32Array(images.length * first.length);
  for (const [i, image] of images.entries()) all.set(image, i * first.length);
  return all;
}

/** Planes with zeros around. */
export function padPlanes(planes: Float32Array, width: number, height: number, grid: PatchGrid): Float32Array {
  const channels = planes.length / (width * height);
  const out = new Float32Array(channels * grid.width * grid.height);
  for (let line = 0; line < channels * height; line++) {
    const to = (Math.floor(line / height) * grid.height + grid.top + (line % height)) * grid.width + grid.left;
    out.set(planes.subarray(line * width, (line + 1) * width), to);
  }
  return out;
}

/** The planes of a box. */
export function cropPlanes(
  planes: Float32Array,
  width: number,
  height: number,
  [y1, x1, y2, x2]: WindowBox,
): Float32Array {
  if (y1 === 0 && x1 === 0 && y2 === height && x2 === width) return planes;
  const channels = planes.length / (width * height);
  const out = new Float32Array(channels * (y2 - y1) * (x2 - x1));
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = y1; y < y2; y++) {
      const from = (c * height + y) * width;
      out.set(planes.subarray(from + x1, from + x2), at);
      at += x2 - x1;
    }
  }
  return out;
}

/** Rows of `columns` places in the opposite order, each place of so many values. */
export function mirroredRows(values: Float32Array, columns: number, each = 1): Float32Array {
  const out = new Float32Array(values.length);
  const row = columns * each;
  for (let from = 0; from < values.length; from += row) {
    for (let x = 0; x < columns; x++) {
      const at = from + x * each;
      out.set(values.subarray(at, at + each), from + (columns - 1 - x) * each);
    }
  }
  return out;
}
