import {
  type Binding,
  Device,
  type Kernel,
  KernelError,
  OutOfMemoryError,
  type Scalar,
  source,
} from '../../gpu/index.ts';
import {
  bytesPerElement,
  checkShape,
  type DType,
  describe,
  dtypeRule,
  formatShape,
  isDType,
  isFloat,
  type Shape,
  ShapeError,
  StepError,
  size,
} from '../values/index.ts';
import { checkFunction, checkTensors } from './arguments.ts';
import { type Launch, type Loop, Storage, Tensor } from './tensor.ts';

/** The launches of one body, in order. */
export class Recording {
  readonly device: Device;
  readonly launches: Launch[] = [];
  /** Launches that write variables, by the root of these. */
  readonly effects: Map<Storage, Launch[]> = new Map();
  readonly keepStacks: boolean;
  /** What the body asked for and was refused by a promise, which a body cannot await. */
  misuse: StepError | undefined;

  constructor(device: Device, keepStacks: boolean) {
    this.device = device;
    this.keepStacks = keepStacks;
  }

  /** The error of an async call inside the body, kept for whoever made the recording. */
  refuse(message: string): StepError {
    this.misuse ??= new StepError(message);
    return this.misuse;
  }
}

type Replace = (kernel: Kernel, tensors: readonly Tensor[]) => readonly Tensor[];

let current: Recording | undefined;
let order = 0;
let replace: Replace | undefined;
let watch: ((launch: Launch) => void) | undefined;
let loop: Loop | undefined;
const labels: string[] = [];

/** Runs `body` while its launches go to `recording`. */
export function record<R>(recording: Recording, body: () => R): R {
  if (current) throw current.refuse('step: a step cannot be made inside the body of another');
  current = recording;
  try {
    return body();
  } finally {
    current = undefined;
  }
}

/** The recording that is going on, if any. */
export function currentRecording(): Recording | undefined {
  return current;
}

/** The order of the next launch: what was recorded before has a lower one. */
export function launchOrder(): number {
  return order;
}

/** Runs `body` and shows each launch that it records to `see`. Watchers nest: the inner one sees first. */
export function watchLaunches<R>(see: (launch: Launch) => void, body: () => R): R {
  const outer = watch;
  watch = (launch) => {
    see(launch);
    outer?.(launch);
  };
  try {
    return body();
  } finally {
    watch = outer;
  }
}

/** Where what is recorded a second time began; undefined of what is recorded first. */
let repeated: number | undefined;
export function repeatedSince(): number | undefined {
  return repeated;
}

/** Runs `body`, which repeats what was recorded `since` then, and whose launches get what `by` gives in the place of their tensors; where such calls nest, that of the inner one goes to the outer one. */
export function replaceTensors<R>(by: Replace, since: number, body: () => R): R {
  const [outer, outerSince] = [replace, repeated];
  const inner: Replace = (kernel, tensors) => {
    replace = outer;
    try {
      const found = by(kernel, tensors);
      return outer ? outer(kernel, found) : found;
    } finally {
      replace = inner;
    }
  };
  replace = inner;
  repeated = Math.min(since, repeated ?? since);
  try {
    return body();
  } finally {
    replace = outer;
    repeated = outerSince;
  }
}

/** Runs `body` once, whose launches are repeated by the loop that `make` gives, inside of the one around it. */
export function inLoop(make: (outer: Loop | undefined) => Loop, body: () => void): void {
  const outer = loop;
  loop = make(outer);
  try {
    body();
  } finally {
    loop = outer;
  }
}

/** Names what `body` records, for listings, profiles and messages: labels nest, `encoder.blocks.3 / attention`. */
export function label<R>(name: string, body: () => R): R {
  checkFunction('label', 'the body', body);
  labels.push(name);
  try {
    return body();
  } finally {
    labels.pop();
  }
}

/** The labels around what is recorded now. */
export function labelPath(): string {
  return labels.join('.');
}

