import { type Device, KernelError, type Launch, type Tensor } from '@zeroseg/core';
import { bufferUsage, memoryOf, source } from '@zeroseg/core/internal';
import { parse } from '../wgsl/index.ts';
import { type Analysis, analyse } from './analysis.ts';
import { headWords, type Instrumented, instrument, MOST_GROUPS } from './instrument.ts';

/** What one workgroup of a launch did. */
export interface GroupTrace {
  /** How often each invocation came through each block: `[invocations, blocks]`. */
  readonly passes: Uint32Array;
  /**
   * Of each invocation: `room` entries in order, each a site's number plus 1 and a place; 0 where there are fewer. With `paths` the path
   * follows, and the number may be that of a block plus 1, beyond those of all sites.
   */
  readonly entries: Uint32Array;
  readonly room: number;
  /** How many entries each invocation would have written, had there been room for them. */
  readonly noted: Uint32Array;
  /** Lanes of a warp were in different turns of their loops: requests are known by their paths. */
  readonly paths: boolean;
}

/** A launch, and what it was found to be. */
export interface Traced {
  readonly launch: Launch;
  readonly analysis: Analysis;
  /** Workgroups of the launch, and how many of them were traced. */
  readonly workgroups: number;
  readonly traced: number;
}

/** Bytes of the buffer that traces are written to: in every adapter's limit of a binding. */
const MOST_TRACE = 2 ** 26;
/** Bytes of a bound buffer: places beyond it read its last element, and are noted as they are. */
const MOST_VALUES = 2 ** 22;

/**
 * Runs a few workgroups of a launch, spread over its grid, with its instrumented source, and shows what each did.
 * `most`: how many, at most 64.
 *
 * What variables and constants hold is there; what other launches would have written is noise between -1 and 1, and 0 where it is whole
 * numbers. The device needs no feature but what the kernel itself needs; a software adapter will do.
 *
 * @throws WgslError for WGSL that is not understood; KernelError when the instrumented kernel does not compile.
 */
export async function trace(
  device: Device,
  launch: Launch,
  most: number,
  see: (group: GroupTrace, analysis: Analysis) => void,
): Promise<Traced> {
  const { kernel, grid, constants } = launch;
  if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
  const text = source(kernel, launch.element);
  const analysis = analyse(text, parse(text), { ...kernel.override, ...constants });
  const written = new Set(kernel.names.filter((_, i) => kernel.bindings[i]?.access === 'write'));
  const workgroups = grid[0] * grid[1] * grid[2];
  const places = spread(workgroups, Math.min(most, MOST_GROUPS)).map((flat) => [
    flat % grid[0],
    Math.floor(flat / grid[0]) % grid[1],
    Math.floor(flat / (grid[0] * grid[1])),
  ]);
  const [x, y, z] = analysis.workgroupSize;
  const invocations = x * y * z;
  const bytesOf = (variable: string) => boundBytes(launch.tensors[kernel.names.indexOf(variable)] as Tensor);
  let made = instrument(text, analysis, written, bytesOf);
  let run = await InstrumentedLaunch.make(device, launch, made);
  try {
    // First without entries: what is left of each invocation says how many there would be, and whether warps keep together.
    let head = await run.run(places, invocations, 0);
    const paths = !areTogether(head, made, places.length, invocations);
    if (paths) {
      run[Symbol.dispose]();
      made = instrument(text, analysis, written, bytesOf, 'paths');
      run = await InstrumentedLaunch.make(device, launch, made);
      head = await run.run(places, invocations, 0);
    }
    const { blocks, entryWords } = made;
    const room = Math.min(
      longest(head, made, places.length * invocations),
      Math.floor((MOST_TRACE / 4 / invocations - headWords(blocks)) / entryWords) - 1,
    );
    const words = invocations * stretchOf(made, room);
    const together = Math.max(1, Math.floor(MOST_TRACE / 4 / words));
    for (let from = 0; from < places.length; from += together) {
      const some = places.slice(from, from + together);
      const log = await run.run(some, invocations, room);
      for (let i = 0; i < some.length; i++) {
        const own = split(log.subarray(i * words, (i + 1) * words), made, invocations, room);
        see({ ...own, room, paths }, analysis);
      }
    }
  } finally {
    run[Symbol.dispose]();
  }
  return { launch, analysis, workgroups, traced: places.length };
}

/** Bytes of the binding of a tensor. */
const boundBytes = ({ storage }: Tensor): number => Math.max(16, storage.bytes);

