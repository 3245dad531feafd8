// npm run bench:matrices: products by the GPU's matrix units beside those by the usual tiles. Are they the same, and how long do they take?

import { countOf, readOptions, refuse } from '../options.mjs';

// Read when the GPU is opened: Dawn gives no experimental feature without it.
process.env.ZEROSEG_DAWN_FEATURES ??= 'allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model';

const { cast, free, gradients, linear, matmul, openDevice, readAll, step, useSubgroupMatrices, variable } =
  await import('../../dist/index.js');
const { digits, markdownTable } = await import('../../cli/dist/bench/tables.js');

const command = 'bench:matrices';
const options = readOptions(command, {
  adapter: { type: 'string' },
  runs: { type: 'string', default: '11' },
  help: { type: 'boolean', default: false },
});
if (options.help) {
  console.log(`npm run bench:matrices -- [options]
  --adapter NAME   hardware, or part of an adapter's name
  --runs N         runs of each product, of which the median counts (default 11)`);
  process.exit(0);
}
const runs = countOf(command, 'runs', options.runs);

/** Layers of a vision transformer, squares, and edges on all sides: rows, inner axis, columns. */
const products = [
  ['linear', 788, 384, 1536],
  ['linear', 788, 769, 1023],
  ['gradients', 788, 384, 1536],
  ['matmul', 1024, 1024, 1024],
  ['matmul', 4096, 4096, 4096],
  ['matmul', 257, 3001, 131],
];
const dtypes = ['f32', 'f16'];

const open = () =>
  openDevice({ notice: null, tuning: false, ...(options.adapter && { adapter: options.adapter }) }).catch((error) =>
    refuse(command, error.message),
  );
// What computes by matrix units does so from then on.
const [usualDevice, unitsDevice] = [await open(), await open()];
try {
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = unitsDevice.adapter;
  const units = [...subgroupMatrixConfigs].map(
    (unit) => `${unit.componentType} to ${unit.resultComponentType} ${unit.M}x${unit.N}x${unit.K}`,
  );
  console.log(
    `${unitsDevice.name}: ${units.join(', ') || 'no matrix units'}; subgroups of ${subgroupMinSize} to ${subgroupMaxSize}`,
  );
  await useSubgroupMatrices(unitsDevice).catch((error) => refuse(command, error.message));
  const usual = await measure(usualDevice);
  const byUnits = await measure(unitsDevice);
  const rows = usual.map(({ name, ms, values, flops }, i) => {
    const other = byUnits[i];
    return [
      name,
      digits(ms),
      digits(other.ms),
      digits(ms / other.ms),
      digits(flops / other.ms / 1e9),
      difference(values, other.values).toExponential(1),
    ];
  });
  const head = ['', 'ms, tiles', 'ms, matrix units', 'times as fast', 'TFLOP/s', 'largest difference / largest value'];
  for (const line of markdownTable(head, rows)) console.log(line);
  // Rounding to f16 alone differs by 2⁻¹¹; sums of f32 by less than 1e-5.
  const wrong = rows.filter((row) => !(Number(row.at(-1)) <= (row[0].endsWith('f16') ? 1e-3 : 1e-5)));
  if (wrong.length > 0)
    refuse(command, `these differ by more than rounding: ${wrong.map(([name]) => name).join(', ')}`);
} finally {
  usualDevice.dispose();
  unitsDevice.dispose();
}

/** Time and results of every product, as a device computes them. */
async function measure(device) {
  const found = [];
  for (const dtype of dtypes.filter((name) => name === 'f32' || device.features.has('shader-f16'))) {
    for (const [what, rows, inner, cols] of products) {
      const weightShape = what === 'matmul' ? [inner, cols] : [cols, inner];
      const given = [
        variable(device, [rows, inner], numbers(rows * inner, 1)),
        variable(device, weightShape, numbers(inner * cols, 2)),
      ];
      const bias = variable(device, [cols], numbers(cols, 3));
      const dy = variable(device, [rows, cols], numbers(rows * cols, 4));
      const cases = await step(device, {}, () => [...given, bias, dy].map((x) => cast(x, dtype)));
      const [x, w, b, d] = cases({});
      const run = await step(device, {}, () => {
        if (what === 'matmul') return [matmul(x, w)];
        const y = linear(x, w, { bias: b });
        return what === 'linear' ? [y] : gradients(y, [x, w, b], d);
      });
      const results = run({});
      const check = await step(device, {}, () => results.map((y) => cast(y, 'f32')));
      const values = await readAll(check({}));
      const times = [];
      for (let i = 0; i < runs; i++) times.push(await time(device, run));
      times.sort((one, other) => one - other);
      const flops = 2 * rows * inner * cols * (what === 'gradients' ? 2 : 1);
      found.push({ name: `${what} ${rows} × ${inner} × ${cols} ${dtype}`, ms: times[runs >> 1], values, flops });
      for (const one of [check, run, cases]) one.dispose();
      for (const one of [...given, bias, dy]) free(one);
    }
  }
  return found;
}

/** Milliseconds of a run, over as many as take at least two. */
async function time(device, run) {
  for (let count = 1; ; count *= 4) {
    const began = performance.now();
    for (let i = 0; i < count; i++) run({});
    await device.finished();
    const ms = performance.now() - began;
    if (ms > 2 || count >= 256) return ms / count;
  }
}

/** From -1 to 1: a multiplicative hash of the index. */
function numbers(count, seed) {
  return Float32Array.from({ length: count }, (_, i) => (Math.imul(i * 4 + seed, 0x9e3779b1) >> 16) / 0x8000);
}

/** Of any result: how far apart, by the largest value of it. NaN where one has it. */
function difference(some, others) {
  return some.reduce((most, values, n) => {
    let [apart, scale] = [0, 0];
    for (const [i, x] of values.entries()) {
      apart = Math.max(apart, Math.abs(x - others[n][i]));
      scale = Math.max(scale, Math.abs(x));
    }
    return Math.max(most, apart / scale);
  }, 0);
}