/** A result to be written by a launch: like `x`, or of another shape or dtype. */
export function empty(like: Tensor, shape: Shape = like?.shape, dtype: DType = like?.dtype): Tensor {
  if (!(like instanceof Tensor)) checkTensors('empty', { like });
  return emptyOn(like.device, shape, dtype);
}

export function emptyOn(device: Device, shape: Shape, dtype: DType = 'f32'): Tensor {
  checkShape('empty', shape);
  checkDType('empty', dtype);
  return new Tensor(new Storage(device, size(shape) * bytesPerElement(dtype), 'recorded', loop), shape, dtype);
}

/**
 * Another tensor over the bytes of `x`. Over those of a variable it has the values that were there when it was made: a step copies them
 * where it writes the variable before the last launch that reads them.
 */
export function over(x: Tensor, shape: Shape = x.shape, dtype: DType = x.dtype): Tensor {
  const y = new Tensor(x.storage, shape, dtype);
  if (x.storage.root.kind === 'variable') y.asOf = x.asOf === undefined ? order : (writtenItself(x) ?? x.asOf);
  return y;
}

/** The order after the last launch that wrote a view by itself, whose values it has since. */
function writtenItself(x: Tensor): number | undefined {
  const last = current?.effects
    .get(x.storage.root)
    ?.findLast(({ kernel, tensors }) => tensors.some((t, i) => t === x && kernel.bindings[i]?.access !== 'read'));
  return last && last.order + 1;
}

export function checkDType(op: string, dtype: unknown): void {
  if (!isDType(dtype)) throw new ShapeError(op, `${dtypeRule}; got ${describe(dtype)}`);
}

/** @throws StepError where something else stands in the place of the device. */
export function checkDevice(op: string, device: unknown): void {
  if (device instanceof Device) return;
  throw new StepError(`${op}: the device comes first, as await openDevice() gives it; got ${describe(device)}`);
}

const WORKGROUPS = 65535;

/**
 * Records one launch. `tensors` and `params` are named as in the kernel; `constants` replace defaults of its overrides.
 * Nothing runs yet. A grid without workgroups records nothing.
 */
export function dispatch<
  B extends Record<string, Binding>,
  P extends Record<string, Scalar>,
  O extends Record<string, number>,
>(
  kernel: Kernel<B, P, O>,
  tensors: { readonly [K in keyof B]: Tensor },
  params: { readonly [K in keyof P]: number },
  constants: { readonly [K in keyof O]?: number } = {},
): void {
  const plain = kernel as unknown as Kernel;
  const given = plain.names.map((name) => (tensors as Record<string, Tensor>)[name] as Tensor);
  const element = checkBindings(plain, given);
  const all = { ...plain.override, ...(constants as Record<string, number>) };
  const numbers = plain.paramNames.map((name) => {
    const value = (params as Record<string, number>)[name] as number;
    checkScalar(plain.name, name, value, plain.params?.[name] as Scalar, 'params.');
    return value;
  });
  for (const name in all) checkScalar(plain.name, name, all[name], 'u32');
  const grid = wrapGrid(plain, kernel.grid(params, all as { [K in keyof O]: number }));
  if (grid.includes(0)) return;
  const bound = replace ? replace(plain, given) : given;

  const launch: Launch = {
    order: order++,
    kernel: plain,
    element,
    tensors: bound,
    params: numbers,
    constants: constants as Record<string, number>,
    grid,
    loop,
    label: labels.length > 0 ? `${labels.join('.')} / ${kernel.name}` : kernel.name,
    where: current?.keepStacks ? new Error().stack : undefined,
  };
  for (let i = 0; i < bound.length; i++) {
    if (plain.bindings[i]?.access === 'read') continue;
    const { root } = (bound[i] as Tensor).storage;
    if (root.kind === 'variable') {
      if (!current) {
        throw new StepError(`${kernel.name}: writes a variable; call it inside step() or run()`);
      }
      const effects = current.effects.get(root);
      if (effects) effects.push(launch);
      else current.effects.set(root, [launch]);
    } else if (root.kind !== 'recorded') {
      throw new StepError(
        `${kernel.name}: '${plain.names[i]}' is ${root.kind === 'input' ? 'an input of the step' : 'a constant'} and cannot be written`,
      );
    } else {
      root.writers.push(launch);
    }
  }
  current?.launches.push(launch);
  watch?.(launch);
}

