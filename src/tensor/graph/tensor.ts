import type { Device, GPUBuffer, Kernel, Outcome } from '../../gpu/index.ts';
import { type Bits, type DType, formatShape, type Shape, StepError, size } from '../values/index.ts';

/** Where bytes lie on the GPU. */
export interface Memory {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/**
 * The bytes behind one or more tensors.
 *
 * - `recorded`: written by launches; has memory only inside a step's plan.
 * - `constant`: data of the host, uploaded where a step or a read needs it.
 * - `variable`: a buffer of its own (weights, optimizer state).
 * - `input`: what a step is called with.
 */
export class Storage {
  readonly device: Device;
  readonly bytes: number;
  readonly kind: 'recorded' | 'constant' | 'variable' | 'input';
  /** Launches that write here, in order; for `recorded` ones, all of them. */
  readonly writers: Launch[] = [];
  memory: Memory | undefined;
  /** What became of its memory where it has none any more, for messages. */
  lost = 'was freed';
  data: Bits | undefined;
  /** How the call of a step in check mode went that wrote here. */
  declare outcome?: Outcome | undefined;
  /** The storage of which this is a range: flat parameters and their gradients. */
  declare parent?: Storage | undefined;
  offset = 0;
  /** The recorded tensor whose values a step has left here. */
  declare origin?: Tensor | undefined;
  /** The loop whose body made it: it has another value in every turn. */
  loop: Loop | undefined;
  /** What the last call of a step brought for this input, where that was a tensor. */
  declare inputValue?: Tensor | undefined;

  constructor(device: Device, bytes: number, kind: Storage['kind'], loop?: Loop) {
    this.device = device;
    this.bytes = bytes;
    this.kind = kind;
    this.loop = loop;
  }

  get root(): Storage {
    return this.parent?.root ?? this;
  }

  /** Offset inside the root. */
  get rootOffset(): number {
    return this.parent ? this.parent.rootOffset + this.offset : 0;
  }
}

/**
 * A shape over some bytes. Ops are functions on tensors; `read(x)` brings the values to the host.
 *
 * A tensor that an op returns has no memory of its own: it is the promise of a value, computed when it is read or, inside
 * a step, at every call of the step. So nothing needs to be freed.
 */
export class Tensor {
  // In this order: a browser's console shows the first fields of an object.
  readonly dtype: DType;
  readonly shape: Shape;
  readonly device: Device;
  /** @internal */
  readonly storage: Storage;
  /** @internal Whether it is a constant to gradients, whatever it was computed from. */
  declare cut?: boolean;
  /** @internal How it was made, for gradients. */
  declare node?: GradientNode;
  /** @internal Of a tensor over the bytes of a variable that is not the variable itself: launches of a lower order were recorded before it was made. */
  declare asOf?: number | undefined;

  /** @internal Use {@link tensor}, {@link variable} or an op. */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    this.dtype = dtype;
    // A list that somebody changes afterwards must not change the tensor.
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
    this.device = storage.device;
    this.storage = storage;
  }

  get size(): number {
    return size(this.shape);
  }

  toString(): string {
    return `Tensor ${this.dtype} ${formatShape(this.shape)}`;
  }

  /** @internal JSON has no values of a tensor either: those are on the GPU, and come by a promise. */
  toJSON(): string {
    return this[Symbol.toPrimitive]('');
  }

  /** `x + 1`, `x > 0` and `+x` have no value that JavaScript could compute. Text has: `${x}`. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    throw new StepError(
      `${this}: operators and JSON do not reach its values; use ops, such as add(a, b), or await toArray(x)`,
    );
  }
}

/** Launches that follow each other in a list and run so many times: the body of a scan. What planning must know of it comes with it. */
export interface Loop {
  readonly times: number;
  /** The loop whose body it is a part of. */
  readonly outer: Loop | undefined;
  /** How often its launches run in all. */
  readonly runs: number;
  /** Throws where a tensor that its body made is used outside of it: in the loop `user`, or in none. */
  admit(t: Tensor, user?: Loop): void;
  /** Whether a launch comes again behind those of this loop: it is in one of the loops around both. */
  repeats(launch: Launch): boolean;
  /** The numbers of launches as a program runs them. */
  order(launches: readonly Launch[]): Uint32Array;
  /** The place behind which something comes that waits for the launch at a place. */
  place(launches: readonly Launch[], place: number): number;
  /** Corrects when storages are needed, by the places of launches. */
  extend(
    launches: readonly Launch[],
    spans: ReadonlyMap<Storage, { first: number; last: number; readonly ranges: Map<Storage, number> }>,
    liveOut: ReadonlySet<Storage>,
  ): void;
}

/** One use of a kernel. */
export interface Launch {
  /** Launches are numbered in the order of recording, over the whole program. */
  readonly order: number;
  readonly kernel: Kernel;
  readonly element: 'f32' | 'f16';
  /** In the order of the kernel's bindings. */
  readonly tensors: readonly Tensor[];
  readonly params: readonly number[];
  readonly constants: Readonly<Record<string, number>>;
  readonly grid: readonly [number, number, number];
  /** What it uses of its tensors, by their numbers, where that is only some ranges of one. */
  readonly ranges?: Readonly<Record<number, readonly Storage[]>>;
  /** The launches whose work it does, where it takes the place of others that were recorded. */
  readonly of?: readonly Launch[];
  readonly label: string;
  /** The innermost loop that it is repeated in, if any. */
  readonly loop: Loop | undefined;
  /** Where it was recorded: a stack, kept in check mode only. */
  readonly where: string | undefined;
}

/** How tensors were made: what they depend on, and how their gradients flow back. */
export interface GradientNode {
  readonly order: number;
  /** Launches of a lower order were recorded before. */
  readonly made: number;
  /** Of what `recompute` recorded a second time: where the first time began. */
  readonly repeats: number | undefined;
  readonly outputs: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  /** `wanted` holds those of `inputs` whose gradients are asked for; the others may stay undefined. */
  readonly backward: (
    dys: readonly (Tensor | undefined)[],
    wanted: ReadonlySet<Tensor>,
    sumTo: SumTo,
  ) => readonly (Tensor | undefined)[];
  /** The outputs again, made of ops, where `backward` is made of launches: what gradients of gradients are found through. */
  readonly plain: ((...inputs: Tensor[]) => Tensor) | undefined;
}

/**
 * Sums a gradient over the axes that its operand stretched, to the shape of that. Whoever asks for gradients brings it, so that ops
 * which broadcast do not carry the kernels of sums into programs without gradients.
 */
export type SumTo = (dy: Tensor, shape: Shape) => Tensor;

/** @internal The memory of a storage that has some now. */
export function memoryOf(storage: Storage): Memory | undefined {
  const { memory } = storage.root;
  return memory && { buffer: memory.buffer, offset: memory.offset + storage.rootOffset };
}
