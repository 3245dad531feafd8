import {
  type Image,
  imagenetMean,
  imagenetStd,
  type LabelMap,
  resizeImage,
  segmentColour,
  toTensor,
} from '../image/index.ts';
import { pixelSegments, type Segmenter } from '../inference/index.ts';
import { blendLabels } from './blend.ts';
import { blankSheet, paste } from './tiles.ts';

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
  const sheet = blankSheet(width, height);
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
