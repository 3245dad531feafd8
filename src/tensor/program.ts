import { bufferUsage, type CompiledKernel, type Device } from '../gpu/device.ts';
import { formatBytes, KernelError, OutOfMemoryError } from '../gpu/errors.ts';
import { type Binding, source } from '../gpu/kernel.ts';
import type { Slot } from '../gpu/slots.ts';
import { StepError } from './errors.ts';
import { type Lifetime, mostAlive, type Part, plan } from './plan.ts';
import type { Launch } from './record.ts';
import { formatShape } from './shape.ts';
import { type Memory, memoryOf, type Storage, type Tensor } from './tensor.ts';

/** One launch, ready to be replayed. */
export interface Bound {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/** What a program takes of GPU memory, in bytes. */
export interface MemoryUse {
  /** Slots for intermediates and inputs as the plan lays them, shared with other steps of the device. */
  readonly planned: number;
  /** The most bytes of them that are alive at one launch: no plan can do with less. */
  readonly needed: number;
  /** The buffers that hold those slots: equal to `planned` unless larger ones of other steps are reused. */
  readonly slots: number;
  /** What the step returns, and constants. */
  readonly own: number;
  readonly uniforms: number;
  /** What all intermediates would take if none shared memory. */
  readonly unplanned: number;
}

const FOREVER = Number.MAX_SAFE_INTEGER;
const UNIFORM_ALIGNMENT = 256;

/**
 * Launches with memory: planned, compiled and bound once, encoded any number of times. Steps are programs that are kept;
 * a read outside of steps is a program that is used once.
 */
export class Program {
  readonly device: Device;
  readonly launches: readonly Launch[];
  readonly memory: MemoryUse;
  readonly bound: readonly Bound[];
  /** Where each recorded, constant or input root lies. */
  readonly #memories: ReadonlyMap<Storage, Memory>;
  readonly #slots: readonly Slot[];
  readonly #own: readonly GPUBuffer[];
  /** What {@link encode} calls, laid flat: at 1000 launches a step every property that is looked up counts. */
  readonly #pipelines: readonly (GPUComputePipeline | undefined)[];
  readonly #groups: readonly GPUBindGroup[];
  readonly #grids: Uint32Array;
  #disposed = false;

  private constructor(
    device: Device,
    launches: readonly Launch[],
    memory: MemoryUse,
    bound: readonly Bound[],
    memories: ReadonlyMap<Storage, Memory>,
    slots: readonly Slot[],
    own: readonly GPUBuffer[],
  ) {
    this.device = device;
    this.launches = launches;
    this.memory = memory;
    this.bound = bound;
    this.#memories = memories;
    this.#slots = slots;
    this.#own = own;
    // A pipeline stays set until another one is.
    this.#pipelines = bound.map(({ pipeline }, i) => (pipeline === bound[i - 1]?.pipeline ? undefined : pipeline));
    this.#groups = bound.map(({ group }) => group);
    this.#grids = Uint32Array.from(bound.flatMap(({ launch }) => launch.grid));
  }

