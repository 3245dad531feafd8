/// <reference lib="esnext.disposable" preserve="true" />
/** What the demo's report shows: pictures of a few unseen scenes and of a photograph, as the students see them. */

import type { Device } from '../../gpu/index.ts';
import type { ClipVision, Vocabulary } from '../clip/index.ts';
import { classFractions, type Lettering, nameColours } from '../drawing/index.ts';
import { argmax, type WorkOptions } from '../host/index.ts';
import type { Colour, Image, LabelMap } from '../image/index.ts';
import { type ScoringOptions, Segmenter } from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { Scene, SceneMaker } from '../scenes/index.ts';
import { groupUse, SceneStudent, type StudentOutput, studentLabels } from '../studies/index.ts';
import { type Explanation, explain } from './explain.ts';
import { type NamesFound, namesFound } from './names-found.ts';
import { enlargement, namedPicture, photoPicture, rightWrongPicture, segmentPicture } from './pictures.ts';
import type { Measurement } from './watched-scenes.ts';

/** The students of a demo: one that was trained long, and maybe one of minutes, with what that was before. */
export interface DemoStudents {
  readonly shipped: ZeroSeg;
  readonly fresh?: ZeroSeg | undefined;
  readonly start?: ZeroSeg | undefined;
}

export type StudentName = keyof DemoStudents;

/** A name in a picture. */
export interface ShownName {
  readonly name: string;
  readonly colour: Colour;
  /** Fraction of pixels that have it. */
  readonly fraction: number;
  /** Found, or there and not well enough; `extra` is not there, and undefined is not known. */
  readonly state: 'found' | 'missed' | 'extra' | undefined;
}

/** A student's output for a scene. */
export interface ShownOutput<P = Image> {
  readonly segments: P;
  readonly named: P;
  readonly rightWrong: P;
  /** Names that pixels got, most first. */
  readonly names: readonly ShownName[];
  /** Names that are there, largest first. */
  readonly truth: readonly ShownName[];
  /** Kinds of objects and of ground: found, and there. */
  readonly objects: Found;
  readonly grounds: Found;
  /** Segments that have a patch. */
  readonly used: number;
}

export interface Found {
  readonly found: number;
  readonly there: number;
}

export interface ShownScene<P = Image> {
  readonly caption: string;
  readonly picture: P;
  /** The true labels. */
  readonly exact: P;
  readonly outputs: { readonly shipped: ShownOutput<P> } & Readonly<Partial<Record<StudentName, ShownOutput<P>>>>;
}

export interface ShownPhoto<P = Image> {
  readonly name: string;
  readonly picture: P;
  readonly segments: P;
  readonly named: P;
  readonly names: readonly ShownName[];
}

/** A scene while the fresh student learnt. */
export interface Film<P = Image> {
  readonly picture: P;
  readonly frames: readonly { readonly step: number; readonly segments: P; readonly named: P }[];
}

/** What a report shows, with pictures of type `P`: images, or what they are encoded as. */
export interface Findings<P = Image> {
  /** The clearest of so many scenes, and how it came about. */
  readonly hero: ShownScene<P>;
  readonly searched: number;
  readonly explained: Explanation<P>;
  /** The first ones, good or bad. */
  readonly scenes: readonly ShownScene<P>[];
  readonly photo: ShownPhoto<P> | undefined;
  readonly film: Film<P> | undefined;
}

export interface FindingsOptions extends WorkOptions<never> {
  /** Makes the scenes that are shown. */
  readonly scenes: SceneMaker;
  /** Words for its names, in their order: the names themselves, or synonyms. */
  readonly vocabulary: Vocabulary;
  readonly seed: number;
  /** How many scenes are shown, and of how many the clearest is chosen. */
  readonly shown: number;
  readonly searched: number;
  readonly students: DemoStudents;
  readonly teacher: ClipVision;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
  readonly photo?: { readonly name: string; readonly image: Image } | undefined;
  /** What was measured of the fresh student in training, on its own scene with its own vocabulary. */
  readonly film?:
    | { readonly scene: Scene; readonly measurements: readonly Measurement[]; readonly vocabulary: Vocabulary }
    | undefined;
  readonly lettering: Lettering;
}

/** Frames of the film: first, last and some between. */
const FRAMES = 6;

