import { mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { testFileSystem } from '../../support/file-system-contract.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-file-system-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const make = async () => nodeFileSystem(await mkdtemp(join(base, 'files-')));

testFileSystem('a folder on disk', { make, reopen: async (files) => nodeFileSystem(files.name) });

const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) =>
      String(error)
        .replaceAll(base, 'BASE')
        .replace(/files-\w+/g, 'FILES'),
  );

test('nothing is written or removed through a link in it', async () => {
  const [mine, files] = [await make(), await make()];
  await mine.write('precious', 'precious');
  await symlink(mine.name, join(files.name, 'link'));
  await files.write('a', 'a');
  const calls = [
    files.write('link/a', 'x'),
    files.append('link/precious', 'x'),
    files.rename('link/precious', 'b'),
    files.rename('a', 'link/precious'),
    files.remove('link/precious'),
    files.makeFolder('link/sub'),
  ];
  expect(new Set(await Promise.all(calls.map(message)))).toEqual(
    new Set([
      'FileError: writeFile: BASE/FILES/link: this is a link, and nothing is written out of BASE/FILES; remove it',
    ]),
  );
  await symlink(join(mine.name, 'precious'), join(files.name, 'file'));
  expect(await message(files.append('file', 'x'))).toMatch(/append: .*a link leads in a circle/);
  await files.write('file', 'new');
  await files.remove('link');
  expect([await readdir(mine.name), await readFile(join(mine.name, 'precious'), 'utf8')]).toEqual([
    ['precious'],
    'precious',
  ]);
});

test('a lock is that of other processes, and is asked for before a file appears', async () => {
  const files = await make();
  const lock = await files.lock('train');
  expect(await readdir(files.name)).toEqual(['zeroseg.lock']);
  await rm(join(files.name, 'zeroseg.lock'));
  expect(await message(files.folder('sub').write('a', 'a'))).toMatchInlineSnapshot(
    `"LockError: train: BASE/FILES: its lock BASE/FILES/zeroseg.lock was taken away, so another process may be writing here; nothing more is written"`,
  );
  await lock.release();
});

test('what killed processes left is not listed, and is removed', async () => {
  const files = await make();
  await files.write('sub/a', 'a');
  await writeFile(join(files.name, 'sub', '.a.123-abcdef01.tmp'), 'half');
  expect(await files.list('sub')).toEqual(['a']);
  await files.removeLeftovers();
  expect(await readdir(join(files.name, 'sub'))).toEqual(['a']);
});

test('a file that becomes shorter while it is read', async () => {
  const files = await make();
  await files.write('a', '0123456789');
  const file = await files.open('a');
  await truncate(files.describe('a'), 5);
  expect(await message(file.readRange(0, 10))).toMatchInlineSnapshot(
    `"FileError: readRange: BASE/FILES/a: the file became shorter while it was read"`,
  );
  await file.close();
});

test('a file beyond 4 GiB is read by ranges', async () => {
  const files = await make();
  const size = 2 ** 32 + 2 ** 20;
  await files.write('large', '');
  await truncate(files.describe('large'), size);
  await files.append('large', 'the end');
  const file = await files.open('large');
  expect(file.size).toBe(size + 7);
  expect(new TextDecoder().decode(await file.readRange(size, size + 7))).toBe('the end');
  expect(await message(files.read('large'))).toMatchInlineSnapshot(
    `"FileError: read: BASE/FILES/large: it holds more than 2.1 GB, which is no such file"`,
  );
  await file.close();
});

test.runIf(process.platform === 'linux')('a device is no file of a folder', async () => {
  expect(await nodeFileSystem('/dev').status('null')).toEqual({ kind: 'other', size: 0 });
  expect(await message(nodeFileSystem('/dev').open('null'))).toBe('FileError: open: /dev/null: this is no file');
});
