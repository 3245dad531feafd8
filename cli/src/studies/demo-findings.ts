/** What the report of the demo shows: pictures of a few unseen scenes and a photograph, as the students see them. */
import type { Device } from '@zeroseg/core';
import { indexOfMaximum, nearestViews } from '@zeroseg/core/internal';
import { permutation, random } from '@zeroseg/core/nn';
import {
  type ClipVision,
  classShares,
  gridBoxes,
  groupUse,
  type Image,
  keptPatches,
  type LabelMap,
  type Scene,
  type SceneMaker,
  SceneStudent,
  type ScoringOptions,
  SegmentationScore,
  Segmenter,
  type StudentOutput,
  studentLabels,
  Teacher,
  teacherViews,
  type Vocabulary,
  type ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { formatShare } from '../shell/index.ts';
import {
  enlargement,
  nameColour,
  namedPicture,
  patchPicture,
  photoPicture,
  segmentPicture,
  viewPicture,
} from './demo-pictures.ts';
import type { Probe } from './demo-training.ts';

/** The students of a demo. */
export interface Students {
  readonly shipped: ZeroSeg;
  readonly fresh: ZeroSeg;
  /** As the fresh one was before its training. */
  readonly start: ZeroSeg;
}

/** Pictures of what a student makes of a scene. */
export interface Seen {
  readonly segments: string;
  readonly named: string;
  /** Share of pixels that are named right; undefined where it was not asked for all names. */
  readonly accuracy: number | undefined;
  readonly used: number;
}

/** A scene in the report. */
export interface ShownScene {
  readonly caption: string;
  readonly picture: string;
  readonly exact: string;
  readonly seen: Readonly<Record<keyof Students, Seen>>;
}

/** One scene, step by step. */
export interface Explained {
  /** Which of the scenes that are shown. */
  readonly index: number;
  readonly patches: string;
  readonly groups: string;
  readonly groupsUsed: number;
  /** A view that a segment is nearest to: its grid, and its row and column in it. */
  readonly view: string;
  readonly place: { readonly grid: number; readonly row: number; readonly col: number };
  /** The name of that segment, and of all. */
  readonly name: string;
  readonly names: readonly string[];
}

export interface Findings {
  readonly scenes: readonly ShownScene[];
  readonly explained: Explained;
  readonly photo: {
    readonly name: string;
    readonly picture: string;
    readonly segments: string;
    readonly named: string;
    readonly shares: readonly { readonly name: string; readonly share: number }[];
  };
  /** Colours of the names that occur in pictures of scenes, most frequent first. */
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
  /** For the terminal. */
  readonly lines: readonly string[];
  /** How the fresh student came to see a scene. */
  readonly film: {
    readonly picture: string;
    readonly frames: readonly { readonly step: number; readonly segments: string; readonly named: string }[];
  };
}

export interface FindingsOptions {
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly shown: number;
  readonly students: Students;
  readonly teacher: ClipVision;
  readonly words: Vocabulary;
  /** Whether the words are all names of the scenes, in their order. */
  readonly isAll: boolean;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
  readonly photo: { readonly name: string; readonly image: Image };
  readonly film: { readonly scene: Scene; readonly probes: readonly Probe[] };
}

/** Frames of the film: first, last and some between. */
const FRAMES = 6;

const order: readonly (keyof Students)[] = ['shipped', 'fresh', 'start'];

export async function demoFindings(device: Device, options: FindingsOptions): Promise<Findings> {
  const { scenes: maker, seed, shown, students, words, isAll, scoring, photo } = options;
  const palette = wordLabels(maker, words.names);
  const scenes = Array.from({ length: shown }, (_, i) => maker.scene(seed, i));
  const views = new Map<keyof Students, StudentOutput[]>();
  for (const key of order) {
    using student = await SceneStudent.create(device, students[key], maker.options.size);
    const seen: StudentOutput[] = [];
    for (const { image } of scenes) seen.push(await student.predict(image));
    views.set(key, seen);
  }

  const lines: string[] = [];
  const occurring: number[] = [];
  const rows: ShownScene[] = [];
  for (const [i, scene] of scenes.entries()) {
    const seen = {} as Record<keyof Students, Seen>;
    for (const key of order) {
      const view = views.get(key)?.[i] as StudentOutput;
      const labels = labelsAt(view, words, scoring, 1);
      const large = labelsAt(view, words, scoring, enlargement(scene.image));
      const own = { ...large, data: Uint16Array.from(large.data, (label) => palette.labelOf[label - 1]!) };
      if (key !== 'start') for (const label of labels.data) occurring.push(palette.labelOf[label - 1]!);
      seen[key] = {
        segments: await segmentPicture(scene.image, view.rollout, view.grid.rows, view.grid.cols),
        named: await namedPicture(scene.image, own, palette.names),
        accuracy: isAll ? shareRight(labels.data, scene.labels.data) : undefined,
        used: groupUse(view).used,
      };
    }
    for (const label of scene.labels.data) occurring.push(label);
    rows.push({
      caption: scene.caption,
      picture: await photoPicture(scene.image),
      exact: await namedPicture(scene.image, scene.labels, palette.names, 0.8),
      seen,
    });
    const labels = labelsAt(views.get('shipped')?.[i] as StudentOutput, words, scoring, 1);
    const found = classShares(labels.data).map(
      ({ label, share }) => `${words.names[label - 1]} ${formatShare(share, 0)}`,
    );
    lines.push(`${scene.caption}: ${found.slice(0, 4).join(', ')}`);
  }

  using segmenter = new Segmenter(device, students.shipped);
  const result = await segmenter.segment(photo.image, words, { ...scoring, mode: 'whole' });
  const [window] = result.windows;
  const { width, height } = result.resized;
  const shares = classShares(result.labels.data).map(({ label, share }) => ({ name: words.names[label - 1]!, share }));
  lines.push(
    `${photo.name}: ${shares
      .slice(0, 4)
      .map(({ name, share }) => `${name} ${formatShare(share, 0)}`)
      .join(', ')}`,
  );
  const segments = maskMaps(window?.segmentOf ?? new Uint8Array(width * height));
  const ownLabels = {
    ...result.labels,
    data: Uint16Array.from(result.labels.data, (label) => palette.labelOf[label - 1]!),
  };
  const { scene: filmed, probes } = options.film;
  const many = Math.min(FRAMES, probes.length);
  const chosen = new Set(
    Array.from({ length: many }, (_, i) => Math.round((i * (probes.length - 1)) / Math.max(1, many - 1))),
  );
  const frames = [...chosen].map(async (number) => {
    const { step, view } = probes[number] as Probe;
    const large = labelsAt(view, words, scoring, enlargement(filmed.image));
    const own = { ...large, data: Uint16Array.from(large.data, (label) => palette.labelOf[label - 1]!) };
    return {
      step,
      segments: await segmentPicture(filmed.image, view.rollout, view.grid.rows, view.grid.cols),
      named: await namedPicture(filmed.image, own, palette.names),
    };
  });
  return {
    film: { picture: await photoPicture(filmed.image), frames: await Promise.all(frames) },
    scenes: rows,
    explained: await explain(device, options, scenes, views.get('shipped') as StudentOutput[], palette),
    photo: {
      name: photo.name,
      picture: await photoPicture(photo.image),
      segments: await segmentPicture(photo.image, segments, height, width),
      named: await namedPicture(photo.image, ownLabels, palette.names),
      shares,
    },
    legend: classShares(occurring)
      .filter(({ label, share }) => palette.names[label] !== undefined && share >= 0.001)
      .map(({ label }) => ({ name: palette.names[label] as string, colour: `rgb(${nameColour(label).join(' ')})` })),
    lines,
  };
}

interface Palette {
  /** Names by label: those of the scenes, then words that are none of them. */
  readonly names: readonly (string | undefined)[];
  /** The label of each word. */
  readonly labelOf: readonly number[];
}

/** Words that name what scenes show have its colour. */
function wordLabels(maker: SceneMaker, words: readonly string[]): Palette {
  const names: (string | undefined)[] = [undefined, ...maker.names];
  const labelOf = words.map((word) => {
    const known = maker.names.indexOf(word);
    return known >= 0 ? known + 1 : names.push(word) - 1;
  });
  return { names, labelOf };
}

function labelsAt(
  view: StudentOutput,
  words: Vocabulary,
  scoring: Omit<ScoringOptions, 'scale'>,
  factor: number,
): LabelMap {
  const grid = { ...view.grid, height: view.grid.height * factor, width: view.grid.width * factor };
  return { width: grid.width, height: grid.height, data: studentLabels({ ...view, grid }, words, scoring) };
}

function shareRight(labels: ArrayLike<number>, exact: ArrayLike<number>): number {
  let right = 0;
  for (let i = 0; i < exact.length; i++) if (labels[i] === exact[i]) right++;
  return right / exact.length;
}

/** A map of numbers as one map a number, 1 where it is. */
function maskMaps(numbers: Uint8Array): Float32Array {
  const many = numbers.reduce((most, value) => Math.max(most, value), 0) + 1;
  const maps = new Float32Array(many * numbers.length);
  numbers.forEach((value, at) => {
    maps[value * numbers.length + at] = 1;
  });
  return maps;
}

/** The clearest of the scenes step by step: that with the largest mean IoU of its own. */
async function explain(
  device: Device,
  { teacher: vision, words, scoring, students }: FindingsOptions,
  scenes: readonly Scene[],
  views: readonly StudentOutput[],
  palette: Palette,
): Promise<Explained> {
  const clarity = scenes.map(({ labels }, i) => {
    const score = new SegmentationScore(palette.names.length, 0);
    const found = labelsAt(views[i] as StudentOutput, words, scoring, 1);
    score.add(
      Uint16Array.from(found.data, (label) => palette.labelOf[label - 1]!),
      labels.data,
    );
    return score.meanIou() ?? 0;
  });
  const index = indexOfMaximum(clarity);
  const [scene, view] = [scenes[index] as Scene, views[index] as StudentOutput];
  const { patch } = students.shipped.config;
  const { rows: down, cols } = view.grid;
  const kept = Math.round(
    (down * cols * keptPatches(students.shipped.config)) / (students.shipped.config.image / patch) ** 2,
  );
  const hidden = new Set(permutation(down * cols, random(1, 'hidden patches')).subarray(kept));
  using teacher = await Teacher.create(device, vision, { batch: VIEWS });
  const features = await teacher.features(teacherViews(scene.image, { grids: GRIDS, ...teacher.pixels }));
  const use = groupUse(view);
  const nearest = nearestViews(view.segments, features, view.global.length);
  // The segment that shows most of an object, by its patches; else the largest.
  const share = (s: number) => use.segmentOf.reduce((sum, segment, at) => sum + (segment === s ? weight(at) : 0), 0);
  const weight = (at: number): number => {
    const [x, y] = [((at % cols) + 0.5) * patch, (Math.floor(at / cols) + 0.5) * patch];
    const label = scene.labels.data[Math.floor(y) * scene.labels.width + Math.floor(x)]!;
    return scene.objects.some((object) => object.label === label) ? 1 : 0.05;
  };
  const segment = [...new Set(use.segmentOf)].reduce((best, s) => (share(s) > share(best) ? s : best));
  const number = nearest[segment]!;
  let [grid, cell] = [GRIDS[0]!, number];
  for (const k of GRIDS) {
    grid = k;
    if (cell < k * k) break;
    cell -= k * k;
  }
  const labels = studentLabels({ ...view, grid: { ...view.grid, height: down, width: cols } }, words, scoring);
  const patchOf = use.segmentOf.indexOf(segment);
  const [groups] = view.softMaps;
  const strongest = Array.from({ length: down * cols }, (_, p) => {
    let best = 0;
    for (let g = 1; g < view.groups; g++) if (groups[g * down * cols + p]! > groups[best * down * cols + p]!) best = g;
    return best;
  });
  return {
    index,
    patches: await patchPicture(scene.image, patch, (at) => hidden.has(at)),
    groups: await segmentPicture(scene.image, groups, down, cols),
    groupsUsed: new Set(strongest).size,
    view: await viewPicture(scene.image, gridBoxes(scene.image.width, GRIDS)[number]!),
    place: { grid, row: Math.floor(cell / grid) + 1, col: (cell % grid) + 1 },
    name: words.names[labels[patchOf]! - 1] as string,
    names: classShares(labels).map(({ label }) => words.names[label - 1] as string),
  };
}

const GRIDS: readonly number[] = [2, 3, 4];
const VIEWS = 29;
