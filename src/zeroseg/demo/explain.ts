/// <reference lib="esnext.disposable" preserve="true" />
/** One scene step by step: patches, groups, the nearest view of a segment, and its name. */
import type { Device } from '../../gpu/index.ts';
import { permutation, random } from '../../nn/layers/index.ts';
import { type ClipVision, Teacher, type Vocabulary } from '../clip/index.ts';
import { classFractions } from '../drawing/index.ts';
import { argmax } from '../host/index.ts';
import { gridBoxes, type Image, teacherViews } from '../image/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import { keptPatches, type ZeroSegConfig } from '../model/index.ts';
import type { Scene } from '../scenes/index.ts';
import { groupUse, nearestViews, type StudentOutput, studentLabels } from '../studies/index.ts';
import { patchPicture, segmentPicture, viewPicture } from './pictures.ts';

/** One scene, step by step. */
export interface Explanation<P = Image> {
  readonly patches: P;
  readonly groups: P;
  readonly groupsUsed: number;
  /** The view that a segment is nearest to: its picture, its grid, and its row and column in it. */
  readonly view: P;
  readonly place: { readonly grid: number; readonly row: number; readonly col: number };
  /** The name of that segment, and of all. */
  readonly name: string;
  readonly names: readonly string[];
}

export interface ExplainOptions {
  readonly scene: Scene;
  /** Of the student, for the scene. */
  readonly output: StudentOutput;
  readonly config: ZeroSegConfig;
  readonly teacher: ClipVision;
  readonly vocabulary: Vocabulary;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
}

const GRIDS: readonly number[] = [2, 3, 4];
const VIEWS = GRIDS.reduce((sum, k) => sum + k * k, 0);

/** What a student does with one scene, from its patches to its names. */
export async function explain(device: Device, options: ExplainOptions): Promise<Explanation> {
  const { scene, output, vocabulary, scoring, config } = options;
  const { rows, cols } = output.grid;
  const patches = rows * cols;
  using teacher = await Teacher.create(device, options.teacher, { batch: VIEWS });
  const features = await teacher.features(teacherViews(scene.image, { grids: GRIDS, ...teacher.pixels }));
  const { segmentOf } = groupUse(output);
  const patchLabels = studentLabels(
    { ...output, grid: { ...output.grid, height: rows, width: cols } },
    vocabulary,
    scoring,
  );
  const nearest = nearestViews(output.segments, features, output.global.length);
  const segment = clearestSegment(scene, { segmentOf, nearest, patchLabels, grid: output.grid, patch: config.patch });
  const view = nearest[segment] as number;
  const nameOf = (label: number): string => vocabulary.names[label - 1] as string;
  const [groups] = output.softMaps;
  const groupOf = Array.from({ length: patches }, (_, p) =>
    argmax(Float32Array.from({ length: output.groups }, (_, g) => groups[g * patches + p]!)),
  );
  const hidden = hiddenPatches(patches, config);
  return {
    patches: patchPicture(scene.image, config.patch, (at) => hidden.has(at)),
    groups: segmentPicture(scene.image, groups, rows, cols),
    groupsUsed: new Set(groupOf).size,
    view: viewPicture(scene.image, gridBoxes(scene.image.width, GRIDS)[view]!),
    place: placeOf(view),
    name: nameOf(patchLabels[segmentOf.indexOf(segment)]!),
    names: classFractions(patchLabels).map(({ label }) => nameOf(label)),
  };
}

/** As many patches as training hides of so many. */
function hiddenPatches(patches: number, config: ZeroSegConfig): Set<number> {
  const kept = Math.round((patches * keptPatches(config)) / (config.image / config.patch) ** 2);
  return new Set(permutation(patches, random(1, 'hidden patches')).subarray(kept));
}

/** The segment that makes clearest what a nearest view is: it lies in it, and shows an object whose name it got. */
function clearestSegment(
  { labels, objects }: Scene,
  {
    segmentOf,
    nearest,
    patchLabels,
    grid,
    patch,
  }: {
    readonly segmentOf: Uint32Array;
    readonly nearest: readonly number[];
    readonly patchLabels: Uint16Array;
    readonly grid: StudentOutput['grid'];
    readonly patch: number;
  },
): number {
  const boxes = gridBoxes(labels.width, GRIDS);
  const counts = new Map<number, { patches: number; inside: number; objects: number }>();
  segmentOf.forEach((segment, at) => {
    const [x, y] = [((at % grid.cols) + 0.5) * patch, (Math.floor(at / grid.cols) + 0.5) * patch];
    const [left, top, right, bottom] = boxes[nearest[segment]!]!;
    const label = labels.data[Math.floor(y) * labels.width + Math.floor(x)]!;
    const count = counts.get(segment) ?? { patches: 0, inside: 0, objects: 0 };
    counts.set(segment, count);
    count.patches++;
    if (x >= left && x < right && y >= top && y < bottom) count.inside++;
    if (patchLabels[at] === label && objects.some((object) => object.label === label)) count.objects++;
  });
  const clarity = ([, { patches, inside, objects: own }]: [
    number,
    { patches: number; inside: number; objects: number },
  ]) => inside / patches + (0.5 * own) / patches;
  return [...counts].reduce((best, one) => (clarity(one) > clarity(best) ? one : best))[0];
}

/** Grid, row and column of a view, counted from 1. */
function placeOf(view: number): Explanation['place'] {
  let cell = view;
  for (const grid of GRIDS) {
    if (cell < grid * grid) return { grid, row: Math.floor(cell / grid) + 1, col: (cell % grid) + 1 };
    cell -= grid * grid;
  }
  throw new Error(`internal: there is no view ${view}`);
}
