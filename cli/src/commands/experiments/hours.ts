/** Table 8: what a whole training takes, from the time of a few photos on this device. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Device, random } from '@zeroseg/core';
import { median, PooledRegions, rounded } from '@zeroseg/core/internal';
import { freeParameters, newWeights } from '@zeroseg/core/nn';
import {
  type ClipSource,
  type ResolvedTraining,
  Teacher,
  Trainer,
  type TrainingData,
  viewCount,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { makeFolder, nodeFileSystem, readJson, recordText, refuseLinks } from '../../files/index.ts';
import { type ResultRow, trainingHours, writeResultPage } from '../../reports/index.ts';
import {
  type Context,
  commandText,
  count,
  formatDuration,
  Progress,
  resolveOptions,
  UsageError,
  version,
  withDevice,
} from '../../shell/index.ts';
import { openClip } from '../../weights/index.ts';

export interface HoursArguments {
  readonly out: string;
  readonly clip: string;
  readonly config: string;
  readonly set?: readonly string[];
  /** Photos of the training that is asked about. */
  readonly images: number;
  readonly quick?: boolean;
  readonly plan?: boolean;
  readonly adapter?: string;
}

/** Seconds, as they are kept: what is missing was not measured yet. */
interface Measured {
  readonly format: typeof FORMAT;
  readonly device: string;
  readonly version: string;
  /** Of a photo: 30 crops, or one pass and its patches pooled. */
  readonly crops?: number;
  readonly pooled?: number;
  /** Of an image in a step of training. */
  readonly student?: number;
}

type Part = 'crops' | 'pooled' | 'student';
const parts: readonly Part[] = ['crops', 'pooled', 'student'];

const FORMAT = 'zeroseg-hours-1';
/** Timed runs, after one that makes the GPU's programs. */
const RUNS = 3;
/** Passes of a step at most: with more the optimizer's share, which is small, would be smaller still. */
const PASSES = 4;
/** The paper's grids. */
const GRIDS = [1, 2, 3, 4];
/** The dense pass looks at a square of twice a view's side. */
const DENSE = 2;

const titles: Readonly<Record<Part, (views: number) => string>> = {
  crops: (views) => `teacher, ${views} crops of each photo`,
  pooled: () => 'teacher, one pass of each photo and its patches pooled',
  student: () => 'student',
};

/** What is measured, and of what training. */
interface Question {
  readonly clip: ClipSource;
  readonly base: ResolvedTraining;
  readonly views: number;
}

/** `zeroseg experiment table8`. */
export async function experimentHours(context: Context, options: HoursArguments): Promise<void> {
  const { terminal } = context;
  const { out, images } = options;
  const clip = await openClip(options.clip);
  const key = { dim: clip.config.projection, grids: GRIDS, teacher: clip.name };
  const { config, set } = options;
  const base = await resolveOptions({ config, ...(set && { set }) }, { folder: out, length: images, key });
  const question: Question = { clip, base, views: viewCount(base.config.grids) };
  const { epochs, batch, micro } = base.settings;
  // What the time of a photo hangs on; how many photos and epochs there are, does not matter.
  const asked = [options.clip, clip.config, base.config, { ...base.settings, epochs: 0, warmup: 0, seed: 0 }];
  const hash = createHash('sha256').update(JSON.stringify(asked)).digest('hex').slice(0, 12);
  const about = `teacher ${options.clip}, student '${base.preset}', ${count(images, 'photos')}, ${epochs} epochs in batches of ${batch}`;
  if (options.plan) {
    terminal.out(
      `${about}; on every device that is measured: ${RUNS + 1} times ${question.views} views, and one dense pass;`,
    );
    terminal.out(
      `${RUNS + 1} steps of ${passesOf(base)} times ${count(micro, 'images')}. Nothing but a small file is written; no photo is read`,
    );
    return;
  }
  const files = nodeFileSystem(out);
  const lock = await files.lock('experiment');
  try {
    await refuseLinks(out, 'results', 'table8.md', 'table8.html', 'table8.json');
    await makeFolder(join(out, 'results'));
    await withDevice(context, options.adapter, async (device, { abortSignal }) => {
      terminal.log(`${about}, on ${device.name}`);
      const own = createHash('sha256').update(device.name).digest('hex').slice(0, 8);
      const path = `results/hours-${hash}-${own}.json`;
      let measured: Measured = (await readMeasured(join(out, path))) ?? {
        format: FORMAT,
        device: device.name,
        version,
      };
      const missing = parts.filter((part) => measured[part] === undefined);
      const progress = new Progress(terminal, 'measuring', missing.length, 'times');
      try {
        for (const [i, part] of missing.entries()) {
          abortSignal.throwIfAborted();
          measured = { ...measured, [part]: await measure[part](device, question, abortSignal) };
          await files.write(path, recordText(measured));
          progress.at(i + 1, titles[part](question.views));
        }
      } finally {
        progress.stop();
      }
    });
    // Also of other devices, whose files were put beside it.
    const found: Measured[] = [];
    for (const name of await files.folder('results').list()) {
      if (!name.startsWith(`hours-${hash}-`)) continue;
      const one = await readMeasured(join(out, 'results', name));
      if (one) found.push(one);
    }
    const command = commandText('experiment table8', {
      ...{ out, clip: options.clip, config, set, images },
    });
    const rows: ResultRow[] = trainingHours.map((row) => ({
      cells: [row.method, row.device, '', '', String(row.hours), row.source],
      isMeasured: false,
    }));
    for (const one of found) rows.push(...rowsOf(one, question, images));
    const written = await writeResultPage(files, 'table8', {
      title: 'Table 8: hours of training',
      question: 'What does a whole training take, the pass of the teacher included?',
      head: ['what', 'device', 'seconds for 1,000 images', 'images', 'hours', 'source'],
      rows,
      notes: [
        `Of: ${about}. Times are medians of ${RUNS} runs on random pixels by the wall clock; hours are these by the number of images. Reading and decoding of photos goes on meanwhile and is not counted.`,
        'Only the configuration base with a ViT-L/14 as teacher is the paper’s training: rows of other sizes say what theirs takes, and are not to be held against the published ones.',
        `Measured on another device with the same options, the files of results/ may be put beside these: the same command shows them all. By version ${version}.`,
      ],
      command,
      json: rounded({
        format: 'zeroseg-table8-1',
        version,
        command,
        images,
        epochs,
        views: question.views,
        teacher: options.clip,
        published: trainingHours,
        measured: found.map((one) => ({ ...one, hours: hoursOf(one, question, images) })),
      }),
    });
    for (const line of written.lines) terminal.out(line);
    for (const file of written.files) terminal.out(file);
  } finally {
    await lock.release();
  }
}

