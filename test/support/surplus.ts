import type { Device } from '../../src/gpu/device.ts';
import { Recording, record } from '../../src/tensor/graph/record.ts';
import type { Launch, Storage } from '../../src/tensor/graph/tensor.ts';
import { writes } from '../../src/tensor/run/lifetimes.ts';

// Runs launches one by one, each storage in a buffer of its own that goes on behind its end, full of a number of its own: what a
// launch writes where nothing belongs to it shows, also if it is a copy of what it reads there, or a sum.

const BEHIND = 64 * 1024;
/** What the buffer of a number is full of: as f32 some three millions. */
const patternOf = (buffer: number) => 0x4a3c_5d17 + 0x1357 * buffer;
const STORAGE = 0x80 | 0x4 | 0x8;
const UNIFORM = 0x40 | 0x8;

type Grid = readonly [number, number, number];

/** The launches that `body` records. */
export function launchesOf(device: Device, body: () => unknown): readonly Launch[] {
  const recording = new Recording(device, false);
  record(recording, body);
  return recording.launches;
}

/** A one-dimensional grid as it is wrapped where it is long, with one workgroup too many or two. */
export function withSurplus({ kernel, grid: [x, y, z] }: Launch): Grid {
  if (y !== 1 || z !== 1) throw new Error(`${kernel.name}: a grid of more dimensions than one: ${x} × ${y} × ${z}`);
  return [Math.floor(x / 2) + 1, 2, 1];
}

/** What is wrong if launches get the grids that `grid` gives, instead of their own. */
export async function compareGrids(
  device: Device,
  launches: readonly Launch[],
  grid: (launch: Launch) => Grid,
): Promise<string[]> {
  const plain = await runAll(device, launches, ({ grid: own }) => own);
  const other = await runAll(device, launches, grid);
  const faults = new Set<string>();
  for (const launch of launches) {
    launch.tensors.forEach((tensor, i) => {
      if (!writes(launch, i)) return;
      const { root } = tensor.storage;
      const [a, b] = [plain.get(root) as Uint32Array, other.get(root) as Uint32Array];
      const name = `${launch.kernel.name}: '${launch.kernel.names[i]}'`;
      const words = Math.floor(root.bytes / 4);
      if (a.subarray(0, words).some((word, at) => word !== b[at])) faults.add(`${name} differs`);
      for (const all of [a, b]) {
        const pattern = patternOf([...plain.keys()].indexOf(root));
        if (all.subarray(Math.ceil(root.bytes / 16) * 4).some((word) => word !== pattern)) {
          faults.add(`${name} is written behind its end`);
        }
      }
    });
  }
  return [...faults];
}

async function runAll(
  device: Device,
  launches: readonly Launch[],
  grid: (launch: Launch) => Grid,
): Promise<Map<Storage, Uint32Array>> {
  const buffers = new Map<Storage, GPUBuffer>();
  const uniforms: GPUBuffer[] = [];
  const { gpu } = device;
  const encoder = gpu.createCommandEncoder();
  for (const { root } of launches.flatMap(({ tensors }) => tensors.map(({ storage }) => storage))) {
    if (buffers.has(root)) continue;
    const size = Math.ceil(root.bytes / 16) * 16 + BEHIND;
    const buffer = gpu.createBuffer({ size, usage: STORAGE });
    gpu.queue.writeBuffer(buffer, 0, new Uint32Array(size / 4).fill(patternOf(buffers.size)));
    if (root.data) gpu.queue.writeBuffer(buffer, 0, root.data as GPUAllowSharedBufferSource);
    const { memory } = root;
    if (memory) encoder.copyBufferToBuffer(memory.buffer, memory.offset, buffer, 0, Math.ceil(root.bytes / 4) * 4);
    buffers.set(root, buffer);
  }
  for (const launch of launches) {
    const { kernel, element, constants, tensors } = launch;
    const { pipeline, layout } = await device.compile(kernel, element, constants);
    const entries: GPUBindGroupEntry[] = tensors.map(({ storage }, binding) => {
      const buffer = buffers.get(storage.root) as GPUBuffer;
      return { binding, resource: { buffer, offset: storage.rootOffset } };
    });
    if (launch.params.length > 0) {
      const block = new DataView(new ArrayBuffer(Math.ceil(launch.params.length / 4) * 16));
      kernel.paramNames.forEach((name, i) => {
        const value = launch.params[i] as number;
        if (kernel.params?.[name] === 'f32') block.setFloat32(4 * i, value, true);
        else block.setUint32(4 * i, value, true);
      });
      const buffer = gpu.createBuffer({ size: block.byteLength, usage: UNIFORM });
      gpu.queue.writeBuffer(buffer, 0, block.buffer as ArrayBuffer);
      uniforms.push(buffer);
      entries.push({ binding: tensors.length, resource: { buffer } });
    }
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(...grid(launch));
    pass.end();
  }
  const roots = [...buffers.keys()];
  const bytes = await device.readBack(
    encoder,
    roots.map((root) => ({
      buffer: buffers.get(root) as GPUBuffer,
      offset: 0,
      bytes: (buffers.get(root) as GPUBuffer).size,
    })),
  );
  for (const buffer of [...buffers.values(), ...uniforms]) buffer.destroy();
  return new Map(roots.map((root, i) => [root, new Uint32Array(bytes[i] as ArrayBuffer)]));
}
