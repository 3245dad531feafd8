import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { makeFolder, sweepLeftovers, writeFileAtomic, writeNamedFile } from '../../../cli/src/files/files.ts';
import { FolderLock } from '../../../cli/src/files/folder-lock.ts';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { Checkpoints } from '../../../src/zeroseg/runs/checkpoints.ts';
import { MetricsFile, plainMetrics } from '../../../src/zeroseg/runs/metrics-file.ts';
import { openRun } from '../../../src/zeroseg/training/run.ts';
import { createRun } from '../../support/run-description.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-files-'));
afterAll(() => rm(base, { recursive: true, force: true }));
let folder = '';
let number = 0;
beforeEach(async () => {
  folder = join(base, String(number++));
  await mkdir(folder);
});
const at = (...names: string[]) => join(folder, ...names);
const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(folder, 'FOLDER'),
  );
const bytesOf = (value: number) =>
  writeSafetensors([['x', { dtype: 'F32', shape: [100], data: new Float32Array(100).fill(value) }]]);

describe('a file of a folder', () => {
  test('takes the place of a link, and is not written through one above it', async () => {
    await mkdir(at('mine'));
    await writeFile(at('mine', 'a.txt'), 'precious');
    await mkdir(at('out'));
    await symlink(at('mine', 'a.txt'), at('out', 'a.txt'));
    await writeFileAtomic(at('out', 'a.txt'), 'new', { within: at('out') });
    expect(await readFile(at('out', 'a.txt'), 'utf8')).toBe('new');
    await symlink(at('mine'), at('out', 'sub'));
    const messages: string[] = [];
    for (const name of ['sub/a.txt', 'sub/deeper/a.txt', '../mine/a.txt', 'a.txt/b.txt']) {
      messages.push(await message(writeFileAtomic(at('out', name), 'new', { within: at('out') })));
    }
    expect(messages).toMatchInlineSnapshot(`
      [
        "FileError: writeFile: FOLDER/out/sub: this is a link, and nothing is written out of FOLDER/out; remove it",
        "FileError: writeFile: FOLDER/out/sub: this is a link, and nothing is written out of FOLDER/out; remove it",
        "FileError: writeFileAtomic: FOLDER/mine: this is not in FOLDER/out, and nothing is written elsewhere",
        "FileError: makeFolder: FOLDER/out/a.txt: a file of that name is in the way",
      ]
    `);
    expect(await readFile(at('mine', 'a.txt'), 'utf8')).toBe('precious');
    expect(await readdir(at('mine'))).toEqual(['a.txt']);
  });

  test('that a run keeps never leaves the run through a link', async () => {
    await mkdir(at('mine'));
    await writeFile(at('mine', 'step-000009.png'), 'precious');
    const run = await createRun(at('run'));
    await run.close();
    const messages: string[] = [];
    for (const name of ['checkpoints', 'samples']) {
      await symlink(at('mine'), at('run', name));
      messages.push(await message(openRun(nodeFileSystem(at('run')))));
      await rm(at('run', name));
    }
    await writeFile(at('metrics'), '{"step":1}\n');
    await symlink(at('metrics'), at('run', 'metrics.jsonl'));
    const { file, lines } = await MetricsFile.open(nodeFileSystem(at('run')), 'metrics.jsonl', 0, plainMetrics);
    await file.append({ step: 1 });
    expect(lines).toEqual([]);
    expect(messages).toMatchInlineSnapshot(`
      [
        "FileError: writeFile: FOLDER/run/checkpoints: this is a link, and nothing is written out of FOLDER/run; remove it",
        "FileError: writeFile: FOLDER/run/samples: this is a link, and nothing is written out of FOLDER/run; remove it",
      ]
    `);
    expect(await readdir(at('mine'))).toEqual(['step-000009.png']);
    expect(await readFile(at('metrics'), 'utf8')).toBe('{"step":1}\n');
    expect((await lstat(at('run', 'metrics.jsonl'))).isFile()).toBe(true);
  });
});

