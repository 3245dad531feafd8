import { fork } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countOf, readOptions } from '../options.mjs';

// What a cache of so many photos costs to open: a made-up index of ImageNet's names, beside files of features that are holes.

const { CacheIndex } = await import('../../dist/zeroseg/features/cache-index.js');
const { writeHeader } = await import('../../dist/zeroseg/features/cache-header.js');
const { pathsHash } = await import('../../dist/zeroseg/training/index.js');
const { nodeFileSystem } = await import('../../cli/dist/files/index.js');
const { readFeatures } = await import('../../cli/dist/features/index.js');

if (process.send) await openIndex(process.argv[2]);
else await measure();

async function measure() {
  const command = 'bench:index';
  const options = readOptions(command, {
    rows: { type: 'string', default: '1281167' },
    runs: { type: 'string', default: '5' },
  });
  const [rows, runs] = [countOf(command, 'rows', options.rows), countOf(command, 'runs', options.runs)];
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-bench-index-'));
  try {
    await makeCache(folder, rows);
    const found = [];
    for (let run = 0; run < runs; run++) found.push(await opened(folder));
    for (const key of Object.keys(found[0])) {
      const [least, middle] = [0, runs >> 1].map((i) => found.map((one) => one[key]).sort((a, b) => a - b)[i]);
      console.log(`${key}: ${middle.toFixed(2)} (least ${least.toFixed(2)})`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A cache of so many photos, 256 in a file, in the order in which ImageNet lies in folders; its features are holes. */
async function makeCache(folder, rows) {
  const files = nodeFileSystem(folder);
  const [grids, side, dim] = [[1, 2, 3, 4], 224, 768];
  const how = { teacher: 'made up', weights: 'none', viewSource: 'native', mean: [0, 0, 0], std: [1, 1, 1] };
  await writeHeader(files, { ...how, grids, teacherSize: side, views: 30, dim, studentSize: side });
  const index = await CacheIndex.load(files);
  for (let first = 0; first < rows; first += 256) {
    const shard = first / 256;
    const list = Array.from({ length: Math.min(256, rows - first) }, (_, i) => rowOf(first + i));
    const bytes = list.length * 196_608;
    const name = join(folder, `features-${String(shard).padStart(5, '0')}`);
    const file = await open(`${name}.safetensors`, 'w');
    await file.truncate(bytes);
    await file.close();
    // Its own index is not read: that of all files takes its place.
    await writeFile(`${name}.json`, '{}');
    index.addShard(shard, { bytes, rows: list });
  }
  await index.pack();
}

function rowOf(i) {
  const folder = `n${String(1440764 + 13 * Math.floor(i / 1300)).padStart(8, '0')}`;
  const digits = (seed) => (Math.imul(i + seed, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  const hash = [1, 2, 3, 4].map(digits).join('');
  const sums = [digits(5) + digits(6), digits(7) + digits(8)];
  return {
    path: `train/${folder}/${folder}_${(i % 1300) * 17}.JPEG`,
    size: 110_000 + (i % 5000),
    mtime: 1.4e12 + i,
    hash,
    sums,
  };
}

async function opened(folder) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL(import.meta.url), [folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the process that opens the index ended with ${code}`)));
  });
}

/** In a process of its own: opens the cache, and tells what that took. */
async function openIndex(folder) {
  const before = { memory: process.memoryUsage.rss(), cpu: process.cpuUsage(), at: performance.now() };
  const cache = await readFeatures(folder);
  const { user, system } = process.cpuUsage(before.cpu);
  const found = {
    'seconds to open': (performance.now() - before.at) / 1000,
    'seconds of processor time': (user + system) / 1e6,
    'MB more': (process.memoryUsage.rss() - before.memory) / 1e6,
    'MB of the process': process.memoryUsage.rss() / 1e6,
  };
  // What a training begins with.
  await pathsHash(cache.eachPath());
  const { user: all, system: more } = process.cpuUsage(before.cpu);
  found['seconds of processor time, with the hash of all paths'] = (all + more) / 1e6;
  found['MB of the process, with it'] = process.memoryUsage.rss() / 1e6;
  found['million photos'] = cache.length / 1e6;
  process.send(found);
  process.disconnect();
}