function passesOf({ settings }: ResolvedTraining): number {
  return Math.min(PASSES, settings.batch / settings.micro);
}

/** Hours of each part of the whole training. */
function hoursOf(measured: Measured, { base }: Question, images: number): Readonly<Record<Part, number | null>> {
  const times: Readonly<Record<Part, number>> = {
    crops: images,
    pooled: images,
    student: images * base.settings.epochs,
  };
  const hours = (part: Part) => {
    const seconds = measured[part];
    return seconds === undefined ? null : (seconds * times[part]) / 3600;
  };
  return { crops: hours('crops'), pooled: hours('pooled'), student: hours('student') };
}

function rowsOf(measured: Measured, question: Question, images: number): ResultRow[] {
  const { device } = measured;
  const hours = hoursOf(measured, question, images);
  const { epochs } = question.base.settings;
  const row = (what: string, seconds: string, seen: number | null, total: number | null): ResultRow => ({
    cells: [
      what,
      device,
      seconds,
      seen === null ? '' : Math.round(seen).toLocaleString('en'),
      total === null ? '–' : shownHours(total),
      'measured, extrapolated',
    ],
    isMeasured: true,
  });
  const both = (teacher: number | null) =>
    teacher === null || hours.student === null ? null : teacher + hours.student;
  return [
    ...parts.map((part) => {
      const seen = part === 'student' ? images * epochs : images;
      const seconds = measured[part];
      return row(titles[part](question.views), seconds === undefined ? '–' : shown(1000 * seconds), seen, hours[part]);
    }),
    row('both, by crops', '', null, both(hours.crops)),
    row('both, pooled', '', null, both(hours.pooled)),
  ];
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

function shownHours(hours: number): string {
  return hours < 1 ? `${shown(hours)} (${formatDuration(hours * 3600)})` : shown(hours);
}

const measure: Readonly<Record<Part, (device: Device, question: Question, signal: AbortSignal) => Promise<number>>> = {
  async crops(device, { clip, views }, signal) {
    const vision = await clip.vision(device);
    try {
      using teacher = await Teacher.create(device, vision, { batch: views });
      const pixels = noise(views * 3 * teacher.size ** 2);
      return await medianSeconds(signal, async () => void (await teacher.features(pixels)));
    } finally {
      freeParameters(vision);
    }
  },
  async pooled(device, { clip, base }, signal) {
    const vision = await clip.vision(device);
    try {
      const { image } = vision.config.vision;
      using regions = await PooledRegions.create(device, vision, {
        ...{ grids: base.config.grids, viewSource: 'native', studentSize: base.config.image, mode: 'maskclip' },
        size: DENSE * image,
      });
      const side = DENSE * image;
      const data = Uint8Array.from(noise(3 * side * side), (value) => 128 + 100 * value);
      return await medianSeconds(
        signal,
        async () => void (await regions.features({ width: side, height: side, data })),
      );
    } finally {
      freeParameters(vision);
    }
  },
  async student(device, { base, views }, signal) {
    const { config, settings } = base;
    const passes = passesOf(base);
    const batch = passes * settings.micro;
    const [pixels, features] = [3 * config.image ** 2, views * config.clip_dim];
    const data: TrainingData = {
      length: batch,
      batch: async (numbers) => ({
        images: noise(numbers.length * pixels),
        views: noise(numbers.length * features),
      }),
    };
    const model = new ZeroSeg(newWeights(device, 0), config);
    try {
      using trainer = await Trainer.create(
        device,
        model,
        data,
        { ...settings, batch, epochs: RUNS + 1, warmup: 0 },
        { statisticsEvery: 0 },
      );
      const steps = trainer.run();
      return (await medianSeconds(signal, async () => void (await steps.next()))) / batch;
    } finally {
      freeParameters(model);
    }
  },
};

async function medianSeconds(signal: AbortSignal, work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    signal.throwIfAborted();
    const began = performance.now();
    await work();
    if (run > 0) times.push((performance.now() - began) / 1000);
  }
  return median(times);
}

/** Numbers between -1 and 1. */
function noise(length: number): Float32Array {
  const uniform = random(1, 'pixels');
  return Float32Array.from({ length }, () => 2 * uniform() - 1);
}

async function readMeasured(path: string): Promise<Measured | undefined> {
  const found = (await readJson(path).catch(() => undefined)) as Partial<Measured> | undefined;
  if (found === undefined) return undefined;
  const isTime = (value: unknown) => value === undefined || (typeof value === 'number' && value > 0);
  const isWhole =
    found.format === FORMAT && typeof found.device === 'string' && parts.every((part) => isTime(found[part]));
  if (!isWhole)
    throw new UsageError(`experiment: ${path} is no file of measured times; take it away, and they are measured again`);
  return found as Measured;
}