  /**
   * Plans, compiles and binds. `held` are roots whose memory must be the program's own and survive it being replayed;
   * `kept` ones (inputs, results of a read) only survive to the end of a call. Constants are uploaded.
   */
  static async build(
    device: Device,
    launches: readonly Launch[],
    held: ReadonlySet<Storage>,
    kept: ReadonlySet<Storage>,
  ): Promise<Program> {
    device.check();
    const compiled = await compileAll(device, launches);
    const { roots, lives } = lifetimes(launches, kept);
    const shared: Storage[] = [];
    const separate: Storage[] = [];
    for (const root of roots) (held.has(root) || root.kind === 'constant' ? separate : shared).push(root);
    for (const root of held) if (!roots.includes(root)) separate.push(root);
    for (const root of kept) if (!roots.includes(root) && !held.has(root)) shared.push(root);

    const alive = shared.map((root) => lives.get(root) ?? { bytes: slotBytes(root), first: -1, last: FOREVER });
    const planned = plan(alive, device.limits.minStorageBufferOffsetAlignment);
    const own: GPUBuffer[] = [];
    let slots: Slot[] = [];
    try {
      slots = device.slots.acquire(planned.slots, 'slot of a step');
      const memories = new Map<Storage, Memory>();
      shared.forEach((root, i) => {
        const { buffer } = slots[planned.slotOf[i] as number] as Slot;
        memories.set(root, { buffer, offset: planned.offsetOf[i] as number });
      });
      let ownBytes = 0;
      for (const root of separate) {
        const buffer = device.buffer(root.bytes, root.kind === 'constant' ? 'constant of a step' : 'result of a step');
        own.push(buffer);
        ownBytes += buffer.size;
        memories.set(root, { buffer, offset: 0 });
        if (root.data) device.gpu.queue.writeBuffer(buffer, 0, root.data as GPUAllowSharedBufferSource);
      }
      const uniforms = packUniforms(device, launches);
      if (uniforms.buffer) own.push(uniforms.buffer);
      const bound = await bindAll(device, launches, compiled, memories, uniforms);
      await device.settle();
      return new Program(
        device,
        launches,
        {
          planned: sum(planned.slots),
          needed: mostAlive(alive),
          slots: sum(slots.map((slot) => slot.buffer.size)),
          own: ownBytes,
          uniforms: uniforms.buffer?.size ?? 0,
          unplanned: sum(shared.map((root) => slotBytes(root))),
        },
        bound,
        memories,
        slots,
        own,
      );
    } catch (error) {
      device.slots.release(slots);
      for (const buffer of own) device.destroyBuffer(buffer);
      throw error;
    }
  }

  /** Where a storage lies during a call of this program. */
  memoryOf(storage: Storage): Memory {
    const own = this.#memories.get(storage.root);
    const memory = own ? { buffer: own.buffer, offset: own.offset + storage.rootOffset } : memoryOf(storage);
    if (!memory) throw new Error('internal: a storage without memory');
    return memory;
  }

  /** The buffers of slots, for check mode. */
  get slotBuffers(): readonly GPUBuffer[] {
    return this.#slots.map((slot) => slot.buffer);
  }