describe('a file that the user named', () => {
  test('is written through links, also to where nothing is yet', async () => {
    await writeFile(at('old'), 'old');
    await symlink('old', at('link'));
    await symlink(at('link'), at('link to a link'));
    await symlink('new', at('link to nothing'));
    await symlink('circle', at('circle'));
    await writeNamedFile(at('link to a link'), 'written');
    await writeNamedFile(at('link to nothing'), 'made');
    expect([await readFile(at('old'), 'utf8'), await readlink(at('link'))]).toEqual(['written', 'old']);
    expect(await readFile(at('new'), 'utf8')).toBe('made');
    expect(await message(writeNamedFile(at('circle'), 'x'))).toMatchInlineSnapshot(
      `"FileError: writeNamedFile: FOLDER/circle: a link leads in a circle"`,
    );
  });

  test.skipIf(process.platform === 'win32')('goes into devices and pipes as it is', async () => {
    await writeNamedFile('/dev/null', 'nothing');
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
    execFileSync('mkfifo', [at('pipe')]);
    const [text] = await Promise.all([readFile(at('pipe'), 'utf8'), writeNamedFile(at('pipe'), 'through')]);
    expect(text).toBe('through');
    for (const place of [at(), '.', '/', '..']) {
      expect(await message(writeNamedFile(place, 'x'))).toMatch(/writeNamedFile: .*: this is a folder, not a file$/);
    }
    expect(await message(makeFolder(''))).toBe("FileError: makeFolder: '': the name is empty");
  });

  test.runIf(process.platform === 'linux')('on a disk that takes nothing says why', async () => {
    const places = ['/dev/full', '/proc/zeroseg/a', '/proc/1/zeroseg', `${folder}/${'n'.repeat(300)}`];
    const messages: string[] = [];
    for (const place of places) messages.push(await message(writeNamedFile(place, 'x')));
    messages.push(await message(makeFolder('/proc/zeroseg/run')));
    messages.push(await message(FolderLock.take('train', '/proc/zeroseg')));
    expect(messages.map((text) => text.replace(/n{100,}/, 'NAME'))).toMatchInlineSnapshot(`
      [
        "FileError: writeNamedFile: /dev/full: the disk is full",
        "FileError: makeFolder: /proc/zeroseg: no folder can be made here",
        "FileError: writeFileAtomic: /proc/1/zeroseg: no file can be made here",
        "FileError: writeFileAtomic: FOLDER/NAME: the name is too long",
        "FileError: makeFolder: /proc/zeroseg: no folder can be made here",
        "FileError: makeFolder: /proc/zeroseg: no folder can be made here",
      ]
    `);
  });
});

test('what killed processes left is removed, and nothing else', async () => {
  const ours = ['.config.json.123-abcdef01.tmp', 'sub/.a.b.1-00000000.tmp'];
  const others = ['.config.json.tmp', '.a.123-abcdef.tmp', 'a.1-abcdef01.tmp', 'sub/a.txt'];
  await mkdir(at('sub'));
  for (const name of [...ours, ...others]) await writeFile(at(name), 'x');
  await mkdir(at('.dir.1-00000000.tmp'));
  const lock = await FolderLock.take('test', folder, { file: at('.c.1-00000000.tmp') });
  await sweepLeftovers(folder);
  const left = (await readdir(folder, { recursive: true })).sort();
  expect(left).toEqual([...others, '.dir.1-00000000.tmp', '.c.1-00000000.tmp', 'sub'].sort());
  await lock.release();
  await writeFile(at('.export.1-00000000.tmp'), 'x');
  await writeFile(at('.other.1-00000000.tmp'), 'x');
  await writeNamedFile(at('export'), 'whole');
  expect(await readdir(folder)).not.toContain('.export.1-00000000.tmp');
  expect(await readdir(folder)).toContain('.other.1-00000000.tmp');
});

describe('checkpoints', () => {
  const names = ['a.safetensors', 'b.safetensors'];
  const damages: Record<string, (file: string) => Promise<unknown>> = {
    'cut off': (file) => truncate(file, 300),
    empty: (file) => truncate(file, 0),
    gone: (file) => rm(file),
    'one bit flipped': async (file) => {
      const bytes = await readFile(file);
      const place = bytes.length - 7;
      bytes[place] = (bytes[place] as number) ^ 4;
      await writeFile(file, bytes);
    },
  };

  test.each(Object.keys(damages))('a file that is %s: the one before is taken, and that is said', async (damage) => {
    for (const name of [...names, 'state.json']) {
      await rm(folder, { recursive: true });
      const checkpoints = new Checkpoints(nodeFileSystem(folder));
      for (const step of [1, 2, 3]) {
        await checkpoints.save(step, { 'a.safetensors': bytesOf(step), 'b.safetensors': bytesOf(-step) });
      }
      await damages[damage]?.(at('checkpoints', 'step-000003', name));
      const said: string[] = [];
      const found = await checkpoints.newest(names, (reason) => said.push(reason));
      // Of the state, a flipped bit may be in what only people read.
      if (name !== 'state.json' || damage !== 'one bit flipped')
        expect([name, found?.step, said.length]).toEqual([name, 2, 1]);
      expect(said.join()).toMatch(
        said.length > 0 ? /step-000003\/(a\.safetensors|b\.safetensors|state\.json): / : /^$/,
      );
    }
  });

  test('a disk that fails for the moment is no damage', async () => {
    const checkpoints = new Checkpoints(nodeFileSystem(folder));
    await checkpoints.save(1, { 'a.safetensors': bytesOf(1) });
    await rm(at('checkpoints', 'step-000001', 'a.safetensors'));
    await mkdir(at('checkpoints', 'step-000001', 'a.safetensors'));
    expect(await message(checkpoints.newest(['a.safetensors'], () => undefined))).toMatchInlineSnapshot(
      `"FileError: open: FOLDER/checkpoints/step-000001/a.safetensors: this is a folder, not a file"`,
    );
  });
});
