import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { findModel } from '../../../cli/src/runs/find-model.ts';
import { writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { Checkpoints } from '../../../src/zeroseg/runs/checkpoints.ts';
import { type FileSystem, memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import type { Metrics } from '../../../src/zeroseg/training/metrics.ts';
import { openRun } from '../../../src/zeroseg/training/run.ts';
import { createRun, description } from '../../support/run-description.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-run-'));
afterAll(() => rm(base, { recursive: true }));
let folder = '';
let number = 0;
beforeEach(() => {
  folder = join(base, String(number++));
});

const metrics = (step: number) => ({ step, loss: 1 / step, terms: {} }) as unknown as Metrics;
const bytesOf = (value: number) =>
  writeSafetensors([['x', { dtype: 'F32', shape: [1], data: Float32Array.of(value) }]], { step: String(value) });
const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(folder, 'RUN'),
  );

test('metrics end where the checkpoint ends', async () => {
  const run = await createRun(folder);
  for (let step = 1; step <= 5; step++) await run.append(metrics(step));
  await run.close();
  const file = join(folder, 'metrics.jsonl');
  await writeFile(file, `${await readFile(file, 'utf8')}{"step":6,"lo`);
  const opened = await openRun(nodeFileSystem(folder));
  const again = opened.store;
  expect(opened.description).toEqual(description);
  expect((await again.metricsUpTo(3)).map(({ step }) => step)).toEqual([1, 2, 3]);
  await again.append(metrics(4));
  await again.close();
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(4);
  expect(await message(again.metricsUpTo(5))).toMatchInlineSnapshot(
    `"FileError: metrics: RUN/metrics.jsonl: it ends at step 4, and the checkpoint is of step 5; restore the file, or begin a new run"`,
  );
});

test('the last two checkpoints are kept; half a one is swept away', async () => {
  const run = await createRun(folder);
  for (const step of [2, 4, 6])
    await run.save(step, { 'model.safetensors': bytesOf(step), 'optimizer.safetensors': bytesOf(-step) });
  expect(await run.checkpoints()).toEqual([4, 6]);
  const { files } = (await run.newest(() => undefined)) ?? {};
  const parts = ['model.safetensors', 'optimizer.safetensors'].map((name) => files?.get(name));
  expect(parts.map((file) => file?.metadata['step'])).toEqual(['6', '-6']);
  expect(await findModel(folder)).toBe(join(folder, 'checkpoints/step-000006/model.safetensors'));
  await rm(join(folder, 'checkpoints', '.step-000008.1.tmp'), { force: true });
  await writeFile(join(folder, 'checkpoints', '.step-000008.1.tmp'), '');
  await run.clean(4);
  expect(await readdir(join(folder, 'checkpoints'))).toEqual(['step-000004']);
  await writeFile(join(folder, 'model.safetensors'), '');
  expect(await findModel(folder)).toBe(join(folder, 'model.safetensors'));
  await run.close();
});

/** A file system in memory whose process dies at its change number `last`, half way through one that takes several. */
function dyingFiles(last: number, seen: (files: FileSystem) => Promise<void>) {
  const kept = memoryFileSystem();
  let changes = 0;
  const files = new Proxy(kept, {
    get(of, name) {
      const value = Reflect.get(of, name) as unknown;
      if (typeof value !== 'function') return value;
      const call = value.bind(of) as (...given: unknown[]) => Promise<unknown>;
      if (!['write', 'append', 'rename', 'remove'].includes(String(name))) return call;
      return async (...given: unknown[]) => {
        if (changes > last) throw new Error('killed');
        if (changes++ === last) {
          const path = given[0] as string;
          // A folder goes file by file.
          if (name === 'remove')
            for (const one of (await kept.list(path)).slice(0, 1)) await kept.remove(`${path}/${one}`);
          throw new Error('killed');
        }
        const result = await call(...given);
        await seen(kept);
        return result;
      };
    },
  });
  return { files, kept };
}