  /** Two or three calls a launch and nothing else: no objects are made here, on the host or on the GPU. */
  encode(pass: GPUComputePassEncoder): void {
    const [pipelines, groups, grids] = [this.#pipelines, this.#groups, this.#grids];
    for (let i = 0, at = 0; i < groups.length; i++, at += 3) {
      const pipeline = pipelines[i];
      if (pipeline) pass.setPipeline(pipeline);
      pass.setBindGroup(0, groups[i]);
      pass.dispatchWorkgroups(grids[at] as number, grids[at + 1] as number, grids[at + 2] as number);
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.device.slots.release(this.#slots);
    for (const buffer of this.#own) this.device.destroyBuffer(buffer);
  }
}

/** All launches that `results` and `effects` depend on, in order; what nobody needs is left out. */
export function collect(results: readonly Tensor[], effects: readonly Launch[]): Launch[] {
  const needed = new Set<Launch>();
  const open: Launch[] = [];
  const need = (launch: Launch) => {
    if (needed.has(launch)) return;
    needed.add(launch);
    open.push(launch);
  };
  for (const result of results) for (const writer of result.storage.root.writers) need(writer);
  for (const effect of effects) need(effect);
  for (let launch = open.pop(); launch; launch = open.pop()) {
    for (const tensor of launch.tensors) {
      for (const writer of tensor.storage.root.writers) if (writer.order < launch.order) need(writer);
    }
  }
  return [...needed].sort((a, b) => a.order - b.order);
}

/**
 * Moves launches that write nothing but lasting tensors (sums of gradients) to where what they need is there, so that what they
 * read dies early. All others stay in their order.
 */
export function schedule(launches: readonly Launch[]): Launch[] {
  const lastWrite = new Map<Storage, number>();
  const lastUse = new Map<Storage, number>();
  const places = launches.map((launch, at) => {
    const uses = launch.tensors.map((t, i) => ({ root: t.storage.root, writes: writes(launch, i) }));
    let place = at;
    if (uses.every((use) => !use.writes || use.root.kind === 'lasting')) {
      place = Math.max(-1, ...uses.map((use) => (use.writes ? lastUse : lastWrite).get(use.root) ?? -1));
    }
    for (const use of uses) {
      lastUse.set(use.root, Math.max(place, lastUse.get(use.root) ?? -1));
      if (use.writes) lastWrite.set(use.root, Math.max(place, lastWrite.get(use.root) ?? -1));
    }
    return place;
  });
  // Stable: what is moved comes behind the launch it waits for, in the order of recording.
  const order = launches.map((_, i) => i).sort((a, b) => (places[a] as number) - (places[b] as number) || a - b);
  return order.map((i) => launches[i] as Launch);
}

async function compileAll(device: Device, launches: readonly Launch[]): Promise<CompiledKernel[]> {
  const results = await Promise.allSettled(
    launches.map((launch) => device.compile(launch.kernel, launch.element, launch.constants)),
  );
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

export function slotBytes(root: Storage): number {
  return Math.max(16, Math.ceil(root.bytes / 16) * 16);
}

/** When the roots that launches use are needed; `kept` ones are needed to the end. */
export function lifetimes(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
): { roots: Storage[]; lives: Map<Storage, Lifetime> } {
  const spans = new Map<Storage, Span>();
  launches.forEach((launch, at) => {
    for (const [i, tensor] of launch.tensors.entries()) {
      const { root } = tensor.storage;
      if (root.kind === 'lasting') continue;
      let span = spans.get(root);
      if (!span) {
        // A tensor without elements needs no writer: a grid without workgroups launches nothing.
        if (root.kind === 'recorded' && root.writers.length === 0 && root.bytes > 0) {
          throw new StepError(`${launch.label}: reads a tensor ${formatShape(tensor.shape)} that nothing writes`);
        }
        if (root.kind === 'input' && !kept.has(root)) {
          throw new StepError(
            `${launch.label}: reads an input of another step; return what you need from that step, or pass it as an input`,
          );
        }
        // Inputs are written before the first launch.
        span = { first: root.kind === 'recorded' ? at : -1, last: at, uses: [], whole: FOREVER, ranges: new Map() };
        spans.set(root, span);
      }
      span.last = at;
      span.uses.push(2 * at + (writes(launch, i) ? 1 : 0));
      if (tensor.storage === root) span.whole = Math.min(span.whole, at);
      else if (!span.ranges.has(tensor.storage)) span.ranges.set(tensor.storage, at);
    }
  });
  const lives = new Map<Storage, Lifetime>();
  for (const [root, { first, last: lastUse, uses, whole, ranges }] of spans) {
    const last = kept.has(root) && root.kind === 'recorded' ? FOREVER : lastUse;
    const parts = inParts(root, whole, ranges) ? partsOf(ranges, last) : undefined;
    lives.set(root, { bytes: slotBytes(root), first, last, uses, ...(parts ? { parts } : {}) });
  }
  return { roots: [...lives.keys()], lives };
}

/** How launches use a root: when, when first as a whole, and when first each range of it. */
interface Span {
  readonly first: number;
  last: number;
  readonly uses: number[];
  whole: number;
  readonly ranges: Map<Storage, number>;
}

/** Smaller ones are not worth the trouble. */
const BYTES_IN_PARTS = 2 ** 20;

/** Whether a root is a page of gradients: written range by range, and then read as a whole. */
function inParts(root: Storage, whole: number, ranges: ReadonlyMap<Storage, number>): boolean {
  if (root.kind !== 'recorded' || root.bytes < BYTES_IN_PARTS) return false;
  return ranges.size > 1 && [...ranges.values()].every((first) => first < whole);
}

function partsOf(ranges: ReadonlyMap<Storage, number>, last: number): Part[] | undefined {
  const parts = [...ranges].map(([range, first]) => ({
    offset: range.rootOffset,
    bytes: slotBytes(range),
    first,
    last,
  }));
  parts.sort((a, b) => a.offset - b.offset);
  const overlap = parts.some(({ offset }, i) => {
    const before = parts[i - 1];
    return before !== undefined && before.offset + before.bytes > offset;
  });
  return overlap ? undefined : parts;
}

/** Whether a launch writes its tensor number `i`. */
export function writes({ kernel, tensors }: Launch, i: number): boolean {
  return tensors[i] !== undefined && !(kernel.bind[kernel.names[i] as string] as Binding).startsWith('read');
}

interface Uniforms {
  readonly buffer: GPUBuffer | undefined;
  readonly offsets: readonly number[];
}

/** All uniform structs in one buffer; equal ones are stored once. */
function packUniforms(device: Device, launches: readonly Launch[]): Uniforms {
  const known = new Map<string, number>();
  const blocks: Uint8Array[] = [];
  const offsets = launches.map((launch) => {
    if (launch.params.length === 0) return 0;
    const block = new ArrayBuffer(Math.ceil((launch.params.length * 4) / 16) * 16);
    const view = new DataView(block);
    launch.kernel.paramNames.forEach((name, i) => {
      const value = launch.params[i] as number;
      const type = launch.kernel.params?.[name];
      if (
        type !== 'f32' &&
        (!Number.isInteger(value) || value < (type === 'i32' ? -(2 ** 31) : 0) || value >= 2 ** 32)
      ) {
        throw new Error(`internal: ${launch.kernel.name}: params.${name} is ${value}, which is no ${type}`);
      }
      if (type === 'f32') view.setFloat32(i * 4, value, true);
      else view.setUint32(i * 4, value >>> 0, true);
    });
    const bytes = new Uint8Array(block);
    const key = bytes.join();
    const before = known.get(key);
    if (before !== undefined) return before;
    const offset = blocks.length * UNIFORM_ALIGNMENT;
    if (bytes.length > UNIFORM_ALIGNMENT) throw new Error(`internal: ${launch.kernel.name} has too many params`);
    known.set(key, offset);
    blocks.push(bytes);
    return offset;
  });
  if (blocks.length === 0) return { buffer: undefined, offsets };
  const all = new Uint8Array(blocks.length * UNIFORM_ALIGNMENT);
  blocks.forEach((block, i) => {
    all.set(block, i * UNIFORM_ALIGNMENT);
  });
  const buffer = device.buffer(all.length, 'uniforms of a step', bufferUsage.uniform);
  device.gpu.queue.writeBuffer(buffer, 0, all);
  return { buffer, offsets };
}

async function bindAll(
  device: Device,
  launches: readonly Launch[],
  compiled: readonly CompiledKernel[],
  memories: ReadonlyMap<Storage, Memory>,
  uniforms: Uniforms,
): Promise<Bound[]> {
  device.gpu.pushErrorScope('validation');
  const bound = launches.map((launch, i): Bound => {
    const { pipeline, layout } = compiled[i] as CompiledKernel;
    const entries: GPUBindGroupEntry[] = launch.tensors.map((tensor, binding) => {
      const { root } = tensor.storage;
      const memory = memories.get(root) ?? root.memory;
      if (!memory) {
        throw new StepError(`${launch.label}: uses a tensor ${formatShape(tensor.shape)} whose memory was freed`);
      }
      // Whole vec4s, so that kernels that take four elements at a time need no other form for the last ones.
      const size = Math.max(16, Math.ceil(tensor.storage.bytes / 16) * 16);
      if (size > device.limits.maxStorageBufferBindingSize) {
        throw new OutOfMemoryError(
          `${launch.label}: binds a tensor ${formatShape(tensor.shape)} of ${formatBytes(size)}; '${device.name}' binds at ` +
            `most ${formatBytes(device.limits.maxStorageBufferBindingSize)}; use a smaller batch or model`,
          size,
        );
      }
      return {
        binding,
        resource: { buffer: memory.buffer, offset: memory.offset + tensor.storage.rootOffset, size },
      };
    });
    if (launch.params.length > 0) {
      entries.push({
        binding: entries.length,
        resource: {
          buffer: uniforms.buffer as GPUBuffer,
          offset: uniforms.offsets[i] as number,
          size: Math.ceil((launch.params.length * 4) / 16) * 16,
        },
      });
    }
    return { launch, pipeline, group: device.gpu.createBindGroup({ layout, entries, label: launch.label }) };
  });
  const error = await device.gpu.popErrorScope();
  if (error) {
    const culprit = launches.find((launch) => error.message.includes(launch.label)) ?? launches[0];
    throw new KernelError(
      culprit?.kernel.name ?? 'step',
      `the GPU rejected the bindings of ${culprit?.label}: ${error.message}`,
      culprit ? source(culprit.kernel, culprit.element) : '',
    );
  }
  return bound;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
