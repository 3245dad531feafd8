// One library in a process of its own: it does what the parent's messages say, one at a time.
//   { open: { library, adapter, build } }         → { label, adapter, software }
//   { prepare: { workload, file } }               → { first, error, wrong }     compile, run, compare with the reference
//   { turn: { span, most } }              → { samples: [{ wall, processor }], counts }
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { globals } from 'webgpu';
import { countCalls, counts, finished, quietly, start } from './meter.mjs';
import { workloads } from './workloads.mjs';

let library;
let prepared;

const actions = {
  async open({ library: name, adapter, build }) {
    Object.assign(globalThis, globals);
    countCalls(globals);
    if (name !== 'zeroseg') {
      const { provide } = await import('../../dist/gpu/platform/provider.node.js');
      const { owner } = await provide(adapter ? { adapter } : {});
      const value = { gpu: owner, userAgent: 'Node', platform: 'Node', language: 'en', hardwareConcurrency: 1 };
      Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
    }
    library = await (await import(`./libraries/${name}.mjs`)).open({ adapter, build });
    const { label, adapter: found, software } = library;
    return { label, adapter: found, software };
  },

  async prepare({ workload: wanted, file }) {
    const workload = workloads.find(({ name }) => name === wanted);
    const inputs = workload.inputs();
    const began = performance.now();
    const processor = process.cpuUsage();
    prepared = await library.prepare(workload, inputs);
    if (!prepared) return { unsupported: true };
    const wrong = [];
    let first;
    let error = 0;
    for (const expected of deserialize(readFileSync(file))) {
      const results = await run();
      first ??= { wall: performance.now() - began, processor: milliseconds(process.cpuUsage(processor)) };
      const values = await prepared.read(results);
      prepared.free(results);
      for (const [name, part] of Object.entries(expected)) {
        const found = difference(values[name], part);
        if (!(found <= part.tolerance)) wrong.push(`${name}: ${found.toExponential(1)}`);
        error = Math.max(error, found);
      }
    }
    return { first, error, wrong };
  },

  async turn({ span, max }) {
    const samples = [];
    const began = performance.now();
    do {
      start();
      const processor = process.cpuUsage();
      const wall = performance.now();
      const results = await run();
      samples.push({ wall: performance.now() - wall, processor: milliseconds(process.cpuUsage(processor)) });
      prepared.free(results);
    } while (performance.now() - began < span && samples.length < max);
    return { samples, counts: { ...counts } };
  },
};

/** Runs the workload once and waits until the GPU is done. */
async function run() {
  const results = await prepared.run();
  if (prepared.wait) await quietly(prepared.wait(results));
  await finished();
  return results;
}

function milliseconds({ user, system }) {
  return (user + system) / 1000;
}

/** The largest error over the scale; infinite where a value is missing or not finite. */
function difference(values, { count, indexes, values: wanted, scale }) {
  if (values?.length !== count || !values.every(Number.isFinite)) return Number.POSITIVE_INFINITY;
  return indexes.reduce((max, index, i) => Math.max(max, Math.abs(values[index] - wanted[i]) / scale), 0);
}

process.on('message', async (message) => {
  const [[action, details]] = Object.entries(message);
  try {
    process.send({ result: await actions[action](details) });
  } catch (error) {
    process.send({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// A library that throws where nobody waits (jax-js sends off work in promises of its own) must not take the rest with it.
process.on('unhandledRejection', (error) => console.error(error));
// A parent that was interrupted leaves no processes behind.
process.on('disconnect', () => process.exit());