/** Places in the middle of equal parts of a grid; all of it where it is small. */
function spread(all: number, most: number): number[] {
  const count = Math.min(all, most);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * all) / count));
}

/** Words that an invocation writes: what is said of all, entries, and a place for those beyond. */
const stretchOf = ({ blocks, entryWords }: Instrumented, room: number): number =>
  headWords(blocks) + entryWords * (room + 1);

/** The most entries of an invocation. */
function longest(log: Uint32Array, made: Instrumented, invocations: number): number {
  let most = 0;
  for (let i = 0; i < invocations; i++) most = Math.max(most, log[i * stretchOf(made, 0)] as number);
  return most;
}

/** Lanes of the widest warps. */
const WARP = 32;

/**
 * Whether lanes of a warp keep together: those that came through a block at all did so equally often, and in the same turns of the loops around
 * it. Of lanes that came less often it is not known in which turns.
 */
function areTogether(log: Uint32Array, made: Instrumented, groups: number, invocations: number): boolean {
  const stretch = stretchOf(made, 0);
  for (let group = 0; group < groups; group++) {
    for (let first = 0; first < invocations; first += WARP) {
      for (let block = 0; block < made.blocks; block++) {
        let known: readonly [passes: number, paths: number] | undefined;
        for (let lane = first; lane < Math.min(first + WARP, invocations); lane++) {
          const at = (group * invocations + lane) * stretch + 1 + 2 * block;
          const [passes, paths] = [log[at] as number, log[at + 1] as number];
          if (passes === 0) continue;
          known ??= [passes, paths];
          if (known[0] !== passes || known[1] !== paths) return false;
        }
      }
    }
  }
  return true;
}

/** Parts what lies together for each invocation. */
function split(log: Uint32Array, made: Instrumented, invocations: number, room: number) {
  const { blocks, entryWords } = made;
  const passes = new Uint32Array(invocations * blocks);
  const noted = new Uint32Array(invocations);
  const entries = new Uint32Array(invocations * entryWords * room);
  for (let i = 0; i < invocations; i++) {
    const at = i * stretchOf(made, room);
    for (let block = 0; block < blocks; block++) passes[i * blocks + block] = log[at + 1 + 2 * block] as number;
    noted[i] = log[at] as number;
    const from = at + headWords(blocks);
    entries.set(log.subarray(from, from + entryWords * room), i * entryWords * room);
  }
  return { passes, noted, entries };
}

const COMPUTE_STAGE = 4;

class InstrumentedLaunch implements Disposable {
  readonly #device: Device;
  readonly #owned: GPUBuffer[] = [];
  readonly #made: Instrumented;
  #pipeline!: GPUComputePipeline;
  #group!: GPUBindGroup;
  #traceLayout!: GPUBindGroupLayout;
  readonly #size: readonly [number, number, number];

  private constructor(device: Device, { grid }: Launch, made: Instrumented) {
    this.#device = device;
    this.#made = made;
    this.#size = grid;
  }

  static async make(device: Device, launch: Launch, made: Instrumented): Promise<InstrumentedLaunch> {
    const one = new InstrumentedLaunch(device, launch, made);
    try {
      await one.#build(launch, made);
      return one;
    } catch (error) {
      one[Symbol.dispose]();
      throw error;
    }
  }

