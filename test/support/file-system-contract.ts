import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileSystem } from '../../src/zeroseg/storage/index.ts';

/** What every implementation of {@link FileSystem} must do. `make` gives an empty one; `reopen` what another process or page would see. */
export function testFileSystem(
  kind: string,
  {
    make,
    reopen,
    remove,
  }: {
    make(): Promise<FileSystem>;
    reopen(files: FileSystem): Promise<FileSystem>;
    remove?(files: FileSystem): Promise<void>;
  },
): void {
  describe(`a file system: ${kind}`, () => {
    let files: FileSystem;
    beforeEach(async () => {
      files = await make();
    });
    afterEach(async () => remove?.(files));

    const text = async (path: string, from = files) => new TextDecoder().decode(await from.read(path));
    /** An error's message without the place of this file system. */
    const message = (call: () => Promise<unknown>): Promise<string> =>
      Promise.resolve()
        .then(call)
        .then(
          () => 'no error',
          (error) => `${error.name}: ${error.message}`.replaceAll(`${files.name}`.replace(/\/$/, ''), 'ROOT'),
        );

    test('keeps what is written, and makes the folders around it', async () => {
      await files.write('a/b/c.txt', 'one');
      expect(await text('a/b/c.txt')).toBe('one');
      await files.write('a/b/c.txt', 'äö and more');
      expect(await text('a/b/c.txt')).toBe('äö and more');
      await files.write('a/b/c.txt', '');
      expect(await files.status('a/b/c.txt')).toEqual({ kind: 'file', size: 0 });
      const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7);
      await files.write('big', bytes.subarray(1));
      bytes.fill(0);
      expect((await (await reopen(files)).read('big')).slice(0, 3)).toEqual(Uint8Array.of(7, 14, 21));
      const read = await files.read('big');
      read.fill(9);
      expect((await files.read('big'))[0]).toBe(7);
    });

    test('says what is there', async () => {
      expect(await files.list('nothing')).toEqual([]);
      for (const name of ['b.txt', 'a10', 'a9', 'B', '.hidden', 'ä']) await files.write(`f/${name}`, name);
      await files.makeFolder('f/sub/deeper');
      await files.makeFolder('f/sub/deeper');
      expect(await files.list('f')).toEqual(['.hidden', 'B', 'a10', 'a9', 'b.txt', 'sub', 'ä']);
      expect(await files.list()).toEqual(['f']);
      expect(await files.status('f')).toEqual({ kind: 'folder', size: 0 });
      expect(await files.status('')).toEqual({ kind: 'folder', size: 0 });
      expect(await files.status('f/ä')).toEqual({ kind: 'file', size: 2 });
      expect(await files.status('f/none')).toBeUndefined();
      expect(await files.status('f/ä/none')).toBeUndefined();
    });

    test('reads ranges of a file as it was when it was opened, never of another', async () => {
      await files.write('a', '0123456789');
      const file = await files.open('a');
      expect(new TextDecoder().decode(await file.readRange(0, 3))).toBe('012');
      expect(await file.readRange(10, 10)).toEqual(new Uint8Array(0));
      await files.write('a', 'other');
      expect(file.size).toBe(10);
      const read = await file.readRange(3, 6).then(
        (bytes) => new TextDecoder().decode(bytes),
        (error) => error.message.replace(files.name, 'ROOT'),
      );
      // A browser lets go of a file that another takes the place of.
      expect(['345', 'readRange: ROOT/a: it was changed while it was read']).toContain(read);
      expect(await message(() => file.readRange(5, 11))).toBe(
        'FileError: readRange: ROOT/a: bytes 5 to 11 were asked for; the file has 10 bytes',
      );
      await file.close();
    });

    test('adds to files, and sees what was added', async () => {
      for (let i = 0; i < 30; i++) await files.append('log/lines', `${i}\n`);
      expect((await text('log/lines')).split('\n').length).toBe(31);
      await files.append('log/lines', 'end');
      expect(await files.status('log/lines')).toEqual({ kind: 'file', size: 83 });
      await files.append('log/lines', '!');
      await files.sync('log/lines');
      expect((await text('log/lines', await reopen(files))).slice(-7)).toBe('29\nend!');
      await files.append('log/lines', 'lost');
      await files.write('log/lines', 'new\n');
      await Promise.all(['a', 'b', 'c'].map((line) => files.append('log/lines', line)));
      expect((await text('log/lines')).length).toBe(7);
      await files.append('log/lines', new Uint8Array(70_000));
      expect(await files.status('log/lines')).toEqual({ kind: 'file', size: 70_007 });
      expect(await message(() => files.sync('none'))).toBe(
        'FileError: sync: ROOT/none: there is no such file or folder',
      );
    });

    test('moves files and folders', async () => {
      await files.write('a', 'a');
      await files.write('sub/b', 'b');
      await files.rename('a', 'sub/b');
      expect([await files.list(), await text('sub/b')]).toEqual([['sub'], 'a']);
      await files.write('sub/deeper/c', 'c');
      await files.rename('sub', 'new/place');
      expect(await files.list()).toEqual(['new']);
      expect([await text('new/place/b'), await text('new/place/deeper/c')]).toEqual(['a', 'c']);
      await files.write('x', 'x');
      const wrong = [
        ['none', 'y'],
        ['x', 'new'],
        ['new', 'x'],
        ['new/place', 'new'],
        ['new', 'new/place/deeper/x'],
      ] as const;
      const messages = await Promise.all(wrong.map(([from, to]) => message(() => files.rename(from, to))));
      expect(messages).toEqual([
        'FileError: rename: ROOT/none: there is no such file or folder',
        'FileError: rename: ROOT/new: this is a folder, not a file',
        'FileError: rename: ROOT/x: a file of that name is in the way',
        'FileError: rename: ROOT/new: a folder of that name is in the way',
        'FileError: rename: ROOT/new/place/deeper/x: it lies in ROOT/new, which was to be moved there',
      ]);
    });

    test('removes files and folders', async () => {
      await files.write('a/b/c', 'c');
      await files.write('a/d', 'd');
      await files.remove('a/b');
      expect(await files.list('a')).toEqual(['d']);
      await files.remove('a/d');
      await files.remove('a/d');
      await files.remove('none/d');
      await files.remove('a');
      expect(await files.list()).toEqual([]);
    });

    test('says what is wrong', async () => {
      await files.write('a/b', 'b');
      const calls = [
        () => files.read('none'),
        () => files.read('a'),
        () => files.read('a/b', 0),
        () => files.open('a'),
        () => files.open('a/none'),
        () => files.list('a/b'),
        () => files.write('a', 'x'),
        () => files.write('a/b/c', 'x'),
        () => files.append('a/b/c', 'x'),
        () => files.makeFolder('a/b'),
        () => files.write('', 'x'),
      ];
      const messages: string[] = [];
      for (const call of calls) messages.push(await message(call));
      expect(messages.map((one) => one.replace(/^FileError: /, ''))).toEqual([
        'read: ROOT/none: there is no such file or folder',
        'read: ROOT/a: this is a folder, not a file',
        'read: ROOT/a/b: it holds more than 0 bytes, which is no such file',
        'open: ROOT/a: this is a folder, not a file',
        'open: ROOT/a/none: there is no such file or folder',
        'list: ROOT/a/b: a part of the path is a file, not a folder',
        'write: ROOT/a: this is a folder, not a file',
        expect.stringMatching(/^(write|makeFolder): ROOT\/a\/b: a file of that name is in the way$/),
        expect.stringMatching(/^(append|makeFolder): ROOT\/a\/b: a file of that name is in the way$/),
        'makeFolder: ROOT/a/b: a file of that name is in the way',
        expect.stringMatching(/^write: ROOT\/?: this is a folder, not a file$/),
      ]);
    });

    test.each(['../a', '/a', 'a/../../b', './a', 'a//b', 'a/', 'a\\b', 'a\0b'])(
      'never leaves its folder: %j',
      async (path) => {
        const inner = files.folder('inner');
        const calls: (() => Promise<unknown>)[] = [
          () => inner.status(path),
          () => inner.list(path),
          () => inner.read(path),
          () => inner.open(path),
          () => inner.write(path, 'x'),
          () => inner.append(path, 'x'),
          () => inner.sync(path),
          () => inner.rename(path, 'b'),
          () => inner.rename('a', path),
          () => inner.remove(path),
          () => inner.makeFolder(path),
          async () => inner.folder(path),
        ];
        for (const call of calls) {
          expect(await message(call)).toMatch(
            /^FileError: \w+: ROOT\/inner: a path must be relative, with single \/ between its names, and may not leave its folder; got "/,
          );
        }
        expect(await files.list()).toEqual([]);
      },
    );

    test('a folder of it is one of its own', async () => {
      const inner = files.folder('a').folder('b');
      expect(await inner.status('')).toBeUndefined();
      await inner.write('c', 'c');
      expect(await text('a/b/c')).toBe('c');
      expect(await message(() => inner.read('d'))).toBe('FileError: read: ROOT/a/b/d: there is no such file or folder');
    });

    test('one writer holds a folder', async () => {
      const lock = await files.folder('run').lock('train');
      await lock.check();
      expect(await message(() => files.folder('run').lock('other'))).toMatch(/^LockError: other: ROOT\/run: .*; wait/);
      const others = await Promise.all([files.folder('run').lock('other', 'cache.lock'), files.lock('all')]);
      await lock.release();
      await lock.release();
      const again = await files.folder('run').lock('other');
      for (const held of [again, ...others]) await held.release();
      await files.folder('run').write('a', 'a');
      expect(await files.list('run')).toEqual(['a']);
    });

    test('nothing is written when the folder that is held vanishes', async () => {
      const run = files.folder('run');
      const lock = await run.lock('train');
      await run.folder('samples').write('a', 'a');
      await files.remove('run');
      const calls = [
        () => run.write('b', 'b'),
        () => run.folder('samples').append('c', 'c'),
        () => run.rename('a', 'b'),
        () => run.makeFolder('d'),
        () => run.remove('a'),
      ];
      for (const call of calls) {
        expect(await message(call)).toBe('LockError: train: ROOT/run: the folder has vanished while it was written to');
      }
      expect(await files.list()).toEqual([]);
      await lock.release();
    });

    test('what was left half written is no part of it', async () => {
      await files.write('a', 'a');
      await files.removeLeftovers();
      expect(await files.list()).toEqual(['a']);
    });
  });
}
