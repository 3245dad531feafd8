import type { Device } from '../../gpu/index.ts';
import { interpolate } from '../../kernels/layout/index.ts';
import type { PamrOptions } from '../../kernels/zeroseg/index.ts';
import { tensor } from '../../tensor/graph/index.ts';
import type { CellScores } from '../baselines/index.ts';
import { softmax } from '../host/index.ts';
import { type Image, imagenetMean, imagenetStd, toTensor } from '../image/index.ts';
import { columnsThatMayWin } from '../inference/index.ts';
import { bestColumns, refinedMaps, type ScoreMaps } from '../pixels/index.ts';

/** The labels of a baseline drawn to the edges of a picture, as a student's are: see `pamr`. */
export async function refinedBaseline(
  device: Device,
  image: Image,
  found: CellScores | ArrayLike<number>,
  scale: number,
  refine: PamrOptions,
): Promise<Uint16Array> {
  const { width, height } = image;
  const isCells = 'grid' in found;
  const {
    labels,
    scores,
    columns: asked,
    rows,
    cols,
  } = isCells ? cellProbabilities(found, scale) : oneHot(found, width, height);
  const cells = rows * cols;
  const maps: ScoreMaps = (columns) => {
    const planes = new Float32Array(columns.length * cells);
    for (const [at, column] of columns.entries())
      planes.set(scores.subarray(column * cells, (column + 1) * cells), at * cells);
    const x = tensor(device, planes, [1, columns.length, rows, cols]);
    return isCells ? interpolate(x, height, width, { mode: 'bilinear', channels: 'first' }) : x;
  };
  const planes = { width, height, data: toTensor(image, imagenetMean, imagenetStd) };
  const refined = refinedMaps(device, maps, planes, image, refine);
  const { best } = await bestColumns(refined, asked, width * height, 0);
  return best.map((column) => labels[column]!);
}

/** Maps and what they stand for. */
interface LabelledMaps {
  readonly labels: readonly number[];
  /** Those that may be the largest somewhere. */
  readonly columns: readonly number[];
  readonly scores: Float32Array;
  readonly rows: number;
  readonly cols: number;
}

/** Names' probabilities in each cell, as segments have them. */
function cellProbabilities({ scores, grid: { rows, cols } }: CellScores, scale: number): LabelledMaps {
  const cells = rows * cols;
  const names = scores.length / cells;
  const probabilities = new Float32Array(scores.length);
  const rowsOfCells = new Float32Array(cells * (names + 1));
  for (let at = 0; at < cells; at++) {
    const p = softmax(
      Float64Array.from({ length: names }, (_, c) => scores[c * cells + at]!),
      scale,
    );
    for (let c = 0; c < names; c++) probabilities[c * cells + at] = p[c]!;
    rowsOfCells.set(p, at * (names + 1) + 1);
  }
  const labels = Array.from({ length: names }, (_, c) => c + 1);
  const columns = columnsThatMayWin([{ scores: rowsOfCells }], names, labels).map((column) => column - 1);
  return { labels, columns, scores: probabilities, rows, cols };
}

/** A map for each label that occurs. */
function oneHot(found: ArrayLike<number>, cols: number, rows: number): LabelledMaps {
  const labels = [...new Set(Array.from(found))].sort((a, b) => a - b);
  const scores = new Float32Array(labels.length * found.length);
  for (let at = 0; at < found.length; at++) scores[labels.indexOf(found[at]!) * found.length + at] = 1;
  return { labels, columns: [...labels.keys()], scores, rows, cols };
}
