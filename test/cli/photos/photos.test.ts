import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listPhotos } from '../../../cli/src/photos/photos.ts';

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-photos-'));
afterAll(() => rm(folder, { recursive: true }));

beforeAll(async () => {
  for (const place of ['all/b/deep', 'all/.hidden', 'all/a', 'notes', 'only-below/x']) {
    await mkdir(join(folder, place), { recursive: true });
  }
  const names = ['Z.jpg', 'a.JPG', 'ä.webp', '10.png', '9.jpeg', 'notes.txt', '.thumb.jpg', 'b/x.tif', 'b/deep/y.avif'];
  for (const name of [...names, '.hidden/h.jpg', 'a/gif.gif']) await writeFile(join(folder, 'all', name), 'x');
  await writeFile(join(folder, 'notes/readme.txt'), 'x');
  await writeFile(join(folder, 'only-below/x/1.jpg'), 'x');
  await symlink(join(folder, 'all'), join(folder, 'all/b/round'));
  await symlink(join(folder, 'only-below/x/1.jpg'), join(folder, 'all/link.jpg'));
  await symlink(join(folder, 'nowhere.jpg'), join(folder, 'all/broken.jpg'));
});

test('sorted by code units, folders below included, hidden and other files left out', async () => {
  expect(await listPhotos(join(folder, 'all'))).toEqual([
    '10.png',
    '9.jpeg',
    'Z.jpg',
    'a.JPG',
    'a/gif.gif',
    'b/deep/y.avif',
    'b/x.tif',
    'link.jpg',
    'ä.webp',
  ]);
});

test('only the folder itself', async () => {
  const got = await listPhotos(join(folder, 'all'), { recursive: false });
  expect(got).toEqual(['10.png', '9.jpeg', 'Z.jpg', 'a.JPG', 'link.jpg', 'ä.webp']);
});

test('errors name the folder and the remedy', async () => {
  const calls = [
    listPhotos(join(folder, 'nowhere')),
    listPhotos(join(folder, 'all/Z.jpg')),
    listPhotos(join(folder, 'notes')),
    listPhotos(join(folder, 'only-below'), { recursive: false }),
  ];
  const messages = (await Promise.allSettled(calls)).map((result) =>
    String((result as PromiseRejectedResult).reason).replaceAll(folder, 'FOLDER'),
  );
  expect(messages).toMatchInlineSnapshot(`
    [
      "FileError: listPhotos: FOLDER/nowhere: there is no such file or folder; check the spelling",
      "FileError: listPhotos: FOLDER/all/Z.jpg: this is a file; name the folder that it is in",
      "FileError: listPhotos: FOLDER/notes: there are no photos (jpg, jpeg, jfif, png, webp, gif, tif, tiff, avif) in this folder",
      "FileError: listPhotos: FOLDER/only-below: there are no photos (jpg, jpeg, jfif, png, webp, gif, tif, tiff, avif) in this folder; the folders below it were not searched (recursive)",
    ]
  `);
});
