import { writeFile } from 'node:fs/promises';
import { checkTarget, countOf, readOptions, refuse } from '../options.mjs';

const { openDevice } = await import('../../dist/index.js');
const { newWeights } = await import('../../dist/nn/index.js');
const { defaultSettings, presets, tinyConfig, Trainer, viewCount, ZeroSeg } = await import(
  '../../dist/zeroseg/index.js'
);
const { digits, markdownTable } = await import('../../cli/dist/bench/tables.js');
const { trainingCost } = await import('../../cli/dist/plan/costs.js');
const { measuredDevice } = await import('../../cli/dist/plan/devices.js');
const { secondsOf } = await import('../../cli/dist/plan/rates.js');

const command = 'bench:plan';
const options = readOptions(command, {
  benchmark: { type: 'string' },
  adapter: { type: 'string' },
  runs: { type: 'string', default: '9' },
  json: { type: 'string' },
});
const runs = countOf(command, 'runs', options.runs);
if (options.json) checkTarget(command, 'json', options.json);
if (!options.benchmark) refuse(command, '--benchmark is missing: a file that `zeroseg bench --json FILE` wrote here');

const width = (dim) => ({ ...tinyConfig, dim, dec_dim: (dim * 2) / 3, proj_hidden: 2 * dim });

/** Trainings of a second a step at most on a processor, none of which the benchmark has: what, configuration, images of a batch and of a micro-batch. */
const trainings = [
  ['tiny', tinyConfig, 4, 4],
  ['tiny', tinyConfig, 16, 16],
  ['tiny', tinyConfig, 16, 4],
  ['tiny, 96 px', { ...tinyConfig, image: 96 }, 4, 4],
  ['tiny, 128 px', { ...tinyConfig, image: 128 }, 8, 8],
  ['width 48', width(48), 8, 8],
  ['width 144', width(144), 8, 8],
  ['scenes', presets.scenes.config, 16, 16],
].map(([title, config, batch, micro]) => ({ title, config, batch, micro }));

const planned = await measuredDevice(options.benchmark).catch((error) => refuse(command, error.message));
const device = await openDevice(options.adapter ? { adapter: options.adapter } : {}).catch((error) =>
  refuse(command, error.message),
);
try {
  if (device.name !== planned.name) {
    refuse(command, `--benchmark is of ${planned.name}, and this is ${device.name}; give --adapter, or another file`);
  }
  await compare();
} finally {
  device.dispose();
}

/** Trains all of them in turns, a step at a time, and prints what steps took beside what was planned. */
async function compare() {
  const begun = [];
  for (const { title, config, batch, micro } of trainings) {
    const settings = { ...defaultSettings, batch, micro, epochs: 1000 };
    const cost = await trainingCost(planned.facts, { config, settings, ranks: 1 });
    const passes = batch / micro;
    const predicted = passes * secondsOf(cost.work, planned.rates) + secondsOf(cost.update, planned.rates);
    const trainer = await Trainer.create(
      device,
      new ZeroSeg(newWeights(device, 1), config),
      noise(config, batch),
      settings,
    );
    begun.push({ title, config, batch, micro, predicted, trainer, steps: trainer.run(), seconds: [] });
    // Compiles what is new.
    await begun.at(-1).steps.next();
    console.error(`made: ${title}, batch ${batch} in ${micro}`);
  }
  for (let run = 0; run < runs; run++) {
    for (const one of begun) {
      const before = clock();
      await one.steps.next();
      one.seconds.push(clock() - before);
    }
  }
  const rows = begun.map(({ title, batch, micro, predicted, seconds }) => {
    // The least: what else the machine does takes caches away, and can only add.
    return { title, batch, micro, predicted, measured: Math.min(...seconds) };
  });
  // Of what all of them are off together: how busy the machine was when the benchmark ran, and is now.
  const together = Math.exp(mean(rows.map(({ predicted, measured }) => Math.log(predicted / measured))));
  const head = ['', 'batch', 'micro-batch', 'predicted ms', 'measured ms', 'ratio', 'over the mean ratio'];
  const cells = rows.map(({ title, batch, micro, predicted, measured }) => [
    ...[title, String(batch), String(micro), digits(1e3 * predicted), digits(1e3 * measured)],
    ...[predicted / measured, predicted / measured / together].map((ratio) => ratio.toFixed(2)),
  ]);
  console.log(
    `steps of training on ${device.name}, by ${planned.clock === 'processor' ? 'processor time' : 'the wall clock'}, least of ${runs}:`,
  );
  for (const line of markdownTable(head, cells)) console.log(line);
  if (options.json)
    await writeFile(
      options.json,
      `${JSON.stringify({ adapter: device.name, clock: planned.clock, rows }, undefined, 2)}\n`,
    );
  for (const { trainer } of begun) trainer.dispose();
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** As many images of noise as a batch has, which every step is given again. */
function noise({ image, grids, clip_dim }, length) {
  const values = (count) =>
    Float32Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >> 8) / 2 ** 23);
  const [images, views] = [values(length * 3 * image * image), values(length * viewCount(grids) * clip_dim)];
  const [pixels, features] = [images.length / length, views.length / length];
  return {
    length,
    batch: async (numbers) => ({
      images: images.slice(0, numbers.length * pixels),
      views: views.slice(0, numbers.length * features),
    }),
  };
}

/** Seconds, of the clock that the benchmark went by: of a GPU, whose own clock does not tell of whole steps, those that pass. */
function clock() {
  if (planned.clock !== 'processor') return performance.now() / 1e3;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
