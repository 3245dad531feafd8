import { writeFile } from 'node:fs/promises';
import { checkTarget, countOf, readOptions, refuse } from '../options.mjs';

// Read when the driver is loaded: a first run compiles.
process.env.MESA_SHADER_CACHE_DISABLE = 'true';

const { free, variable, openDevice, read, step } = await import('../../dist/index.js');
const { measureLimits } = await import('../../cli/dist/bench/limits.js');
const { Meter } = await import('../../cli/dist/bench/meter.js');
const { digits, markdownTable } = await import('../../cli/dist/bench/tables.js');
const { versions } = await import('./versions.mjs');

const command = 'bench:ladder';
const options = readOptions(command, {
  quick: { type: 'boolean', default: false },
  adapter: { type: 'string' },
  runs: { type: 'string', default: '7' },
  json: { type: 'string' },
});
const runs = countOf(command, 'runs', options.runs);
if (options.json) checkTarget(command, 'json', options.json);
const n = options.quick ? 512 : 1024;

const device = await openDevice({ ...(options.adapter ? { adapter: options.adapter } : {}), tuning: false }).catch(
  (error) => refuse(command, error.message),
);
try {
  await climb();
} finally {
  device.dispose();
}

/** Measures every version, checks it, and prints the table. */
async function climb() {
  const meter = new Meter(device, runs, processorTime);
  const min = device.adapter.subgroupMinSize ?? 0;
  const lanes = !device.features.has('subgroups') || min < 4 ? 0 : min >= 8 ? 8 : 4;
  console.log(`matmul ${n}³ on ${device.name}, subgroups of ${min || 'no size'}`);
  const limits = await measureLimits(meter, options.quick);
  const [a, b] = [numbers(1), numbers(2)];
  const [left, right] = [variable(device, [n, n], a), variable(device, [n, n], b)];
  const rows = [];
  for (const { name, idea, subgroups, make } of versions) {
    if (subgroups && lanes === 0) {
      console.error(`${name}: needs subgroups of at least 4`);
      continue;
    }
    const multiply = make(n, lanes);
    const began = performance.now();
    const run = await step(device, {}, () => multiply(left, right));
    const y = run({});
    await device.finished();
    const firstMs = performance.now() - began;
    const error = largestError(a, b, await read(y));
    const times = await meter.time(() => void run({}));
    run.dispose();
    const fraction = (2 * n ** 3) / limits.perMs.flops / meter.cost(times);
    rows.push({ name, idea, ...times, gflops: (2 * n ** 3) / times.ms / 1e6, firstMs, fraction, error });
    console.error(`${name}: ${digits(times.ms)} ms`);
  }
  for (const t of [left, right]) free(t);
  const table = rows.map(({ name, ms, processorMs, gflops, fraction, firstMs, error }) => [
    name,
    error < 1e-4 ? digits(ms) : 'wrong',
    digits(processorMs),
    digits(gflops),
    `${digits(fraction * 100)} %`,
    digits(firstMs),
  ]);
  const head = [
    '',
    'ms',
    'CPU ms',
    'GFLOP/s',
    `of ${digits(limits.flopsPerSecond / 1e9)} GFLOP/s`,
    'first run ms, cold',
  ];
  for (const line of markdownTable(head, table)) console.log(line);
  if (options.json) {
    const about = { adapter: device.name, software: device.isSoftware, clock: meter.clock, n, limits };
    await writeFile(options.json, `${JSON.stringify({ ...about, rows }, undefined, 2)}\n`);
  }
  if (rows.some(({ error }) => !(error < 1e-4))) process.exitCode = 1;
}

/** Between -1 and 1: a multiplicative hash of the index. */
function numbers(seed) {
  return Float32Array.from({ length: n * n }, (_, i) => (Math.imul(i + seed * 7919, 0x9e3779b1) >> 8) / 2 ** 23);
}

/** Of 500 elements, against sums in float64; over the root mean square of those. */
function largestError(a, b, y) {
  let [largest, squares] = [0, 0];
  const count = 500;
  for (let s = 0; s < count; s++) {
    const at = s === 0 ? 0 : s === 1 ? n * n - 1 : (Math.imul(s, 0x9e3779b1) >>> 0) % (n * n);
    const [row, col] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + col];
    const error = Math.abs(y[at] - sum);
    largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error);
    squares += sum * sum;
  }
  return largest / Math.sqrt(squares / count);
}

function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
