import {
  type Colour,
  classColour,
  type Image,
  imagenetMean,
  imagenetStd,
  type LabelMap,
  resizeImage,
  toTensor,
} from '../image/index.ts';
import { pixelSegments, type Segmenter } from '../inference/index.ts';
import { blendLabels } from './overlay.ts';

/** Eight colours that are told apart at a glance (Okabe and Ito's, without black, and two more). */
const colours: readonly Colour[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 94, 190],
  [213, 62, 40],
  [204, 121, 167],
  [120, 72, 180],
];

/** Side of a picture in pixels. */
const TILE = 160;
const GAP = 6;

/**
 * Photos above, and below each its segments in colour: the arg-max of the roll-out, without names. Shows how training
 * divides pictures. The squares must have the model's size.
 */
export async function sampleSheet(segmenter: Segmenter, squares: readonly Image[], patch: number): Promise<Image> {
  const width = squares.length * (TILE + GAP) + GAP;
  const height = 2 * (TILE + GAP) + GAP;
  const sheet = { width, height, data: new Uint8Array(3 * width * height).fill(255) };
  for (const [i, square] of squares.entries()) {
    const { width: side } = square;
    const pixels = toTensor(square, imagenetMean, imagenetStd);
    const { rollout } = await segmenter.features(pixels, side, side);
    const grid = Math.floor(side / patch);
    const large = resizeImage(square, TILE, TILE, 'bicubic');
    const labels: LabelMap = { width: TILE, height: TILE, data: pixelSegments(rollout, grid, grid, TILE, TILE) };
    const tinted = blendLabels(large, labels, { background: null, opacity: 0.6, colour: segmentColour });
    paste(sheet, large, GAP + i * (TILE + GAP), GAP);
    paste(sheet, tinted, GAP + i * (TILE + GAP), 2 * GAP + TILE);
  }
  return sheet;
}

/** Colour of a segment, which is a number and no class. */
export function segmentColour(segment: number): Colour {
  return colours[segment] ?? classColour(segment);
}

function paste(sheet: { readonly width: number; readonly data: Uint8Array }, tile: Image, x: number, y: number): void {
  for (let row = 0; row < tile.height; row++) {
    const from = row * tile.width * 3;
    sheet.data.set(tile.data.subarray(from, from + tile.width * 3), ((y + row) * sheet.width + x) * 3);
  }
}
