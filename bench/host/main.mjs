// npm run bench:host: what a launch of a warm step costs the main thread, which encodes and submits, in processor time.

import { processorTime } from '../cache/processor-time.mjs';
import { countOf, readOptions, refuse } from '../options.mjs';

const { openDevice, step } = await import('../../dist/index.js');
const { tinyConfig } = await import('../../dist/zeroseg/index.js');
const { trainingBody } = await import('../../cli/dist/bench/steps.js');
const { lending } = await import('../../cli/dist/bench/workloads.js');

const command = 'bench:host';
const options = readOptions(command, {
  adapter: { type: 'string' },
  calls: { type: 'string', default: '60' },
  batch: { type: 'string', default: '8' },
  help: { type: 'boolean', default: false },
});
if (options.help) {
  console.log(`npm run bench:host -- [options]
  --adapter NAME   lavapipe, swiftshader, hardware, or part of an adapter's name
  --calls N        calls of ZeroSeg tiny's training step (default 60)
  --batch N        images (default 8)`);
  process.exit(0);
}
if (process.platform !== 'linux')
  refuse(command, 'the processor time of one thread is read from /proc, as Linux has it');
const [calls, batch] = ['calls', 'batch'].map((name) => countOf(command, name, options[name]));

/** Linux brings a thread's time up to date when the thread sleeps. */
const cell = new Int32Array(new SharedArrayBuffer(4));
function now() {
  Atomics.wait(cell, 0, 0, 0.05);
  return processorTime();
}

const device = await openDevice({ notice: null, ...(options.adapter && { adapter: options.adapter }) }).catch((error) =>
  refuse(command, error.message),
);
try {
  await lending(device, async (lend) => {
    const train = lend.keep(await step(device, {}, trainingBody(lend, tinyConfig, batch)));
    train({});
    await device.finished();
    const [main, all] = [[], []];
    for (let i = 0; i < calls; i++) {
      const before = now();
      train({});
      const called = now();
      await device.finished();
      main.push(((called.main - before.main) * 1e3) / train.launches.length);
      all.push(now().all - before.all);
    }
    console.log(`${device.name}: ZeroSeg tiny, batch ${batch}, training step of ${train.launches.length} launches`);
    console.log(`main thread, processor time of a call: ${spread(main)} µs a launch`);
    console.log(`all threads, processor time of a step: ${spread(all)} ms`);
  });
} finally {
  device.dispose();
}

function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.floor(part * (sorted.length - 1))].toFixed(1);
  return `median ${at(0.5)}, nine in ten below ${at(0.9)}, least ${at(0)}`;
}
