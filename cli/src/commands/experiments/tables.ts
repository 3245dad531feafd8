/** Tables over whole models: each model on each data set by `zeroseg eval`, beside what was published. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '@zeroseg/core/internal';
import type { FileSystem } from '@zeroseg/core/zeroseg';
import { makeFolder, nodeFileSystem, readJson, refuseLinks } from '../../files/index.ts';
import { dataSetKinds, openDataSet } from '../../photos/index.ts';
import { type ComparisonName, comparisonTables, type MeasuredScore, writeComparison } from '../../reports/index.ts';
import { parseModelPlace } from '../../runs/index.ts';
import {
  type Context,
  commandText,
  count,
  countIn,
  formatDuration,
  notesTerminal,
  UsageError,
  version,
} from '../../shell/index.ts';
import { evalCommand } from '../eval.ts';

export interface TableArguments {
  readonly out: string;
  readonly model?: readonly string[];
  readonly data?: readonly string[];
  readonly clip?: string;
  readonly limit?: number;
  readonly plan?: boolean;
  readonly adapter?: string;
  /** More options of `zeroseg eval`. */
  readonly evalOptions: readonly string[];
}

interface Pair {
  readonly model: string;
  readonly kind: string;
  readonly root: string;
  readonly photos: number;
  /** Of the result, in the folder. */
  readonly file: string;
}

/** Photos whose time a plan measures, beside a first one. */
const TIMED = 3;

/** `zeroseg experiment table1|table6|table9`. */
export async function experimentTable(context: Context, name: ComparisonName, options: TableArguments): Promise<void> {
  const { terminal } = context;
  const { model = [], data = [], plan, out } = options;
  if (model.length === 0 || data.length === 0) {
    throw new UsageError(
      `experiment: ${name} needs --model and --data; such as --model built-in --data voc=VOCdevkit/VOC2012, each as often as you like`,
    );
  }
  if (name === 'table6' && data.some((one) => !one.startsWith('context'))) {
    throw new UsageError('experiment: table6 is about classes of PASCAL Context; give --data context=FOLDER');
  }
  const pairs = await planPairs(options, model, data);
  if (plan) return tellPlan(context, options, pairs);
  const files = nodeFileSystem(out);
  const lock = await files.lock('experiment');
  try {
    await refuseLinks(out, 'results', `${name}.md`, `${name}.html`, `${name}.json`);
    await makeFolder(join(out, 'results'));
    const done = await Promise.all(pairs.map(({ file }) => isThere(files, file)));
    const before = done.filter(Boolean).length;
    if (before > 0) terminal.log(`${countIn(before, pairs.length, 'results')} there before`);
    const measured: MeasuredScore[] = [];
    let written: Awaited<ReturnType<typeof writeComparison>> | undefined;
    for (const [i, pair] of pairs.entries()) {
      if (!done[i]) {
        terminal.log(`${i + 1} of ${pairs.length}: ${pair.model} on ${pair.kind}, ${count(pair.photos, 'photos')}`);
        await evaluateBy(context, options, pair, options.limit, join(out, pair.file));
      }
      measured.push(await readResult(join(out, pair.file), pair));
      // After each, so that what is there can be looked at, also of a table that is stopped.
      written = await writeComparison(files, name, {
        table: comparisonTables[name],
        measured,
        planned: pairs.length,
        command: commandText(`experiment ${name}`, { out, model, data, clip: options.clip, limit: options.limit }),
        version,
      });
    }
    for (const line of written!.lines) terminal.out(line);
    for (const file of written!.files) terminal.out(file);
  } finally {
    await lock.release();
  }
}

