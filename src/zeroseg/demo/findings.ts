/// <reference lib="esnext.disposable" preserve="true" />
/** What the demo's report shows: pictures of a few unseen scenes and of a photograph, as the students see them. */
import type { Device } from '../../gpu/index.ts';
import type { ClipVision, Vocabulary } from '../clip/index.ts';
import { classShares, type Lettering } from '../drawing/index.ts';
import type { WorkOptions } from '../host/index.ts';
import { type Colour, type Image, type LabelMap, nameColour } from '../image/index.ts';
import { type ScoringOptions, Segmenter } from '../inference/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { Scene, SceneMaker } from '../scenes/index.ts';
import { groupUse, SceneStudent, type StudentOutput } from '../studies/index.ts';
import { type Explanation, explain } from './explain.ts';
import type { Measurement } from './live-training.ts';
import { labelsAt, type NameLabels, nameLabels } from './name-labels.ts';
import { enlargement, namedPicture, photoPicture, segmentPicture } from './pictures.ts';

/** The students of a demo. */
export interface DemoStudents {
  readonly shipped: ZeroSeg;
  readonly fresh: ZeroSeg;
  /** As the fresh one was before its training. */
  readonly start: ZeroSeg;
}

/** Pictures of a student's output for a scene. */
export interface ShownOutput<P = Image> {
  readonly segments: P;
  readonly named: P;
  /** Fraction of pixels that are named right; undefined where it was not asked for all names. */
  readonly accuracy: number | undefined;
  /** Segments that have a patch. */
  readonly used: number;
}

/** A name and the fraction of pixels that have it. */
export interface NameShare {
  readonly name: string;
  readonly share: number;
}

export interface ShownScene<P = Image> {
  readonly caption: string;
  readonly picture: P;
  /** The true labels. */
  readonly exact: P;
  readonly outputs: Readonly<Record<keyof DemoStudents, ShownOutput<P>>>;
  /** What the shipped student found, most pixels first. */
  readonly found: readonly NameShare[];
}

export interface ShownPhoto<P = Image> {
  readonly name: string;
  readonly picture: P;
  readonly segments: P;
  readonly named: P;
  readonly found: readonly NameShare[];
}

/** What a report shows, with pictures of type `P`: images, or what they are encoded as. */
export interface Findings<P = Image> {
  readonly scenes: readonly ShownScene<P>[];
  readonly explained: Explanation<P>;
  readonly photo: ShownPhoto<P>;
  /** Colours of the names that occur in pictures of scenes, most frequent first. */
  readonly legend: readonly { readonly name: string; readonly colour: Colour }[];
  /** A scene while the fresh student learnt. */
  readonly film: {
    readonly picture: P;
    readonly frames: readonly { readonly step: number; readonly segments: P; readonly named: P }[];
  };
}

export interface FindingsOptions extends WorkOptions<never> {
  readonly scenes: SceneMaker;
  readonly seed: number;
  /** How many scenes are shown. */
  readonly shown: number;
  readonly students: DemoStudents;
  readonly teacher: ClipVision;
  readonly vocabulary: Vocabulary;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
  readonly photo: { readonly name: string; readonly image: Image };
  readonly film: { readonly scene: Scene; readonly measurements: readonly Measurement[] };
  readonly lettering: Lettering;
}

/** Frames of the film: first, last and some between. */
const FRAMES = 6;

const kinds: readonly (keyof DemoStudents)[] = ['shipped', 'fresh', 'start'];

/** What all pictures of names share. */
interface Drawing extends Pick<FindingsOptions, 'vocabulary' | 'scoring' | 'lettering'> {
  readonly labels: NameLabels;
}

