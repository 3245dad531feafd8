import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { FolderLock } from '../../../cli/src/files/folder-lock.ts';
import { LOCK_FILE } from '../../../src/zeroseg/storage/file-system.ts';
import { temporaryFolder, useCommandLine, writeClip, writePhotos } from '../../support/made-up.ts';
import { createRun, description } from '../../support/run-description.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

beforeAll(async () => {
  await writePhotos(at('photos'), 2);
  await writeClip(at('clip'));
  await zeroseg('scenes', '--out', at('scenes'), '--count', '1');
});

/** Commands that write to a folder over time: arguments, and what lies in the folder for them to go on with. */
const commands: Record<
  string,
  { args(out: string): string[]; before?: Record<string, object>; lock?(out: string): string }
> = {
  train: {
    args: (out) => ['train', '--out', out, '--resume'],
    before: { 'config.json': { format: 'zeroseg run', ...description } },
  },
  'train-teacher': {
    args: (out) => ['train-teacher', '--out', out, '--resume'],
    before: { 'log.json': { format: 'zeroseg teacher training', command: '' } },
  },
  cache: {
    args: (out) => ['cache', at('photos'), '--clip', at('clip'), '--out', out],
    lock: (out) => join(out, 'cache.lock'),
  },
  scenes: {
    args: (out) => ['scenes', '--out', out, '--count', '1'],
    lock: (out) => join(out, '..', '.scenes.lock'),
  },
  experiment: { args: (out) => ['experiment', 'table4', '--out', out, '--quick'] },
  segment: { args: (out) => ['segment', at('photos'), '--classes', 'cat, grass', '--out', out] },
  eval: { args: (out) => ['eval', '--data', 'scenes', '--root', at('scenes'), '--save', out] },
  demo: { args: (out) => ['demo', '--out', out, '--quick'], before: { 'demo.json': { format: 'zeroseg demo' } } },
};

describe('a second writer is told who the first is, and writes nothing', () => {
  test.each(Object.keys(commands))('%s', async (name) => {
    const { args, before = {}, lock = (out) => join(out, LOCK_FILE) } = commands[name] as (typeof commands)[string];
    const out = at('held', name);
    await mkdir(out, { recursive: true });
    for (const [file, value] of Object.entries(before)) await writeFile(join(out, file), JSON.stringify(value));
    const first = await FolderLock.take('test', out, { file: lock(out) });
    const found = await readdir(at('held'), { recursive: true });
    const { code, err } = await zeroseg(...args(out));
    const said = err
      .split('\n')
      .at(-1)
      ?.replace(/since [\d:.TZ-]+;/, 'since TIME;');
    expect([code, said]).toEqual([
      1,
      `zeroseg: ${out}: process ${process.pid} on ${hostname()} has been writing to it since TIME; wait for it, or stop it`,
    ]);
    expect(await readdir(at('held'), { recursive: true })).toEqual(found);
    await first.check();
    await first.release();
  });
});

test('a fresh run beside one that has just begun is refused', async () => {
  await mkdir(at('begun'));
  await writeFile(at('begun', '.config.json.1-0123abcd.tmp'), '{');
  const lock = await FolderLock.take('test', at('begun'));
  await expect(createRun(at('begun'))).rejects.toThrow(/has been writing to it/);
  await lock.release();
  const run = await createRun(at('begun'));
  expect(await readdir(at('begun'))).toEqual(['config.json', LOCK_FILE]);
  expect(JSON.parse(await readFile(at('begun', 'config.json'), 'utf8')).version).toBe('1');
  await run.close();
  expect(await readdir(at('begun'))).toEqual(['config.json']);
});
