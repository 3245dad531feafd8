import type { GPUBuffer } from '../../gpu/index.ts';
import { bufferUsage, type Device, formatBytes, OutOfMemoryError, type Slot } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, type Storage, type Tensor } from '../graph/index.ts';
import { formatShape, StepError } from '../values/index.ts';
import { FOREVER, lifetimes, type PartsOf, slotBytes } from './lifetimes.ts';
import { type Lifetime, type plan, planInTime } from './plan.ts';

/** What a launch binds. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Launches with memory. */
export interface Laid {
  readonly launches: readonly Launch[];
  /** Where each root lies that is no variable, and each variable of which a copy was made. */
  readonly memories: ReadonlyMap<Storage, Memory>;
  /** What each launch binds: its tensors, then its uniforms. */
  readonly places: readonly (readonly Place[])[];
  readonly slots: readonly Slot[];
  /** Bytes of the slots, as planned: the buffers may be larger. */
  readonly planned: readonly number[];
  /** What shares them. */
  readonly alive: readonly Lifetime[];
  /** Uniforms among them. */
  readonly own: readonly GPUBuffer[];
  readonly uniforms: GPUBuffer | undefined;
}

export interface LayOutOptions {
  /** Roots whose memory must be the program's own and survive it being replayed. */
  readonly returned?: ReadonlySet<Storage>;
  /** Roots (inputs, results of a read) that only survive to the end of a call. */
  readonly liveOut?: ReadonlySet<Storage>;
  /**
   * Takes variables as they are now: these, and those that the launches read, are copied by commands that are submitted
   * here. For a program that runs later than it is laid out.
   */
  readonly asOfNow?: readonly Tensor[] | undefined;
  /** Finds the parts of flat buffers of gradients. */
  readonly partsOf?: PartsOf;
  /** Default: {@link planInTime}. */
  readonly planner?: typeof plan;
}

const UNIFORM_ALIGNMENT = 256;

/** Gives launches their memory, and brings what the host has there: constants and uniforms. Inside {@link Device.scoped}. */
export function layOut(
  device: Device,
  launches: readonly Launch[],
  { returned = new Set(), liveOut = new Set(), asOfNow, partsOf, planner = planInTime }: LayOutOptions,
): Laid {
  const { roots, lives } = lifetimes(launches, liveOut, partsOf);
  const shared: Storage[] = [];
  const separate: Storage[] = [];
  for (const root of roots) (returned.has(root) || root.kind === 'constant' ? separate : shared).push(root);
  for (const root of returned) if (!lives.has(root)) separate.push(root);
  for (const root of liveOut) if (!lives.has(root) && !returned.has(root)) shared.push(root);

  const alive = shared.map((root) => lives.get(root) ?? { bytes: slotBytes(root), first: -1, last: FOREVER });
  const planned = planner(alive, device.limits.minStorageBufferOffsetAlignment);
  const own: GPUBuffer[] = [];
  let slots: Slot[] = [];
  try {
    slots = device.slots.acquire(planned.slots, 'slot of a step');
    const memories = new Map<Storage, Memory>();
    shared.forEach((root, i) => {
      const { buffer } = slots[planned.slotOf[i] as number] as Slot;
      memories.set(root, { buffer, offset: planned.offsetOf[i] as number });
    });
    for (const root of separate) {
      const buffer = device.buffer(root.bytes, root.kind === 'constant' ? 'constant of a step' : 'result of a step');
      own.push(buffer);
      memories.set(root, { buffer, offset: 0 });
      if (root.data) device.gpu.queue.writeBuffer(buffer, 0, root.data as GPUAllowSharedBufferSource);
    }
    if (asOfNow) copyVariables(device, launches, asOfNow, memories, own);
    let uniforms: GPUBuffer | undefined;
    if (launches.some(({ params }) => params.length > 0)) {
      const data = uniformsOf(launches);
      own.push((uniforms = device.buffer(data.length, 'uniforms of a step', bufferUsage.uniform)));
      device.gpu.queue.writeBuffer(uniforms, 0, data);
    }
    const places = launches.map((launch, i) => {
      const bound = launch.tensors.map((tensor) => placeOf(device, launch, tensor, memories));
      if (uniforms && launch.params.length > 0) {
        const size = Math.ceil((launch.params.length * 4) / 16) * 16;
        bound.push({ buffer: uniforms, offset: i * UNIFORM_ALIGNMENT, size });
      }
      return bound;
    });
    return {
      launches,
      memories,
      places,
      slots,
      planned: planned.slots,
      alive,
      own,
      uniforms,
    };
  } catch (error) {
    release(device, { slots, own });
    throw error;
  }
}

