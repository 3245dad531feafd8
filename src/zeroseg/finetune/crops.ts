import type { Random } from '../../nn/layers/index.ts';
import { ignoreLabel } from '../evaluation/index.ts';
import { type Image, imagenetMean, imagenetStd, type LabelMap, resizeImage, toTensor } from '../image/index.ts';
import type { FinetuneSettings } from './settings.ts';

/** A square of a photo to learn from. */
export interface LabelledCrop {
  /** Normalised by ImageNet's mean and standard deviation, `[3, crop, crop]`; 0, the mean, beyond the photo. */
  readonly pixels: Float32Array;
  /** `[crop, crop]`; 255 beyond the photo. */
  readonly labels: Uint32Array;
}

/**
 * A random square of a photo and its label map: resized so that the shorter side is `short` times a random scale (uniform between
 * `scale_min` and `scale_max`), cut anywhere, half of them mirrored. Pixels are resized bilinearly with antialiasing, labels to the
 * nearest. A photo that is smaller than the square lies in its upper left corner.
 */
export function labelledCrop(
  image: Image,
  labels: LabelMap,
  { crop, short, scale_min, scale_max, flip }: FinetuneSettings,
  uniform: Random,
): LabelledCrop {
  const scale = scale_min + (scale_max - scale_min) * uniform();
  const factor = (scale * short) / Math.min(image.width, image.height);
  const width = Math.max(1, Math.round(factor * image.width));
  const height = Math.max(1, Math.round(factor * image.height));
  const [inside, tall] = [Math.min(crop, width), Math.min(crop, height)];
  const x = Math.floor(uniform() * (width - inside + 1));
  const y = Math.floor(uniform() * (height - tall + 1));
  const isMirrored = flip && uniform() < 0.5;
  const part = resizeImage(image, width, height, 'bilinear', { x, y, width: inside, height: tall });
  const values = toTensor(part, imagenetMean, imagenetStd);
  const pixels = new Float32Array(3 * crop * crop);
  const classes = new Uint32Array(crop * crop).fill(ignoreLabel);
  for (let row = 0; row < tall; row++) {
    const sourceRow = Math.min(labels.height - 1, Math.floor(((y + row + 0.5) * labels.height) / height));
    for (let column = 0; column < inside; column++) {
      const to = row * crop + (isMirrored ? inside - 1 - column : column);
      for (let c = 0; c < 3; c++) {
        pixels[c * crop * crop + to] = values[(c * tall + row) * inside + column] as number;
      }
      const sourceColumn = Math.min(labels.width - 1, Math.floor(((x + column + 0.5) * labels.width) / width));
      classes[to] = labels.data[sourceRow * labels.width + sourceColumn] as number;
    }
  }
  return { pixels, labels: classes };
}
