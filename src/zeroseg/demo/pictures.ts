/** Pictures for a report of what a student sees: patches, segments, names and views, drawn over the enlarged image. */
import { blendLabels, type Drawing, drawSegmentation, type Lettering } from '../drawing/index.ts';
import { type GridBox, type Image, type LabelMap, nameColour, resizeImage, segmentColour } from '../image/index.ts';
import { pixelSegments } from '../inference/index.ts';

/** Least side of a picture in a report. */
const MIN_SIDE = 384;

/** Whole factor by which a picture is enlarged. */
export function enlargement({ width, height }: Pick<Image, 'width' | 'height'>): number {
  return Math.max(1, Math.ceil(MIN_SIDE / Math.max(width, height)));
}

/** The picture as it is, enlarged. */
export function photoPicture(image: Image): Image {
  return enlarged(image);
}

/** The picture in patches, of which those that `isHidden` are greyed. */
export function patchPicture(image: Image, patch: number, isHidden: (number: number) => boolean): Image {
  const factor = enlargement(image);
  const large = enlarged(image);
  const data = Uint8Array.from(large.data);
  const side = patch * factor;
  const cols = Math.floor(large.width / side);
  for (let y = 0, at = 0; y < large.height; y++) {
    for (let x = 0; x < large.width; x++, at++) {
      const onLine = x % side === 0 || y % side === 0;
      const hidden = isHidden(Math.floor(y / side) * cols + Math.floor(x / side));
      const [value, share] = onLine ? [255, 0.7] : hidden ? [128, 0.82] : [0, 0];
      for (let c = 0; c < 3; c++) data[at * 3 + c] = data[at * 3 + c]! + (value - data[at * 3 + c]!) * share;
    }
  }
  return { ...large, data };
}

/** Where segments or groups are: maps `[n, rows · cols]`, the largest wins; colours are their numbers. */
export function segmentPicture(image: Image, maps: Float32Array, rows: number, cols: number): Image {
  const large = enlarged(image);
  const { width, height } = large;
  const labels: LabelMap = { width, height, data: pixelSegments(maps, rows, cols, height, width) };
  return blendLabels(large, labels, { background: null, opacity: 0.68, colour: segmentColour });
}

/** The picture tinted by label, names on it. `labels` may have its size, or that of its enlargement. */
export function namedPicture(
  image: Image,
  labels: LabelMap,
  names: readonly (string | undefined)[],
  lettering: Lettering,
  opacity = 0.5,
): Drawing {
  const large = enlarged(image);
  const factor = large.width / labels.width;
  const { width, height } = large;
  const data =
    factor === 1
      ? labels.data
      : Uint16Array.from({ length: width * height }, (_, at) => {
          const [x, y] = [at % width, Math.floor(at / width)];
          return labels.data[Math.floor(y / factor) * labels.width + Math.floor(x / factor)]!;
        });
  const options = { names, lettering, legend: false, colour: nameColour, opacity };
  return drawSegmentation(large, { width, height, data }, options);
}

/** The picture dimmed but for a box in its own pixels. */
export function viewPicture(image: Image, [left, top, right, bottom]: GridBox): Image {
  const factor = enlargement(image);
  const large = enlarged(image);
  const data = Uint8Array.from(large.data);
  for (let y = 0, at = 0; y < large.height; y++) {
    for (let x = 0; x < large.width; x++, at++) {
      const [dx, dy] = [
        Math.min(x - left * factor, right * factor - 1 - x),
        Math.min(y - top * factor, bottom * factor - 1 - y),
      ];
      const inside = Math.min(dx, dy);
      if (inside >= 4) continue;
      const [value, share] = inside >= 0 ? [255, 1] : [24, 0.72];
      for (let c = 0; c < 3; c++) data[at * 3 + c] = data[at * 3 + c]! + (value - data[at * 3 + c]!) * share;
    }
  }
  return { ...large, data };
}

function enlarged(image: Image): Image {
  const factor = enlargement(image);
  return factor === 1 ? image : resizeImage(image, image.width * factor, image.height * factor, 'bicubic');
}
