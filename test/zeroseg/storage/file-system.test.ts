import { describe, expect, test } from 'vitest';
import { memoryFileSystem, opfsFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { testFileSystem } from '../../support/file-system-contract.ts';

testFileSystem('memory', {
  make: async () => memoryFileSystem(),
  reopen: async (files) => files.folder(''),
});

/** Whether this is a page: Node has no private file system. */
const isPage = 'document' in globalThis;

describe.runIf(isPage)('in a page', () => {
  const folder = `test-${Math.random().toString(36).slice(2)}`;
  const path = (name: string) => name.slice('opfs:/'.length);
  let number = 0;
  testFileSystem('OPFS', {
    make: () => opfsFileSystem(`${folder}/${number++}`),
    reopen: (files) => opfsFileSystem(path(files.name)),
    remove: async () => (await opfsFileSystem()).remove(folder),
  });

  test('what a page that was closed left half written is removed, and what it wrote stays', async () => {
    const files = await opfsFileSystem(folder);
    await files.write('sub/a', 'whole');
    await files.write('sub/.a.0123abcd.tmp', 'half');
    expect(await files.list('sub')).toEqual(['a']);
    expect(await files.status('sub/.a.0123abcd.tmp')).toEqual({ kind: 'file', size: 4 });
    await files.removeLeftovers();
    expect(await files.status('sub/.a.0123abcd.tmp')).toBeUndefined();
    expect(await files.list('sub')).toEqual(['a']);
    await (await opfsFileSystem()).remove(folder);
  });
});

test.runIf(!isPage)('where there is none, that is said', async () => {
  await expect(opfsFileSystem()).rejects.toThrowErrorMatchingInlineSnapshot(
    `[FileError: opfs: opfs:/: there is no private file system here; use a page or worker of https:// or localhost]`,
  );
});
