import type { Baseline } from './baseline.ts';
import { ceiling } from './ceiling.ts';
import { chance } from './chance.ts';
import { crops } from './crops.ts';
import { plain, value } from './dense-clip.ts';
import { clusters } from './k-means.ts';

export type { Baseline, BaselineContext, CellScores, GridFeatures } from './baseline.ts';
export { chanceScores } from './chance.ts';
export { DenseTeacher } from './dense-teacher.ts';
export type { PatchGrid } from './patch-grid.ts';
export { cellLabels, nearestNames } from './patch-labels.ts';

/** All that students are compared with, in the order of tables. */
export const baselines: readonly Baseline[] = [crops, plain, value, clusters, ceiling, chance];