  async #build({ kernel, tensors, params, constants }: Launch, { source: code, dropped }: Instrumented): Promise<void> {
    const { gpu } = this.#device;
    const most = gpu.limits.maxStorageBuffersPerShaderStage;
    const buffers = kernel.names.filter((name) => !dropped.has(name)).length;
    if (buffers >= most) {
      const words = `${kernel.name}: reads and changes ${buffers} buffers, and a trace takes one more; this device has ${most}`;
      throw new KernelError(kernel.name, words, code);
    }
    const entries: GPUBindGroupLayoutEntry[] = [];
    const bound: GPUBindGroupEntry[] = [];
    const bind = (binding: number, type: GPUBufferBindingType, buffer: GPUBuffer) => {
      entries.push({ binding, visibility: COMPUTE_STAGE, buffer: { type } });
      bound.push({ binding, resource: { buffer } });
    };
    for (const [i, name] of kernel.names.entries()) {
      if (dropped.has(name)) continue;
      const type = kernel.bindings[i]?.access === 'read' ? 'read-only-storage' : 'storage';
      bind(i, type, this.#values(tensors[i] as Tensor));
    }
    if (kernel.paramNames.length > 0) bind(kernel.names.length, 'uniform', this.#uniforms(kernel, params));
    const label = `${kernel.name}, instrumented`;
    const { value: module, refusal } = this.#device.scoped(() => gpu.createShaderModule({ code, label }));
    const [{ messages }] = await Promise.all([module.getCompilationInfo(), refusal]);
    const wrong = messages.find(({ type }) => type === 'error');
    if (wrong) {
      const line = code.split('\n')[wrong.lineNum - 1] ?? '';
      const words = `${kernel.name}: its instrumented source does not compile: ${wrong.message}\n    ${line.trim()}`;
      throw new KernelError(kernel.name, words, code);
    }
    const layout = gpu.createBindGroupLayout({ entries, label: kernel.name });
    this.#traceLayout = gpu.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: COMPUTE_STAGE, buffer: { type: 'storage' } },
        { binding: 1, visibility: COMPUTE_STAGE, buffer: { type: 'uniform' } },
      ],
    });
    this.#pipeline = await gpu.createComputePipelineAsync({
      label,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout, this.#traceLayout] }),
      compute: { module, entryPoint: 'main', constants },
    });
    this.#group = gpu.createBindGroup({ layout, entries: bound });
  }

  #buffer(bytes: number, label: string, usage?: number): GPUBuffer {
    const buffer = this.#device.buffer(bytes, label, usage);
    this.#owned.push(buffer);
    return buffer;
  }

  /** The values of a tensor, as far as they are there, and of its beginning only. */
  #values(tensor: Tensor): GPUBuffer {
    const { root, rootOffset, data } = tensor.storage;
    const bytes = Math.min(MOST_VALUES, boundBytes(tensor));
    const buffer = this.#buffer(bytes, 'values for a trace');
    if (root.kind === 'variable' && root.memory) {
      const { buffer: from, offset } = memoryOf(tensor.storage) as { buffer: GPUBuffer; offset: number };
      const encoder = this.#device.gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(from, offset, buffer, 0, Math.min(bytes, from.size - offset) & ~3);
      this.#device.gpu.queue.submit([encoder.finish()]);
    } else if (data) {
      const given = new Uint8Array(data.buffer, data.byteOffset + (root === tensor.storage ? 0 : rootOffset));
      this.#device.gpu.queue.writeBuffer(buffer, 0, given.slice(0, bytes & ~3));
    } else if (tensor.dtype === 'f32') {
      const noise = Float32Array.from({ length: bytes >> 2 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >> 8) / 2 ** 23);
      this.#device.gpu.queue.writeBuffer(buffer, 0, noise);
    }
    return buffer;
  }

  #uniforms({ paramNames, params: types = {} }: Launch['kernel'], values: readonly number[]): GPUBuffer {
    const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(paramNames.length / 4) * 16)));
    for (const [i, name] of paramNames.entries()) {
      const value = values[i] as number;
      if (types[name] === 'f32') view.setFloat32(i * 4, value, true);
      else if (types[name] === 'i32') view.setInt32(i * 4, value, true);
      else view.setUint32(i * 4, value, true);
    }
    const buffer = this.#buffer(view.byteLength, 'uniforms for a trace', bufferUsage.uniform);
    this.#device.gpu.queue.writeBuffer(buffer, 0, new Uint8Array(view.buffer));
    return buffer;
  }

  /** Runs workgroups with the places of others; gives what they wrote. */
  async run(places: readonly (readonly number[])[], invocations: number, room: number): Promise<Uint32Array> {
    const { gpu } = this.#device;
    const bytes = places.length * invocations * stretchOf(this.#made, room) * 4;
    const log = this.#device.buffer(bytes, 'trace');
    const where = new Uint32Array(4 + 4 * MOST_GROUPS);
    where.set([...this.#size, room]);
    for (const [i, place] of places.entries()) where.set(place, 4 + 4 * i);
    const uniform = this.#device.buffer(where.byteLength, 'where to trace', bufferUsage.uniform);
    try {
      gpu.queue.writeBuffer(uniform, 0, where);
      const entries = [log, uniform].map((buffer, binding) => ({ binding, resource: { buffer } }));
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(this.#pipeline);
      pass.setBindGroup(0, this.#group);
      pass.setBindGroup(1, gpu.createBindGroup({ layout: this.#traceLayout, entries }));
      pass.dispatchWorkgroups(places.length);
      pass.end();
      const [read] = await this.#device.readBack(encoder, [{ buffer: log, offset: 0, bytes }]);
      return new Uint32Array(read as ArrayBuffer);
    } finally {
      this.#device.destroyBuffer(log);
      this.#device.destroyBuffer(uniform);
    }
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#owned) this.#device.destroyBuffer(buffer);
  }
}
