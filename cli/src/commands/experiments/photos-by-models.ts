/** The same photos segmented by several models, as Table 2 and Figs. 4 to 6 need them. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { permutation, random } from '@zeroseg/core';
import { formatBytes } from '@zeroseg/core/internal';
import { listPhotos } from '../../photos/index.ts';
import { findPhotos, isRecord } from '../../segments/index.ts';
import {
  type Context,
  count,
  countIn,
  formatDuration,
  notesTerminal,
  openModelAndWords,
  quietTerminal,
  sentence,
  tellImagery,
  UsageError,
} from '../../shell/index.ts';
import { segmentCommand } from '../segment.ts';

export interface PhotosArguments {
  readonly out: string;
  readonly model?: readonly string[];
  readonly photos?: readonly string[];
  /** As `zeroseg segment --classes`. */
  readonly names: string;
  readonly clip?: string;
  readonly seed: number;
  readonly adapter?: string;
  /** More options of `zeroseg segment`. */
  readonly segmentOptions: readonly string[];
}

/** A model, and the folder of its results. */
export interface Side {
  readonly model: string;
  readonly folder: string;
}

/** Photos whose time a plan measures, beside a first one. */
const TIMED = 3;

/** @throws UsageError where there are not `models` of them, or no photos. */
export function checkPhotosArguments(name: string, { model = [], photos = [] }: PhotosArguments, models: number): void {
  if (model.length >= models && photos.length > 0) return;
  throw new UsageError(
    `experiment: ${name} needs ${models === 1 ? 'a --model' : `${models} times --model`} and --photos; such as --model built-in --model clip:built-in:crops --photos photos`,
  );
}

/** `count` photos, drawn by the seed: the `turn`-th such part of them all; in the order in which they lie. */
export async function drawPhotos(
  { photos = [], seed }: PhotosArguments,
  wanted: number,
  turn = 0,
): Promise<readonly string[]> {
  const found = (await findPhotos(photos)).map(({ path }) => path);
  const order = [...permutation(found.length, random(seed, 'photos of an experiment'))];
  const part = order.slice(turn * wanted, (turn + 1) * wanted);
  if (part.length === 0) {
    throw new UsageError(
      `experiment: --photos: ${count(found.length, 'photos')} are there, and all are in the figures before; give more, or a smaller --limit`,
    );
  }
  return part.sort((a, b) => a - b).map((at) => found[at] as string);
}

/** Where a model's results are: another model has another folder, whatever it is called. */
export function sidesOf({ out, model = [] }: PhotosArguments): Side[] {
  return model.map((place) => {
    const hash = createHash('sha256').update(place).digest('hex').slice(0, 8);
    const word = basename(place).replace(/[^\w.-]+/g, '-');
    return { model: place, folder: join(out, 'segments', `${word}-${hash}`) };
  });
}

/** Segments what is missing: what is there and was made in the same way stays. */
export async function segmentSides(
  context: Context,
  options: PhotosArguments,
  sides: readonly Side[],
  photos: readonly string[],
): Promise<void> {
  for (const [i, side] of sides.entries()) {
    context.terminal.log(`${i + 1} of ${sides.length}: ${side.model}, ${count(photos.length, 'photos')}`);
    await segment(context, options, side, photos);
  }
}

async function segment(
  { terminal, ...context }: Context,
  { names, clip, adapter, segmentOptions }: PhotosArguments,
  { model, folder }: Side,
  photos: readonly string[],
): Promise<void> {
  const given = (option: string, value: string | undefined): string[] => (value === undefined ? [] : [option, value]);
  const args = ['--model', model, '--classes', names, '--out', folder, ...given('--clip', clip)];
  await segmentCommand({ ...context, terminal: notesTerminal(terminal) })
    .exitOverride()
    .parseAsync([...photos, ...args, ...given('--adapter', adapter), ...segmentOptions], { from: 'user' });
}

/** What the models have never seen, as sentences for a page. */
export async function imageryOf(
  context: Context,
  { clip }: PhotosArguments,
  sides: readonly Side[],
  photos: readonly string[],
): Promise<string[]> {
  const silent = { ...context, terminal: quietTerminal(context.terminal) };
  const said = new Set<string>();
  for (const { model } of sides) {
    // No words are read: any tokenizer will do.
    const { text } = await openModelAndWords(silent, { model, tokenizer: 'hash', ...(clip !== undefined && { clip }) });
    for (const note of await tellImagery(silent, text, photos)) said.add(sentence(note));
  }
  return [...said];
}

/** Overlays of a side by their photos. */
export async function overlaysOf({ folder }: Side): Promise<Map<string, string>> {
  const overlays = (await listPhotos(folder).catch(() => [])).filter((path) => path.endsWith('.overlay.png'));
  const found = new Map<string, string>();
  for (const path of overlays) {
    const overlay = join(folder, path);
    const record: unknown = await readFile(overlay.replace(/\.overlay\.png$/, '.json'), 'utf8').then(
      JSON.parse,
      () => undefined,
    );
    if (isRecord(record)) found.set(resolve(dirname(overlay), record.source.file), overlay);
  }
  return found;
}

/** Says what would run, how long by the time of some photos, and what it takes on the disk. */
export async function tellPhotosPlan(
  context: Context,
  options: PhotosArguments,
  sides: readonly Side[],
  photos: readonly string[],
): Promise<void> {
  const { terminal } = context;
  let total = 0;
  for (const side of sides) {
    const there = await overlaysOf(side);
    const missing = photos.filter((path) => !there.has(resolve(path)));
    const done = photos.length - missing.length;
    if (missing.length === 0) {
      terminal.out(`${side.model}: ${count(photos.length, 'photos')}, done`);
      continue;
    }
    const silent = { ...terminal, out: () => {}, log: () => {}, note: () => {} };
    const timed = Math.min(TIMED, missing.length - 1);
    const seconds: number[] = [];
    let bytes = 0;
    // The very first reads words, which are kept.
    for (const n of timed === 0 ? [1, 1] : [1, 1, 1 + timed]) {
      const folder = await mkdtemp(join(tmpdir(), 'zeroseg-plan-'));
      try {
        const began = performance.now();
        await segment({ ...context, terminal: silent }, options, { ...side, folder }, missing.slice(0, n));
        seconds.push((performance.now() - began) / 1000);
        bytes = (await bytesOf(folder)) / n;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    const [words = 0, first = 0, more = 0] = seconds;
    const each = timed === 0 ? 0 : Math.max(0, more - first) / timed;
    const all = Math.max(0, words - first) + first + each * (missing.length - 1);
    total += all;
    const rate = timed === 0 ? '' : ` (${each.toFixed(2)} s a photo, measured on ${timed})`;
    const before = done > 0 ? `, ${countIn(done, photos.length, 'photos')} done` : '';
    terminal.out(
      `${side.model}: ${count(photos.length, 'photos')}${before}, about ${formatDuration(all)}${rate}, ${formatBytes(bytes * missing.length)}`,
    );
  }
  terminal.out(`about ${formatDuration(total)} in all on this device`);
}

async function bytesOf(folder: string): Promise<number> {
  const files = await listPhotos(folder);
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
