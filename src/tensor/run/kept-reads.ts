import type { BufferRange, Device, GPUBuffer, Kernel } from '../../gpu/index.ts';
import type { Launch, Memory, Storage, Tensor } from '../graph/index.ts';
import type { Laid, release, uniformsOf } from './memory-layout.ts';
import type { Replay } from './program.ts';

/** What this uses of the rest, which every page has: it is loaded on demand, and imports no values. */
interface Tools {
  readonly rangesOf: (xs: readonly Tensor[], place: (storage: Storage) => Memory | undefined) => BufferRange[];
  readonly release: typeof release;
  readonly uniformsOf: typeof uniformsOf;
}

/** A program without what it was made for: memory, and calls of a pass. */
interface Kept {
  readonly replay: Replay;
  readonly laid: Pick<Laid, 'slots' | 'own'>;
  readonly bytes: number;
  /** Of each root, by its number; of variables and of what is freed with its tensor: where it lies itself. */
  readonly memories: readonly (Memory | undefined)[];
  readonly uniforms: GPUBuffer | undefined;
  /** What the uniforms hold. */
  params: readonly number[];
  /** Whose values the memory of a root holds that is constant. */
  readonly constants: Map<number, WeakRef<Storage>>;
}

interface Entry {
  kept: Kept | undefined;
}

/** What is known of a read. */
export interface Found {
  /** Runs the program of an earlier one, if it is there. All is submitted before this returns. */
  replay(): Promise<ArrayBuffer[]> | undefined;
  /** Takes the memory of a program that has run; false: it does not. */
  keep(laid: Laid, replay: Replay): boolean;
}

/** By their numbers. */
type Roots = ReadonlyMap<Storage, number>;

/** So many programs, or keys of those that were there once. */
const KEEP = 128;
/** Longer ones take their time in any case. */
const LAUNCHES = 512;
/** Bytes of one program, and of what all have for themselves. What is larger goes back to the pool: most of its time is the GPU's. */
const BYTES = { each: 2 ** 21, all: 2 ** 24 };

/**
 * The programs of reads that came at least twice, by what they launch: the same kernels, shapes and variables, on other constants and params.
 * Such a read plans nothing, makes no buffer and no bind group, and asks the GPU for no errors.
 *
 * A program holds no tensor and no launch, so that what nobody holds can be collected. The GPU works in the order of submission:
 * reads that are under way may share one.
 */
export class KeptReads {
  readonly #device: Device;
  readonly #tools: Tools;
  /** The one that was used last at the end. */
  readonly #entries = new Map<string, Entry>();
  readonly #numbers = new WeakMap<GPUBuffer | Kernel, number>();
  #count = 0;
  #bytes = 0;

  constructor(device: Device, tools: Tools) {
    this.#device = device;
    this.#tools = tools;
  }