test('never are there more than two checkpoints, the one that is written among them, nor fewer than a whole one: killed at any change', async () => {
  const parts = ['model.safetensors', 'optimizer.safetensors'];
  const steps = [2, 4, 6, 8];
  let most = 0;
  let outcomes = '';
  for (let last = 0, isKilled = true; isKilled; last++) {
    let saved = 0;
    const check = async (files: FileSystem) => {
      const folders = await files.list('checkpoints');
      most = Math.max(most, folders.length);
      const checkpoint = await new Checkpoints(files).newest(parts, () => undefined);
      expect(checkpoint?.step ?? 0, folders.join(' ')).toBeGreaterThanOrEqual(saved);
      return checkpoint?.step ?? 0;
    };
    const { files, kept } = dyingFiles(last, async (all) => void (await check(all)));
    const checkpoints = new Checkpoints(files);
    isKilled = false;
    for (const step of steps) {
      const content = (value: number) =>
        (async function* () {
          yield bytesOf(value) as Uint8Array<ArrayBuffer>;
        })();
      await checkpoints
        .save(step, { 'model.safetensors': content(step), 'optimizer.safetensors': bytesOf(-step) })
        .then(
          () => (saved = step),
          (error: Error) => {
            expect(error.message).toBe('killed');
            isKilled = true;
          },
        );
      if (isKilled) break;
    }
    // Whoever goes on sweeps, and saves the rest.
    const found = await check(kept);
    const again = new Checkpoints(kept);
    await again.clean(found);
    for (const step of steps.filter((one) => one > found)) {
      await again.save(step, { 'model.safetensors': bytesOf(step), 'optimizer.safetensors': bytesOf(-step) });
      saved = step;
      await check(kept);
    }
    expect(await kept.list('checkpoints')).toEqual(['step-000006', 'step-000008']);
    outcomes += found;
  }
  expect(most).toBe(2);
  expect(outcomes).toMatch(/^0+2+4+6+8$/);
});

test('a damaged checkpoint goes before a whole one', async () => {
  const files = memoryFileSystem();
  const checkpoints = new Checkpoints(files);
  const parts = (step: number) => ({ 'model.safetensors': bytesOf(step) });
  for (const step of [2, 4]) await checkpoints.save(step, parts(step));
  await files.write('checkpoints/step-000004/model.safetensors', bytesOf(5));
  const fails = {
    'model.safetensors': (async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield new Uint8Array(8);
      throw new Error('the disk is full');
    })(),
  };
  await expect(checkpoints.save(6, fails)).rejects.toThrow('the disk is full');
  expect(await checkpoints.steps()).toEqual([2]);
});

test('a checkpoint that cannot be removed is an error once the next is there', async () => {
  const files = memoryFileSystem();
  const rename = files.rename.bind(files);
  const checkpoints = new Checkpoints(
    Object.assign(files, {
      rename: async (from: string, to: string) => {
        if (from.endsWith('step-000002')) throw new Error('permission denied');
        await rename(from, to);
      },
    }),
  );
  for (const step of [2, 4]) await checkpoints.save(step, { 'model.safetensors': bytesOf(step) });
  await expect(checkpoints.save(6, { 'model.safetensors': bytesOf(6) })).rejects.toThrow('permission denied');
  expect(await checkpoints.steps()).toEqual([2, 4, 6]);
});

test('a checkpoint of the same steps stays as it is', async () => {
  const files = memoryFileSystem();
  const checkpoints = new Checkpoints(files);
  await checkpoints.save(2, { 'model.safetensors': bytesOf(2) });
  await checkpoints.save(4, { 'model.safetensors': bytesOf(4) });
  const before = await files.read('checkpoints/step-000004/state.json');
  await checkpoints.save(4, { 'model.safetensors': bytesOf(5) });
  expect(await files.read('checkpoints/step-000004/state.json')).toEqual(before);
  expect(await checkpoints.steps()).toEqual([2, 4]);
});

test('folders that are no runs', async () => {
  await writeFile(join(base, 'config.json'), '{"format":"other"}');
  expect((await message(openRun(nodeFileSystem(base)))).replaceAll(base, 'BASE')).toMatchInlineSnapshot(
    `"RunError: train: BASE/config.json: this is not the description of a run"`,
  );
  await createRun(folder);
  expect(await message(findModel(folder))).toMatchInlineSnapshot(
    `"FileError: openModel: RUN: there is no model and no checkpoint in this folder; train one: zeroseg train --cache out/cache --out RUN"`,
  );
  expect(await message(findModel(join(folder, 'nothing')))).toMatchInlineSnapshot(
    `"FileError: openModel: RUN/nothing: there is no such file or folder; give built-in, a model file, or a run: zeroseg train --cache out/cache --out RUN/nothing"`,
  );
});