async function planPairs(options: TableArguments, models: readonly string[], data: readonly string[]): Promise<Pair[]> {
  const sets = await Promise.all(
    data.map(async (text) => {
      const at = text.indexOf('=');
      const [kind, root] = [text.slice(0, at), text.slice(at + 1)];
      if (at < 1 || root === '' || !Object.hasOwn(dataSetKinds, kind)) {
        throw new UsageError(
          `experiment: --data must be KIND=PLACE with one of ${Object.keys(dataSetKinds).join(', ')}; got '${text}'`,
        );
      }
      const photos = (await openDataSet(kind, root)).length;
      return { kind, root, photos: Math.min(photos, options.limit ?? photos) };
    }),
  );
  return Promise.all(
    models.flatMap((model) =>
      sets.map(async ({ kind, root, photos }): Promise<Pair> => {
        // A model file that has changed is another one.
        const { place } = await parseModelPlace(model);
        const stamp = await stat(place).then(
          ({ size, mtimeMs }) => [size, mtimeMs],
          () => null,
        );
        const key = JSON.stringify([model, stamp, kind, root, photos, options.clip, options.evalOptions]);
        const hash = createHash('sha256').update(key).digest('hex').slice(0, 16);
        return { model, kind, root, photos, file: `results/${hash}.json` };
      }),
    ),
  );
}

/** Runs `zeroseg eval`, whose result goes to a file; what it prints goes where notes go. */
async function evaluateBy(
  { terminal, ...context }: Context,
  { clip, adapter, evalOptions }: TableArguments,
  { model, kind, root }: Pair,
  limit: number | undefined,
  out: string | undefined,
): Promise<void> {
  const given = (option: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [option, String(value)];
  const args = [
    ...['--model', model, '--data', kind, '--root', root],
    ...[...given('--clip', clip), ...given('--adapter', adapter), ...given('--limit', limit), ...given('--out', out)],
    ...evalOptions,
  ];
  await evalCommand({ ...context, terminal: notesTerminal(terminal) })
    .exitOverride()
    .parseAsync(args, { from: 'user' });
}

async function readResult(path: string, { model, kind, root }: Pair): Promise<MeasuredScore> {
  const { mean_iou, intervals, classes, photos, adapter } = (await readJson(path)) as MeasuredScore & {
    intervals?: { mean_iou: MeasuredScore['interval'] };
  };
  return {
    model,
    data: kind,
    root,
    photos,
    mean_iou,
    interval: intervals?.mean_iou ?? null,
    classes: classes ?? [],
    adapter,
  };
}

/** Says what would run, how long by the time of some photos of each, and what is read. */
async function tellPlan(context: Context, options: TableArguments, pairs: readonly Pair[]): Promise<void> {
  const { terminal } = context;
  const files = nodeFileSystem(options.out);
  let total = 0;
  for (const pair of pairs) {
    const { model, kind, photos } = pair;
    const size = await stat(model).then(
      (found) => (found.isFile() ? `, ${formatBytes(found.size)}` : ''),
      () => '',
    );
    if (await isThere(files, pair.file)) {
      terminal.out(`${model}${size} on ${kind}: ${count(photos, 'photos')}, done`);
      continue;
    }
    const seconds: number[] = [];
    // The very first reads words that are kept, and is not counted.
    const timed = Math.min(TIMED, photos - 1);
    for (const limit of timed === 0 ? [1, 1] : [1, 1, 1 + timed]) {
      const began = performance.now();
      const silent = { ...terminal, out: () => {}, log: () => {}, note: () => {} };
      await evaluateBy({ ...context, terminal: silent }, options, pair, limit, undefined);
      seconds.push((performance.now() - began) / 1000);
    }
    const [, first = 0, more = 0] = seconds;
    const each = timed === 0 ? 0 : Math.max(0, more - first) / timed;
    const all = first + each * Math.max(0, photos - 1);
    total += all;
    const rate = timed === 0 ? '' : ` (${each.toFixed(2)} s a photo, measured on ${timed})`;
    terminal.out(`${model}${size} on ${kind}: ${count(photos, 'photos')}, about ${formatDuration(all)}${rate}`);
  }
  terminal.out(`${count(pairs.length, 'results')}, about ${formatDuration(total)} in all on this device`);
}

async function isThere(files: FileSystem, path: string): Promise<boolean> {
  return (await files.status(path))?.kind === 'file';
}
