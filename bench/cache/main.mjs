import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countOf, readOptions, refuse } from '../options.mjs';

// Which processor time a photo takes on its way into a cache, part by part, beside what the device computes.

const { openDevice, reshape, slice } = await import('../../dist/index.js');
const { ViewQueue } = await import('../../dist/zeroseg/clip/index.js');
const { cachedData, fillCache, openCache } = await import('../../dist/zeroseg/features/index.js');
const { readStamped } = await import('../../dist/zeroseg/features/photo-source.js');
const { studentImage } = await import('../../dist/zeroseg/image/index.js');
const { markdownTable } = await import('../../cli/dist/bench/tables.js');
const { openPhotos, readFeatures, squareCodecs } = await import('../../cli/dist/features/index.js');
const { nodeFileSystem } = await import('../../cli/dist/files/index.js');
const { idleDevice } = await import('./idle-device.mjs');
const { makePhotos } = await import('./photos.mjs');
const { processorTime } = await import('./processor-time.mjs');

const command = 'bench:cache';
const options = readOptions(command, {
  photos: { type: 'string', default: '120' },
  runs: { type: 'string', default: '5' },
  squares: { type: 'string', default: 'raw' },
  adapter: { type: 'string' },
});
const [count, runs] = [countOf(command, 'photos', options.photos), countOf(command, 'runs', options.runs)];
const codec = squareCodecs[options.squares];
if (!codec && !['raw', 'none'].includes(options.squares)) {
  refuse(command, `--squares must be raw, jpeg, lossless or none; it is '${options.squares}'`);
}
const kept = codec ?? options.squares;

// ViT-L/14's views and features. What it computes is not measured: its features are pixels.
const [grids, views, size, dim] = [[1, 2, 3, 4], 30, 224, 768];
const clip = {
  name: 'pixels',
  config: { vision: { image: size }, projection: dim },
  weightsHash: async () => 'none',
  vision: async () => ({
    config: clip.config,
    forward: (pixels) => slice(reshape(pixels, [pixels.shape[0], 3 * size * size]), 1, 0, dim),
  }),
};
const constants = { mean: [0, 0, 0], std: [1, 1, 1] };
const key = {
  ...{ teacher: 'pixels', weights: 'none', grids, viewSource: 'native', teacherSize: size, ...constants },
  ...{ views, dim, studentSize: size, ...(kept !== 'raw' && { squares: codec?.name ?? kept }) },
};
/** Photos that a real device is given in a run: what it computes of them takes time, and is not measured. */
const ISSUED = 4;

const adapter = options.adapter ? { adapter: options.adapter } : {};
const device = await openDevice({ ...adapter, tuning: false }).catch((error) => refuse(command, error.message));
const folder = await makePhotos(count);
const out = await mkdtemp(join(tmpdir(), 'zeroseg-bench-cache-'));
try {
  await measure();
} finally {
  device.dispose();
  await rm(folder, { recursive: true });
  await rm(out, { recursive: true });
}

/** Measures the parts one after the other, and all of them as `fillCache` runs them, so often; prints the medians. */
async function measure() {
  const idle = idleDevice();
  const source = await openPhotos(folder, false);
  const features = Float32Array.from({ length: views * dim }, (_, i) => Math.sin(i));
  // Gives away the same features for all: the queue is measured, not the teacher.
  const teacher = { size, dim, pixels: { size, ...constants }, batch: views, encode: async () => features };
  const cut = { grids, source: 'native', squareSize: size, student: size };
  const queues = [idle, device].map((on) => new ViewQueue(on, teacher, cut));
  const squareOf = async (queue, photo) => (await (await queue.add(photo)).student) ?? studentImage(photo, size);
  const times = new Map();
  const time = async (name, photos, work) => {
    const before = processorTime();
    const result = await work();
    const after = processorTime();
    const list = times.get(name) ?? [];
    times.set(name, list);
    list.push(Object.fromEntries(Object.keys(after).map((key) => [key, (after[key] - before[key]) / photos])));
    return result;
  };
  // The first is not counted: kernels and functions are compiled in it.
  for (let run = 0; run <= runs; run++) {
    if (run === 1) times.clear();
    const files = await time('read: status, bytes, SHA-256', count, () => each(source.photos, readStamped));
    const photos = await time('decode', count, () =>
      each(files, ({ bytes, stamp }) => source.decode(bytes, stamp.path)),
    );
    const squares = await time("cut: pack, queue, the student's square", count, () =>
      each(photos, (photo) => squareOf(queues[0], photo)),
    );
    await time('write: halves, checksums, files', count, async () => {
      const cache = await openCache(nodeFileSystem(join(out, `parts-${run}`)), key, { codec });
      await cache.plan(source.photos);
      for (const [i, { stamp }] of files.entries())
        await cache.add(stamp, features, kept === 'none' ? undefined : squares[i]);
      await cache.close();
    });
    await time('all as fillCache runs it', count, () => {
      const how = { grids, viewSource: 'native', studentSize: size, squares: kept };
      return fillCache(idle, { files: nodeFileSystem(join(out, `whole-${run}`)), source, clip, ...how });
    });
    await time('a row of training, in batches of 32', count, async () => {
      const cache = await readFeatures(join(out, `parts-${run}`), kept === 'none' ? folder : undefined);
      const data = cachedData(cache, size);
      for (let i = 0; i < count; i += 32) {
        await data.batch(Array.from({ length: Math.min(32, count - i) }, (_, k) => i + k));
      }
      await cache.close();
    });
    const some = photos.slice(0, ISSUED);
    const [idly, really] = [`cut of ${ISSUED} photos`, `the same, given to ${device.name}`];
    for (const [i, name] of [idly, really].entries()) {
      await (await queues[i].add(some[0])).student; // its step is there
      await time(name, ISSUED, async () => {
        for (const photo of some) await queues[i].add(photo);
      });
    }
    await device.finished();
  }
  for (const queue of queues) queue.dispose();
  const of = (name, key) => median(times.get(name).map((one) => one[key]));
  console.log(
    `${count} photos of ImageNet's sizes, squares ${options.squares}, ${runs} runs; ms of processor time a photo`,
  );
  const rows = [...times.keys()].map((name) => [name, ...['all', 'main'].map((key) => of(name, key).toFixed(2))]);
  for (const line of markdownTable(['', 'all threads', 'of it the main one'], rows)) console.log(line);
  const [idly, really] = [...times.keys()].slice(-2);
  const driver = Math.max(0, of(really, 'main') - of(idly, 'main'));
  const beside = of('all as fillCache runs it', 'all') - of('decode', 'all') + driver;
  console.log(`beside the decode, with the driver's ${driver.toFixed(2)}: ${beside.toFixed(2)} ms`);
}

/** Four at a time, as `fillCache` prepares them. */
async function each(list, work) {
  const results = [];
  const items = list.entries();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (const [i, item] of items) results[i] = await work(item);
    }),
  );
  return results;
}

function median(list) {
  return list.toSorted((a, b) => a - b)[list.length >> 1];
}
