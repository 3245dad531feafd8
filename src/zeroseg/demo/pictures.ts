/** Pictures for a report of what a student sees: patches, segments, names and views, drawn over the enlarged image. */
import { blendLabels, type Drawing, drawSegmentation, type Lettering } from '../drawing/index.ts';
import { type Colour, type GridBox, type Image, type LabelMap, resizeImage, segmentColour } from '../image/index.ts';
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
      const [value, fraction] = onLine ? [255, 0.7] : hidden ? [128, 0.82] : [0, 0];
      for (let c = 0; c < 3; c++) data[at * 3 + c] = data[at * 3 + c]! + (value - data[at * 3 + c]!) * fraction;
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

/** Fraction of a name's colour: the same for what was found and for what is true. */
const OPACITY = 0.6;

/** The picture tinted by label, names on it. `labels` may have its size, or that of its enlargement. */
export function namedPicture(
  image: Image,
  labels: LabelMap,
  names: readonly (string | undefined)[],
  colours: ReadonlyMap<number, Colour>,
  lettering: Lettering,
): Drawing {
  const large = enlarged(image);
  const colour = (label: number): Colour => colours.get(label) ?? GREY;
  const options = { names, lettering, legend: false, colour, opacity: OPACITY };
  return drawSegmentation(large, atSizeOf(large, labels), options);
}

const GREY: Colour = [128, 128, 128];
/** Of pixels that are named right, and wrong: blue and orange are told apart by everybody. */
export const RIGHT: Colour = [56, 132, 220];
export const WRONG: Colour = [240, 110, 20];

/**
 * The picture enlarged and without its colours, blue where labels are right and striped in orange where they are wrong. Pixels of `truth` 0 do not
 * count.
 *
 * ```ts
 * const { labels } = await watched.measure(0);
 * rightWrongPicture(scene.image, labels[0], scene.labels);
 * ```
 */
export function rightWrongPicture(image: Image, labels: LabelMap, truth: LabelMap): Image {
  const large = enlarged(image);
  const { width } = large;
  const [found, exact] = [atSizeOf(large, labels).data, atSizeOf(large, truth).data];
  const data = Uint8Array.from(large.data);
  for (let at = 0; at < exact.length; at++) {
    const [red, green, blue] = [data[at * 3]!, data[at * 3 + 1]!, data[at * 3 + 2]!];
    const light = 0.3 * red + 0.59 * green + 0.11 * blue;
    const isRight = found[at] === exact[at];
    const inStripe = ((at % width) + Math.floor(at / width)) % 12 < 5;
    const [tint, fraction] = exact[at] === 0 ? [GREY, 0] : isRight ? [RIGHT, 0.4] : [WRONG, inStripe ? 0.9 : 0.62];
    for (let c = 0; c < 3; c++) data[at * 3 + c] = light + (tint[c]! - light) * fraction;
  }
  return { ...large, data };
}

/** Labels at a whole multiple of their size. */
function atSizeOf({ width, height }: Image, labels: LabelMap): LabelMap {
  const factor = width / labels.width;
  if (factor === 1) return labels;
  const data = Uint16Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    return labels.data[Math.floor(y / factor) * labels.width + Math.floor(x / factor)]!;
  });
  return { width, height, data };
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
      const [value, fraction] = inside >= 0 ? [255, 1] : [24, 0.72];
      for (let c = 0; c < 3; c++) data[at * 3 + c] = data[at * 3 + c]! + (value - data[at * 3 + c]!) * fraction;
    }
  }
  return { ...large, data };
}

function enlarged(image: Image): Image {
  const factor = enlargement(image);
  return factor === 1 ? image : resizeImage(image, image.width * factor, image.height * factor, 'bicubic');
}
