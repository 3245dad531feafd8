/** The step from a photo's bytes to a network's input. */
import { checkImage, type Image, PixelError } from './image.ts';

/** One number each for red, green and blue, in 0..1. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** ImageNet's mean, what the student's input is centred by (as in MAE and GroupViT). */
export const imagenetMean: Rgb = [0.485, 0.456, 0.406];
/** ImageNet's deviation. */
export const imagenetStd: Rgb = [0.229, 0.224, 0.225];
/** CLIP's mean, what the teacher's input is centred by. */
export const clipMean: Rgb = [0.48145466, 0.4578275, 0.40821073];
/** CLIP's deviation. */
export const clipStd: Rgb = [0.26862954, 0.26130258, 0.27577711];

/**
 * Bytes to a network's input `[3, H, W]`: `(byte / 255 - mean) / std`, channels first. Writes into `target` when
 * given (from `offset` on), so that a batch needs no copies.
 *
 * ```ts
 * const x = toTensor(photo, imagenetMean, imagenetStd);
 * ```
 */
export function toTensor(
  image: Image,
  mean: Rgb,
  std: Rgb,
  target: Float32Array = new Float32Array(image.width * image.height * 3),
  offset = 0,
): Float32Array {
  checkImage('toTensor', image);
  const { data } = image;
  const pixels = image.width * image.height;
  if (offset + pixels * 3 > target.length) {
    throw new PixelError(
      `toTensor: ${pixels * 3} values from ${offset} must fit the target; it holds ${target.length}`,
    );
  }
  const shades = shadesOf(mean, std);
  for (let channel = 0; channel < 3; channel++) {
    const table = shades.subarray(256 * channel, 256 * (channel + 1));
    let out = offset + channel * pixels;
    for (let at = channel; at < data.length; at += 3) target[out++] = table[data[at]!]!;
  }
  return target;
}

/** `[3, 256]`: what {@link toTensor} makes of each byte of each channel. */
export function shadesOf(mean: Rgb, std: Rgb): Float32Array {
  const shades = new Float32Array(768);
  for (let channel = 0; channel < 3; channel++) {
    for (let byte = 0; byte < 256; byte++) shades[256 * channel + byte] = (byte / 255 - mean[channel]!) / std[channel]!;
  }
  return shades;
}