function checkBindings(kernel: Kernel, bound: readonly Tensor[]): 'f32' | 'f16' {
  let element: 'f32' | 'f16' | undefined;
  for (let i = 0; i < bound.length; i++) {
    const name = kernel.names[i] as string;
    const t = bound[i] as Tensor;
    if (!(t instanceof Tensor)) checkTensors(kernel.name, { [name]: t });
    if (t.device !== (current?.device ?? bound[0]?.device))
      throw new StepError(`${kernel.name}: '${name}' is on another device`);
    t.storage.root.loop?.admit(t, loop);
    const { access, element: type } = kernel.bindings[i] as Kernel['bindings'][number];
    if (type.includes('T')) {
      if (!isFloat(t.dtype) || (element && element !== t.dtype)) {
        throw new StepError(
          `${kernel.name}: '${name}' is ${t.dtype} ${formatShape(t.shape)}; expected ${element ?? 'f32 or f16'}`,
        );
      }
      element = t.dtype;
    } else if (/f32/.test(type) ? t.dtype !== 'f32' : isFloat(t.dtype)) {
      throw new StepError(`${kernel.name}: '${name}' is ${t.dtype} ${formatShape(t.shape)}; expected ${type}`);
    }
    // What a launch reads of a variable that it writes, a step copies before it.
    if (
      access !== 'read' &&
      t.storage.root.kind !== 'variable' &&
      bound.some((other, k) => k !== i && other?.storage === t.storage)
    ) {
      throw new Error(`internal: ${kernel.name} binds '${name}', which it writes, twice`);
    }
    // Kernels count elements in u32: beyond that their numbers would be refused one by one, in words that say nothing of memory.
    if (t.size > 2 ** 32) {
      throw new OutOfMemoryError(
        `${kernel.name}: '${name}' ${formatShape(t.shape)} has more than 2^32 elements; use a smaller batch or model`,
        t.storage.bytes,
      );
    }
  }
  return element ?? 'f32';
}

/** Numbers that a kernel gets: what its type does not hold would wrap around or become another number. */
function checkScalar(kernel: string, name: string, value: unknown, type: Scalar, kind = ''): void {
  if (typeof value === 'number') {
    if (type === 'f32') return;
    const low = type === 'i32' ? -(2 ** 31) : 0;
    if (Number.isInteger(value) && value >= low && value < low + 2 ** 32) return;
  }
  throw new StepError(`${kernel}: ${kind}${name} must be ${type}; got ${describe(value)}`);
}

function wrapGrid(kernel: Kernel, grid: readonly number[]): [number, number, number] {
  let [x = 1, y = 1, z = 1] = grid;
  if (grid.length === 1 && x > WORKGROUPS) {
    y = Math.ceil(x / WORKGROUPS);
    x = Math.ceil(x / y);
  }
  for (const n of [x, y, z]) {
    if (!Number.isInteger(n) || n < 0) {
      throw new StepError(`${kernel.name}: its grid must be whole numbers, 0 or more; it is [${grid.join(', ')}]`);
    }
    if (n > WORKGROUPS) {
      throw new KernelError(
        kernel.name,
        `${kernel.name}: the grid ${x} × ${y} × ${z} is larger than ${WORKGROUPS} workgroups an axis; use a smaller batch`,
        source(kernel, 'f32'),
      );
    }
  }
  return [x, y, z];
}
