/** One photo of an evaluation as a picture. */
import { blankSheet, type Colour, paste } from '@zeroseg/core/internal';
import { blendLabels, type EvaluatedPhoto, type Image, type LabelMap } from '@zeroseg/core/zeroseg';

/** Longer side of each of its parts. */
const SIDE = 360;
/** Pixels between them. */
const GAP = 6;
/** Of what does not count. */
const unknown: Colour = [255, 255, 255];

/** Photo, truth, prediction, and what is wrong, from left to right. */
export function photoStrip(
  { image, labels, prediction }: EvaluatedPhoto,
  ignore: number,
  colour: (label: number) => Colour,
): Image {
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const [width, height] = [Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale))];
  const small: Image = { width, height, data: nearest(image, width, height, 3) };
  const truth = { width, height, data: nearest(labels, width, height, 1) };
  const found = { width, height, data: nearest(prediction, width, height, 1) };
  const draw = (map: LabelMap): Image =>
    blendLabels(small, map, { opacity: 0.6, colour: (label) => (label === ignore ? unknown : colour(label)) });
  const parts = [small, draw(truth), draw(found), mistakes(small, truth, found, ignore)];
  const sheet = blankSheet(parts.length * width + (parts.length - 1) * GAP, height);
  for (const [i, part] of parts.entries()) paste(sheet, part, i * (width + GAP), 0);
  return sheet;
}

/** Every so manieth pixel: labels must not be mixed, and photos go with them. */
function nearest<T extends Uint8Array | Uint16Array>(
  { width, height, data }: { readonly width: number; readonly height: number; readonly data: T },
  toWidth: number,
  toHeight: number,
  channels: number,
): T {
  const out = data.slice(0, toWidth * toHeight * channels) as T;
  for (let y = 0, at = 0; y < toHeight; y++) {
    const row = Math.floor(((y + 0.5) * height) / toHeight) * width;
    for (let x = 0; x < toWidth; x++) {
      const from = (row + Math.floor(((x + 0.5) * width) / toWidth)) * channels;
      for (let c = 0; c < channels; c++) out[at++] = data[from + c]!;
    }
  }
  return out;
}

/** The photo in grey, red where it is wrong and white where nothing counts. */
function mistakes(photo: Image, truth: LabelMap, found: LabelMap, ignore: number): Image {
  const data = new Uint8Array(photo.data.length);
  for (let i = 0; i < truth.data.length; i++) {
    const [r, g, b] = [photo.data[3 * i]!, photo.data[3 * i + 1]!, photo.data[3 * i + 2]!];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    const colour =
      truth.data[i] === ignore
        ? unknown
        : truth.data[i] === found.data[i]
          ? [grey, grey, grey]
          : [110 + 0.5 * grey, 0.35 * grey, 0.35 * grey];
    data.set(colour.map(Math.round), 3 * i);
  }
  return { ...photo, data };
}