/** Runs the students on the first scenes of a seed, and the shipped one on a photograph; everything is drawn, nothing encoded. */
export async function demoFindings(device: Device, options: FindingsOptions): Promise<Findings> {
  const { scenes: maker, seed, students, shown, searched, signal } = options;
  const scenes = Array.from({ length: Math.max(shown, searched) }, (_, i) => maker.scene(seed, i));
  const kinds = (['shipped', 'fresh', 'start'] as const).filter((kind) => students[kind]);
  const seen: Partial<Record<StudentName, Seen>>[] = scenes.map(() => ({}));
  for (const kind of kinds) {
    using student = await SceneStudent.create(device, students[kind] as ZeroSeg, maker.options.size);
    for (const [i, scene] of scenes.entries()) {
      if (kind !== 'shipped' && i >= shown) continue;
      signal?.throwIfAborted();
      (seen[i] as Partial<Record<StudentName, Seen>>)[kind] = see(scene, await student.predict(scene.image), options);
    }
  }
  const views = seen.slice(0, searched).map(({ shipped }) => (shipped as Seen).found);
  const best = clearest(views, maker.objectCount);
  const { shipped } = seen[best] as { readonly shipped: Seen };
  const explained = await explain(device, {
    ...options,
    scene: scenes[best] as Scene,
    output: shipped.output,
    config: students.shipped.config,
  });
  return {
    hero: showScene(scenes[best] as Scene, { shipped }, options),
    searched,
    explained,
    scenes: scenes.slice(0, shown).map((scene, i) => showScene(scene, seen[i] as Views, options)),
    photo: options.photo && (await showPhoto(device, options, options.photo)),
    film: showFilm(options),
  };
}

/** What a student made of a scene. */
interface Seen {
  readonly output: StudentOutput;
  readonly labels: LabelMap;
  readonly found: NamesFound;
}

type Views = { readonly shipped: Seen } & Readonly<Partial<Record<StudentName, Seen>>>;

function see({ labels: truth }: Scene, output: StudentOutput, { vocabulary, scoring }: FindingsOptions): Seen {
  const labels = labelsAt(output, vocabulary, scoring, 1);
  return { output, labels, found: namesFound(labels.data, truth.data) };
}

/** The clearest scene: everything is found, its areas agree, and there are several objects rather than one. */
function clearest(scenes: readonly NamesFound[], objectCount: number): number {
  return argmax(
    Float64Array.from(scenes, ({ there, extra }) => {
      const mean = there.reduce((sum, { iou }) => sum + iou, 0) / Math.max(1, there.length);
      const objects = there.filter(({ label, isFound }) => isFound && label <= objectCount).length;
      const missed = there.filter(({ isFound }) => !isFound).length;
      return mean + 0.2 * Math.min(3, objects) - 0.5 * missed - 0.3 * extra.length;
    }),
  );
}

function showScene(scene: Scene, views: Views, options: FindingsOptions): ShownScene {
  const { vocabulary, lettering } = options;
  const all = Object.entries(views) as [StudentName, Seen][];
  // One colour a name in all pictures of a scene; what is there comes first.
  const colours = coloursOf([scene.labels, ...all.map(([, { labels }]) => labels)], vocabulary);
  const names = [undefined, ...vocabulary.names];
  const outputs = all.map(([kind, view]) => [kind, showOutput(scene, view, colours, options)]);
  return {
    caption: scene.caption,
    picture: photoPicture(scene.image),
    exact: namedPicture(scene.image, scene.labels, names, colours, lettering),
    outputs: Object.fromEntries(outputs) as ShownScene['outputs'],
  };
}

