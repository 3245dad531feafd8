// npm run bench:eager: what three small ops and a read cost without a step, beside the same written in WebGPU by hand, and beside less of it.
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countOf, readOptions, refuse } from '../options.mjs';

const command = 'bench:eager';
const options = readOptions(command, {
  adapter: { type: 'string' },
  turns: { type: 'string', default: '60' },
  build: { type: 'string', default: resolve(dirname(fileURLToPath(import.meta.url)), '../../dist') },
  help: { type: 'boolean', default: false },
});
if (options.help) {
  console.log(`npm run bench:eager -- [options]
  --adapter NAME   lavapipe, swiftshader, hardware, or part of an adapter's name
  --turns N        rounds; in each everything has a turn of 20 reads (default 60)
  --build LIST     builds of @zeroseg/core to measure, separated by commas (default dist)`);
  process.exit(0);
}
const turns = countOf(command, 'turns', options.turns);
const builds = options.build.split(',').map((folder) => resolve(folder));

/** How many reads a turn has, and how many of each come before the first: V8 compiles functions again and again until then. */
const READS = { turn: 20, before: 5000 };
const N = 64;
const a = Float32Array.from({ length: N }, (_, i) => i - 32);
const b = Float32Array.from({ length: N }, (_, i) => 1 - i / 32);
const expected = a.map((value, i) => Math.max(0, value * b[i] + value));

const devices = [];
const contenders = [];
for (const build of builds) {
  const { add, mul, openDevice, read, relu, variable } = await import(`${build}/index.js`);
  const device = await openDevice({ notice: null, ...(options.adapter && { adapter: options.adapter }) }).catch(
    (error) => refuse(command, error.message),
  );
  devices.push(device);
  const [x, y] = [variable(device, [N], a), variable(device, [N], b)];
  const name = builds.length > 1 ? `@zeroseg/core, ${build}` : '@zeroseg/core';
  contenders.push({ name, read: () => read(relu(add(mul(x, y), x))) });
}
// The library's way to wait, so that only the rest differs.
const { awaitWithBackoff } = await import(`${builds[0]}/gpu/platform/provider.node.js`);
const wait = devices[0].isSoftware ? awaitWithBackoff : (promise) => promise;
contenders.push(...byHand(devices[0].gpu));

for (let i = 0; i < READS.before; i += READS.turn) {
  for (const { read } of contenders) for (let k = 0; k < READS.turn; k++) await read();
}
for (const { name, read, isPart } of contenders) {
  const values = await read();
  if (!isPart && values.some((value, i) => value !== expected[i])) refuse(command, `${name} computes something else`);
}
const times = contenders.map(() => ({ processor: [], wall: [] }));
for (let turn = 0; turn < turns; turn++) {
  for (let i = 0; i < contenders.length; i++) {
    // Who begins changes from round to round.
    const at = (i + turn) % contenders.length;
    const { read } = contenders[at];
    const [processor, wall] = [process.cpuUsage(), performance.now()];
    for (let k = 0; k < READS.turn; k++) await read();
    const { user, system } = process.cpuUsage(processor);
    times[at].processor.push((user + system) / 1000 / READS.turn);
    times[at].wall.push((performance.now() - wall) / READS.turn);
  }
}
console.log(`${devices[0].name}, ${turns} turns of ${READS.turn} reads, milliseconds a read\n`);
console.log('| | processor, median | fastest tenth | wall clock, median |\n| --- | --- | --- | --- |');
contenders.forEach(({ name }, i) => {
  const { processor, wall } = times[i];
  const cells = [quantile(processor, 0.5), quantile(processor, 0.1), quantile(wall, 0.5)];
  console.log(`| ${name} | ${cells.map((time) => time.toFixed(2)).join(' | ')} |`);
});
for (const device of devices) device.dispose();

/** Three dispatches and a read with pipelines, bind groups and buffers that are there; then with fewer. */
function byHand(gpu) {
  const [STORAGE, COPY_SOURCE, COPY_TARGET, MAP_READ] = [0x80, 0x4, 0x8, 0x1];
  const bytes = N * 4;
  const buffer = (usage) => gpu.createBuffer({ size: bytes, usage });
  const [x, y, product, sum, result] = Array.from({ length: 5 }, () => buffer(STORAGE | COPY_SOURCE | COPY_TARGET));
  const staging = buffer(MAP_READ | COPY_TARGET);
  gpu.queue.writeBuffer(x, 0, a);
  gpu.queue.writeBuffer(y, 0, b);
  const launch = (expression, left, right, to) => {
    const code = `
      @group(0) @binding(0) var<storage, read> a: array<f32>;
      @group(0) @binding(1) var<storage, read> b: array<f32>;
      @group(0) @binding(2) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(${N}) fn main(@builtin(global_invocation_id) id: vec3u) {
        let i = id.x;
        y[i] = ${expression};
      }`;
    const module = gpu.createShaderModule({ code });
    const pipeline = gpu.createComputePipeline({ layout: 'auto', compute: { module } });
    const entries = [left, right, to].map((buffer, binding) => ({ binding, resource: { buffer } }));
    return { pipeline, group: gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
  };
  const three = [
    launch('a[i] * b[i]', x, y, product),
    launch('a[i] + b[i]', product, x, sum),
    launch('max(a[i], 0.0 * b[i])', sum, x, result),
  ];
  const one = [launch('max(a[i] * b[i] + a[i], 0.0)', x, y, result)];
  const map = async () => {
    await wait(staging.mapAsync(MAP_READ));
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return values;
  };
  const reading = (launches) => () => {
    const encoder = gpu.createCommandEncoder();
    if (launches.length > 0) {
      const pass = encoder.beginComputePass();
      for (const { pipeline, group } of launches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(1);
      }
      pass.end();
    }
    encoder.copyBufferToBuffer(result, 0, staging, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    return map();
  };
  return [
    { name: 'WebGPU by hand: three dispatches, a copy and a map', read: reading(three) },
    { name: 'one dispatch, a copy and a map', read: reading(one) },
    { name: 'a copy and a map', read: reading([]), isPart: true },
    { name: 'a map', read: map, isPart: true },
  ];
}

/** The value below which a share of the values lies. */
function quantile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)];
}
