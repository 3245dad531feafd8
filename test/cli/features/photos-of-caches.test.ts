/** Photos that a cache is made of, and that its squares are cut from: what is missing is told before anything is begun. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import { openPhotos } from '../../../cli/src/features/photo-source.ts';
import { readFeatures } from '../../../cli/src/features/read-features.ts';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { openCache } from '../../../src/zeroseg/features/cache.ts';
import { temporaryFolder, writeCache, writeConfig, writePhotos } from '../../support/made-up.ts';

const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

/** A cache without squares, of what `writePhotos` writes. */
async function writeBareCache(folder: string, photos: number): Promise<void> {
  const cache = await openCache(nodeFileSystem(folder), {
    ...{ teacher: 'made-up', weights: 'none', grids: [1, 2], viewSource: 'native', teacherSize: 8 },
    ...{ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25], views: 5, dim: 8, studentSize: 16, squares: 'none' },
  });
  for (let i = 0; i < photos; i++) {
    await cache.add({ path: `photo-${i}.png`, size: 1, mtime: i, hash: '0'.repeat(16) }, new Float32Array(40).fill(1));
  }
  await cache.close();
}

beforeAll(async () => {
  await writePhotos(at('photos'), 4);
  await writeBareCache(at('bare'), 4);
  await writeCache(at('cache'));
  await writeConfig(at('small.json'));
  await writePhotos(at('few'), 2);
});

test.each([
  [[], 'bare', 'it keeps no squares, which are cut from the photos; say where these are (--photos)'],
  [['--photos', at('nosuch')], 'bare', 'there is no such file or folder; check the spelling'],
  [['--photos', at('few')], 'bare', `${at('few', 'photo-2.png')}: this photo of the cache is not there`],
  [['--photos', at('photos')], 'cache', 'it keeps its squares, so photos are not read; leave --photos out'],
])('train %j: no run is begun', async (photos, cache, words) => {
  const said: string[] = [];
  const args = ['train', '--cache', at(cache), '--out', at('run'), '--config', at('small.json'), '--steps', '1'];
  // No device is given: to open one would be told.
  const code = await commandLine([...args, ...photos], { out: () => undefined, note: (line) => said.push(line) });
  expect([code, said.at(-1)]).toEqual([1, expect.stringContaining(words)]);
  expect(said.join()).not.toContain('no GPU found');
  expect(await readdir(base)).not.toContain('run');
});

test('where all photos are there, the cache is opened', async () => {
  const cache = await readFeatures(at('bare'), at('photos'));
  expect(cache.length).toBe(4);
  await cache.close();
});

test('what does nothing in a process that is alone is said', async () => {
  const said: string[] = [];
  const args = ['train', '--cache', at('nosuch'), '--out', at('run'), '--wire', 'f16'];
  await commandLine(args, { out: () => undefined, note: (line) => said.push(line) });
  expect(said[0]).toBe(
    "--wire f16 is for gradients between mpirun's processes; this one is alone, and it changes nothing",
  );
});

test('archives in a folder that are compressed as a whole are told, and refused where nothing is beside them', async () => {
  const folder = at('mixed');
  await writePhotos(folder, 1);
  await mkdir(join(folder, 'below'));
  await writeFile(join(folder, 'a.tar.gz'), gzipSync('photos'));
  await writeFile(join(folder, 'below', 'b.tgz'), gzipSync('photos'));
  const { photos, passedOver } = await openPhotos(folder, false);
  expect(photos.map(({ path }) => path)).toEqual(['photo-0.png']);
  const reason = (place: string) =>
    `it is compressed as a whole (gzip), so its files cannot be read one by one; unpack it: tar -xzf ${place}`;
  expect(passedOver.map(({ path, reason }) => [path, reason])).toEqual(
    ['a.tar.gz', 'below/b.tgz'].map((name) => [`${folder}/${name}`, reason(`${folder}/${name}`)]),
  );
  const said: string[] = [];
  const args = ['cache', folder, '--clip', at('nosuch'), '--out', at('out')];
  await commandLine(args, { out: () => undefined, note: (line) => said.push(line) });
  const first = `${folder}/a.tar.gz`;
  expect(said[0]).toBe(`not read: ${first}: ${reason(first)} (1 other archive too)`);
  await rm(join(folder, 'photo-0.png'));
  await expect(openPhotos(folder, false)).rejects.toThrow(`${first}: ${reason(first)}`);
});