/** Gives back what {@link layOut} took. What was submitted before still runs. */
export function release(device: Device, { slots, own }: Pick<Laid, 'slots' | 'own'>): void {
  device.slots.release(slots);
  for (const buffer of own) device.destroyBuffer(buffer);
}

function placeOf(
  device: Device,
  { label }: Launch,
  { storage, shape }: Tensor,
  memories: ReadonlyMap<Storage, Memory>,
): Place {
  const memory = memories.get(storage.root) ?? storage.root.memory;
  if (!memory) throw new StepError(`${label}: uses a tensor ${formatShape(shape)} whose memory ${storage.root.lost}`);
  const refused = device.refused(memory.buffer);
  if (refused) throw refused;
  // Whole vec4s, so that kernels that take four elements at a time need no other form for the last ones.
  const size = slotBytes(storage);
  if (size > device.limits.maxStorageBufferBindingSize) {
    throw new OutOfMemoryError(
      `${label}: binds a tensor ${formatShape(shape)} of ${formatBytes(size)}; '${device.name}' binds at ` +
        `most ${formatBytes(device.limits.maxStorageBufferBindingSize)}; use a smaller batch or model`,
      size,
    );
  }
  return { buffer: memory.buffer, offset: memory.offset + storage.rootOffset, size };
}

/** Copies the stretch of each variable root that is used, to buffers which `memories` gives from then on. */
function copyVariables(
  device: Device,
  launches: readonly Launch[],
  others: readonly Tensor[],
  memories: Map<Storage, Memory>,
  own: GPUBuffer[],
): void {
  const stretches = new Map<Storage, { from: number; to: number }>();
  for (const { storage, size } of [...launches.flatMap((launch) => launch.tensors), ...others]) {
    const { root, rootOffset: from } = storage;
    if (root.kind !== 'variable' || size === 0 || !memoryOf(storage)) continue;
    const known = stretches.get(root);
    const to = from + slotBytes(storage);
    stretches.set(root, { from: Math.min(from, known?.from ?? from), to: Math.max(to, known?.to ?? to) });
  }
  if (stretches.size === 0) return;
  const encoder = device.gpu.createCommandEncoder({ label: 'as of now' });
  for (const [root, { from, to }] of stretches) {
    const { buffer, offset } = root.memory as Memory;
    const refused = device.refused(buffer);
    if (refused) throw refused;
    const bytes = Math.min(to, buffer.size - offset) - from;
    const copy = device.buffer(to - from, 'copy for a read');
    own.push(copy);
    encoder.copyBufferToBuffer(buffer, offset + from, copy, 0, bytes);
    memories.set(root, { buffer: copy, offset: -from });
  }
  device.gpu.queue.submit([encoder.finish()]);
}

/** The uniform structs of launches, one after the other. */
export function uniformsOf(launches: readonly Launch[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(launches.length * UNIFORM_ALIGNMENT));
  launches.forEach(({ kernel, params }, launch) => {
    if (params.length * 4 > UNIFORM_ALIGNMENT) throw new Error(`internal: ${kernel.name} has too many params`);
    // dispatch() has checked that each type holds its number.
    kernel.paramNames.forEach((name, i) => {
      const at = launch * UNIFORM_ALIGNMENT + 4 * i;
      const value = params[i] as number;
      if (kernel.params?.[name] === 'f32') view.setFloat32(at, value, true);
      else view.setUint32(at, value >>> 0, true);
    });
  });
  return new Uint8Array(view.buffer);
}