function showOutput(
  { image, labels: truth }: Scene,
  { output, labels, found: { there, extra } }: Seen,
  colours: ReadonlyMap<number, Colour>,
  { vocabulary, scoring, lettering, scenes: maker }: FindingsOptions,
): ShownOutput {
  const states = new Map<number, NonNullable<ShownName['state']>>([
    ...there.map(({ label, isFound }) => [label, isFound ? 'found' : 'missed'] as const),
    ...extra.map(({ label }) => [label, 'extra'] as const),
  ]);
  const named = (map: LabelMap): ShownName[] =>
    classFractions(map.data).flatMap(({ label, fraction }) => {
      const state = states.get(label);
      const name = vocabulary.names[label - 1];
      return name === undefined || !state ? [] : [{ name, fraction, state, colour: colours.get(label) as Colour }];
    });
  const count = (isCounted: (label: number) => boolean): Found => {
    const those = there.filter(({ label }) => isCounted(label));
    return { found: those.filter(({ isFound }) => isFound).length, there: those.length };
  };
  const large = labelsAt(output, vocabulary, scoring, enlargement(image));
  return {
    segments: segmentPicture(image, output.rollout, output.grid.rows, output.grid.cols),
    named: namedPicture(image, large, [undefined, ...vocabulary.names], colours, lettering),
    rightWrong: rightWrongPicture(image, labels, truth),
    names: named(labels),
    truth: named(truth),
    objects: count((label) => label <= maker.objectCount),
    grounds: count((label) => label > maker.objectCount),
    used: groupUse(output).used,
  };
}

async function showPhoto(
  device: Device,
  { students, vocabulary, scoring, lettering }: FindingsOptions,
  { name, image }: { readonly name: string; readonly image: Image },
): Promise<ShownPhoto> {
  using segmenter = new Segmenter(device, students.shipped);
  const result = await segmenter.segment(image, vocabulary, { ...scoring, mode: 'whole' });
  const { width, height } = result.resized;
  const segments = oneHot(Uint8Array.from(result.windows[0]?.segmentOf ?? new Uint8Array(width * height)));
  const colours = coloursOf([result.labels], vocabulary);
  return {
    name,
    picture: photoPicture(image),
    segments: segmentPicture(image, segments, height, width),
    named: namedPicture(image, result.labels, [undefined, ...vocabulary.names], colours, lettering),
    names: classFractions(result.labels.data).map(({ label, fraction }) => ({
      name: vocabulary.names[label - 1] as string,
      colour: colours.get(label) as Colour,
      fraction,
      state: undefined,
    })),
  };
}

function showFilm({ film, scoring, lettering }: FindingsOptions): Film | undefined {
  if (!film) return undefined;
  const { image } = film.scene;
  const frames = evenly(film.measurements, FRAMES);
  const maps = frames.map(({ output }) => labelsAt(output, film.vocabulary, scoring, enlargement(image)));
  const colours = coloursOf([film.scene.labels, ...[...maps].reverse()], film.vocabulary);
  return {
    picture: photoPicture(image),
    frames: frames.map(({ step, output }, i) => ({
      step,
      segments: segmentPicture(image, output.rollout, output.grid.rows, output.grid.cols),
      named: namedPicture(image, maps[i] as LabelMap, [undefined, ...film.vocabulary.names], colours, lettering),
    })),
  };
}

/** A student's labels, 1 + the index of a name, at so many times the size of the image. */
export function labelsAt(
  output: StudentOutput,
  vocabulary: Vocabulary,
  scoring: Omit<ScoringOptions, 'scale'>,
  factor: number,
): LabelMap {
  const grid = { ...output.grid, height: output.grid.height * factor, width: output.grid.width * factor };
  return { width: grid.width, height: grid.height, data: studentLabels({ ...output, grid }, vocabulary, scoring) };
}

/** Colours of the labels that occur in maps, those of the first maps first. */
function coloursOf(maps: readonly LabelMap[], { names }: Vocabulary): Map<number, Colour> {
  const labels = [...new Set(maps.flatMap(({ data }) => classFractions(data).map(({ label }) => label)))];
  const named = labels.filter((label) => label > 0);
  const colours = nameColours(named.map((label) => names[label - 1] as string));
  return new Map(named.map((label, i) => [label, colours[i] as Colour]));
}

/** At most `max` of a list: its first, its last, and some between. */
function evenly<T>(list: readonly T[], max: number): T[] {
  const count = Math.min(max, list.length);
  const at = new Set(
    Array.from({ length: count }, (_, i) => Math.round((i * (list.length - 1)) / Math.max(1, count - 1))),
  );
  return [...at].map((i) => list[i] as T);
}

/** A map of numbers as one map a number, 1 where it is. */
function oneHot(numbers: Uint8Array): Float32Array {
  const count = numbers.reduce((max, value) => Math.max(max, value), 0) + 1;
  const maps = new Float32Array(count * numbers.length);
  numbers.forEach((value, at) => {
    maps[value * numbers.length + at] = 1;
  });
  return maps;
}