/** Runs the students on the first scenes of a seed, and the shipped one on a photograph; everything is drawn, nothing encoded. */
export async function demoFindings(device: Device, options: FindingsOptions): Promise<Findings> {
  const { scenes: maker, seed, students, vocabulary, scoring, film, signal } = options;
  const labels = nameLabels(maker, vocabulary.names);
  const drawing: Drawing = { vocabulary, scoring, lettering: options.lettering, labels };
  const scenes = Array.from({ length: options.shown }, (_, i) => maker.scene(seed, i));
  const outputs = {} as Record<keyof DemoStudents, StudentOutput[]>;
  for (const kind of kinds) {
    signal?.throwIfAborted();
    using student = await SceneStudent.create(device, students[kind], maker.options.size);
    outputs[kind] = [];
    for (const { image } of scenes) outputs[kind].push(await student.predict(image));
  }
  const isAll = vocabulary.names.join() === maker.names.join();
  const shown = scenes.map((scene, i): ShownScene => {
    const show = (kind: keyof DemoStudents) => showOutput(scene, outputs[kind][i] as StudentOutput, drawing, isAll);
    return {
      caption: scene.caption,
      picture: photoPicture(scene.image),
      exact: namedPicture(scene.image, scene.labels, labels.names, options.lettering, 0.8),
      outputs: { shipped: show('shipped'), fresh: show('fresh'), start: show('start') },
      found: namesIn(labelsAt(outputs.shipped[i] as StudentOutput, vocabulary, scoring, 1), vocabulary),
    };
  });
  const photo = await showPhoto(device, options, drawing);
  signal?.throwIfAborted();
  const explained = await explain(device, {
    scenes,
    outputs: outputs.shipped,
    config: students.shipped.config,
    teacher: options.teacher,
    vocabulary,
    scoring,
    labels,
  });
  return {
    scenes: shown,
    explained,
    photo,
    legend: legendOf(scenes, [...outputs.shipped, ...outputs.fresh], drawing),
    film: {
      picture: photoPicture(film.scene.image),
      frames: evenly(film.measurements, FRAMES).map(({ step, output }) => {
        const { segments, named } = drawOutput(film.scene, output, drawing);
        return { step, segments, named };
      }),
    },
  };
}

function drawOutput({ image }: Scene, output: StudentOutput, drawing: Drawing): { segments: Image; named: Image } {
  const { vocabulary, scoring, lettering, labels } = drawing;
  const large = labelsAt(output, vocabulary, scoring, enlargement(image));
  return {
    segments: segmentPicture(image, output.rollout, output.grid.rows, output.grid.cols),
    named: namedPicture(image, relabelled(large, labels), labels.names, lettering),
  };
}

function showOutput(scene: Scene, output: StudentOutput, drawing: Drawing, isAll: boolean): ShownOutput {
  const { data } = labelsAt(output, drawing.vocabulary, drawing.scoring, 1);
  return {
    ...drawOutput(scene, output, drawing),
    accuracy: isAll ? fractionEqual(data, scene.labels.data) : undefined,
    used: groupUse(output).used,
  };
}

async function showPhoto(
  device: Device,
  { students, photo: { name, image } }: FindingsOptions,
  { vocabulary, scoring, lettering, labels }: Drawing,
): Promise<ShownPhoto> {
  using segmenter = new Segmenter(device, students.shipped);
  const result = await segmenter.segment(image, vocabulary, { ...scoring, mode: 'whole' });
  const { width, height } = result.resized;
  const segments = oneHot(result.windows[0]?.segmentOf ?? new Uint8Array(width * height));
  return {
    name,
    picture: photoPicture(image),
    segments: segmentPicture(image, segments, height, width),
    named: namedPicture(image, relabelled(result.labels, labels), labels.names, lettering),
    found: namesIn(result.labels, vocabulary),
  };
}

/** Names that have at least a thousandth of all pixels, true and found, with their colours. */
function legendOf(
  scenes: readonly Scene[],
  outputs: readonly StudentOutput[],
  { vocabulary, scoring, labels }: Drawing,
): Findings['legend'] {
  const occurring: number[] = [];
  for (const output of outputs) {
    for (const label of labelsAt(output, vocabulary, scoring, 1).data) occurring.push(labels.labelOf[label - 1]!);
  }
  for (const scene of scenes) for (const label of scene.labels.data) occurring.push(label);
  return classShares(occurring).flatMap(({ label, share }) => {
    const name = labels.names[label];
    return name !== undefined && share >= 0.001 ? [{ name, colour: nameColour(label) }] : [];
  });
}

function namesIn({ data }: LabelMap, { names }: Vocabulary): NameShare[] {
  return classShares(data).map(({ label, share }) => ({ name: names[label - 1] as string, share }));
}

/** Labels of the vocabulary as labels of the pictures. */
function relabelled(map: LabelMap, { labelOf }: NameLabels): LabelMap {
  return { ...map, data: Uint16Array.from(map.data, (label) => labelOf[label - 1]!) };
}

/** At most `max` of a list: its first, its last, and some between. */
function evenly<T>(list: readonly T[], max: number): T[] {
  const count = Math.min(max, list.length);
  const at = new Set(
    Array.from({ length: count }, (_, i) => Math.round((i * (list.length - 1)) / Math.max(1, count - 1))),
  );
  return [...at].map((i) => list[i] as T);
}

function fractionEqual(labels: ArrayLike<number>, exact: ArrayLike<number>): number {
  let right = 0;
  for (let i = 0; i < exact.length; i++) if (labels[i] === exact[i]) right++;
  return right / exact.length;
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