  find(launches: readonly Launch[], wanted: readonly Tensor[]): Found | undefined {
    const roots = new Map<Storage, number>();
    const key = this.#keyOf(launches, wanted, roots);
    if (key === undefined) return undefined;
    const known = this.#entries.get(key);
    const entry = known ?? { kept: undefined };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > KEEP) this.#dropOldest();
    return {
      replay: () => entry.kept && this.#replay(key, entry.kept, roots, launches, wanted),
      keep: (laid, replay) =>
        known !== undefined && this.#entries.get(key) === entry && this.#keep(entry, roots, laid, replay),
    };
  }

  /** All that a plan, its bind groups and its calls depend on, but for what is written before each call. */
  #keyOf(launches: readonly Launch[], wanted: readonly Tensor[], roots: Map<Storage, number>): string | undefined {
    if (launches.length > LAUNCHES) return undefined;
    let key = '';
    for (const { kernel, element, constants, grid, loop, tensors } of launches) {
      if (loop) return undefined;
      key += `${this.#numberOf(kernel)}${element}${grid[0]},${grid[1]},${grid[2]}`;
      for (const name in constants) key += ` ${name}=${constants[name]}`;
      for (const { storage } of tensors) {
        const { root } = storage;
        let number = roots.get(root);
        if (number === undefined) {
          roots.set(root, (number = roots.size));
          const { kind, memory } = root;
          if (kind === 'input' || (kind === 'variable' && !memory)) return undefined;
          key += ` ${kind === 'variable' ? `${this.#numberOf((memory as Memory).buffer)}+${(memory as Memory).offset}` : kind}`;
          key += `=${root.bytes}`;
        }
        key += ` ${number}+${storage.rootOffset},${storage.bytes}`;
      }
      key += '\n';
    }
    for (const { storage } of wanted) key += `${roots.get(storage.root)} `;
    return key;
  }

  #numberOf(object: GPUBuffer | Kernel): number {
    let number = this.#numbers.get(object);
    if (number === undefined) this.#numbers.set(object, (number = this.#count++));
    return number;
  }

  #replay(
    key: string,
    kept: Kept,
    roots: Roots,
    launches: readonly Launch[],
    wanted: readonly Tensor[],
  ): Promise<ArrayBuffer[]> {
    const { gpu } = this.#device;
    if (kept.uniforms && !areParamsOf(launches, kept.params)) {
      gpu.queue.writeBuffer(kept.uniforms, 0, this.#tools.uniformsOf(launches));
      kept.params = paramsOf(launches);
    }
    for (const [root, number] of roots) {
      if (root.kind !== 'constant' || kept.constants.get(number)?.deref() === root) continue;
      const { buffer, offset } = kept.memories[number] as Memory;
      gpu.queue.writeBuffer(buffer, offset, root.data as GPUAllowSharedBufferSource);
      kept.constants.set(number, new WeakRef(root));
    }
    const ranges = this.#tools.rangesOf(wanted, (storage) => placeIn(kept, roots, storage));
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    kept.replay.encode(pass);
    pass.end();
    const reading = this.#device.readBack(encoder, ranges, true);
    reading.catch(() => this.#drop(key));
    return reading;
  }

  #keep(entry: Entry, roots: Roots, laid: Laid, replay: Replay): boolean {
    if (entry.kept) return false;
    const bytes = sum(laid.own.map(({ size }) => size));
    if (bytes + sum(laid.planned) > BYTES.each) return false;
    this.#bytes += bytes;
    while (this.#bytes > BYTES.all) this.#dropOldest();
    const constants = new Map<number, WeakRef<Storage>>();
    const memories = [...roots].map(([root, number]) => {
      if (root.kind === 'constant') constants.set(number, new WeakRef(root));
      return laid.memories.get(root);
    });
    entry.kept = {
      replay,
      laid: { slots: laid.slots, own: laid.own },
      bytes,
      memories,
      uniforms: laid.uniforms,
      params: paramsOf(laid.launches),
      constants,
    };
    return true;
  }

  #dropOldest(): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(key: string): void {
    const kept = this.#entries.get(key)?.kept;
    this.#entries.delete(key);
    if (!kept || this.#device.disposed) return;
    this.#bytes -= kept.bytes;
    this.#tools.release(this.#device, kept.laid);
  }
}

function paramsOf(launches: readonly Launch[]): number[] {
  return launches.flatMap(({ params }) => params);
}

/** Without a list of what is compared: `flatMap` took a twentieth of a small read. */
function areParamsOf(launches: readonly Launch[], wanted: readonly number[]): boolean {
  let at = 0;
  for (const { params } of launches) for (const value of params) if (!Object.is(value, wanted[at++])) return false;
  return true;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function placeIn({ memories }: Kept, roots: Roots, storage: Storage): Memory | undefined {
  const { root, rootOffset } = storage;
  const memory = memories[roots.get(root) ?? -1] ?? root.memory;
  return memory && { buffer: memory.buffer, offset: memory.offset + rootOffset };
}
