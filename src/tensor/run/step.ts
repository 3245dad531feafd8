/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, formatBytes, type GPUBuffer, type GPUCommandEncoder, ownValue } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, Recording, record, Storage, Tensor } from '../graph/index.ts';
import {
  type Bits,
  bytesPerElement,
  checkShape,
  counted,
  type DType,
  describe,
  formatShape,
  fromHost,
  type HostArray,
  type HostValues,
  isDType,
  type Shape,
  StepError,
  sameShape,
  size,
} from '../values/index.ts';
import { Check } from './check-mode.ts';
import { collect, schedule, writes } from './lifetimes.ts';
import type { MemoryUse } from './memory-layout.ts';
import { Program } from './program.ts';
import { readAll } from './read.ts';
import { type LaunchTime, Timer } from './timer.ts';

/** An input of a step: a shape (f32), or a shape with a dtype. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: DType };
/** What a body may return. */
export type Results = undefined | Tensor | readonly Tensor[] | { readonly [name: string]: Tensor };
/**
 * The value of an input at a call: host values, or a tensor of its shape and dtype that has values (a result of a step, a variable
 * tensor, a constant).
 */
export type InputValue = HostValues | Tensor;

export interface StepOptions {
  /** For messages and profiles. */
  readonly name?: string;
  /**
   * Finds the launch that computes nonsense: what a launch is to write is filled with NaN before it, and looked at after it. A call
   * stops at the first NaN, at the first infinity that a launch made of finite numbers (not at those of a mask of -∞, say), and at
   * the first element that was not written. Reading a result throws that, with the line of the body that recorded the launch;
   * if nothing is read, the next call on the device does.
   */
  readonly check?: boolean;
  /** Measures every launch by GPU timestamps: see `times()`. Needs the feature `timestamp-query`. */
  readonly time?: boolean;
}

/** A recording with memory. Call it with its inputs to run it: no allocation, no code of the body. */
export interface Step<I extends string = string, R extends Results = Results> extends Disposable {
  (inputs: { readonly [K in I]: InputValue }): R;
  /** Bytes of GPU memory. */
  readonly memory: MemoryUse;
  readonly launches: readonly Launch[];
  /** GPU milliseconds of each launch of the last call; only with the option `time`. */
  times(): Promise<LaunchTime[]>;
  /** The launches as a table: label, grid, bytes, slots. */
  toString(): string;
  dispose(): void;
}

/**
 * Makes a step: runs `body` to record its launches, plans their memory, compiles and binds. The body runs twice and must
 * record the same both times: whatever changes between calls must be an input.
 *
 * ```ts
 * const train = await step(device, { x: [32, 8], rate: [] }, ({ x, rate }) => {
 *   const loss = mean(square(matmul(x, w)));
 *   optimizer.update(gradients(loss, [w]), rate);
 *   return loss;
 * });
 * const loss = train({ x: batch, rate: 0.01 });
 * console.log(await read(loss));
 * ```
 *
 * What a call returns is overwritten by the next call; read it first.
 *
 * @throws StepError when the body does not repeat itself; KernelError; OutOfMemoryError.
 */
export async function step<const I extends Record<string, InputSpec>, R extends Results>(
  device: Device,
  inputs: I,
  body: (inputs: { readonly [K in keyof I]: Tensor }) => R,
  options: StepOptions = {},
): Promise<Step<Extract<keyof I, string>, R>> {
  device.check();
  const name = options.name ?? 'step';
  const placeholders = new Map<string, Tensor>();
  for (const [key, spec] of Object.entries(inputs)) {
    const { shape, dtype } = inputSpec(`${name}: input '${key}'`, spec);
    placeholders.set(key, new Tensor(new Storage(device, size(shape) * bytesPerElement(dtype), 'input'), shape, dtype));
  }
  const given = Object.fromEntries(placeholders) as { readonly [K in keyof I]: Tensor };
  const recordOnce = () => {
    const recording = new Recording(device, options.check ?? false);
    const results = record(recording, () => body(given));
    checkResults(name, results);
    return { recording, results };
  };
  const rehearsal = recordOnce();
  const { recording, results } = recordOnce();
  compare(name, rehearsal.recording, recording);

  const returned = tensorsOf(results);
  if (returned.some((t) => t.device !== device))
    throw new StepError(`${name}: the body returns a tensor of another device`);
  const effects = recording.launches.filter(writesVariable);
  const launches = schedule(collect(returned, effects));
  const held = new Set(
    returned.map((t) => t.storage.root).filter(({ kind }) => kind === 'recorded' || kind === 'constant'),
  );
  const fed = new Set([...placeholders.values()].map((t) => t.storage));
  const program = await Program.build(device, launches, held, fed);
  let check: Check | undefined;
  let timer: Timer | undefined;
  try {
    if (options.check) check = await Check.make(name, program);
    if (options.time) timer = await Timer.make(device, program);
  } catch (error) {
    check?.dispose();
    program.dispose();
    throw error;
  }

  const updated = check ? variableRoots(launches) : [];
  const feeds = [...placeholders].map(([key, placeholder]) => new Feed(name, key, placeholder, program));
  let disposed = false;
  const outputs = new Map<Tensor, Tensor>();
  /** Inputs that are returned as they are, into memory of their own: a call may take its own results as inputs, in other places. */
  const echoes: { from: Memory; to: GPUBuffer; bytes: number }[] = [];
  for (const t of returned) {
    if (t.storage.root.kind === 'variable' || outputs.has(t)) continue;
    const storage = new Storage(device, t.storage.bytes, 'variable');
    storage.memory = t.size > 0 ? program.memoryOf(t.storage) : undefined;
    if (t.storage.root.kind === 'input' && storage.memory) {
      const copy = { from: storage.memory, to: device.buffer(storage.bytes, 'result of a step'), bytes: storage.bytes };
      storage.memory = { buffer: copy.to, offset: 0 };
      echoes.push(copy);
    }
    storage.origin = t;
    outputs.set(t, new Tensor(storage, t.shape, t.dtype));
  }
  const final = mapResults(results, (t) => outputs.get(t) ?? t);

  const call = (values: Readonly<Record<string, InputValue>>): R => {
    if (disposed) throw new StepError(`${name}: this step was disposed`);
    device.check();
    program.verify(name);
    const encoder = device.gpu.createCommandEncoder({ label: name });
    if (typeof values !== 'object' || values === null || values instanceof Tensor) {
      throw new StepError(
        `${name}: inputs come by name: call it with { ${[...placeholders.keys()].join(', ')} }; got ${describe(values)}`,
      );
    }
    for (const key in values) {
      if (placeholders.has(key)) continue;
      const names = [...placeholders.keys()].join(', ') || 'none';
      throw new StepError(`${name}: there is no input '${key}'; it has ${names}`);
    }
    check?.begin();
    for (const feed of feeds) feed.put(ownValue(values, feed.key), encoder);
    for (const { from, to, bytes } of echoes) {
      encoder.copyBufferToBuffer(from.buffer, from.offset, to, 0, Math.ceil(bytes / 4) * 4);
    }
    if (check) {
      const outcome = check.run(encoder);
      for (const output of outputs.values()) output.storage.outcome = outcome;
      for (const root of updated) {
        root.outcome = outcome;
        // Whoever reads it later reads what is there: the failure was told then.
        void outcome.settled.then(() => {
          if (root.outcome === outcome) root.outcome = undefined;
        });
      }
      return final;
    }
    if (timer) timer.encode(encoder);
    else {
      const pass = encoder.beginComputePass({ label: name });
      program.encode(pass);
      pass.end();
    }
    device.gpu.queue.submit([encoder.finish()]);
    return final;
  };
  const dispose = () => {
    if (disposed) return;
    disposed = true;
    forget();
    timer?.dispose();
    check?.dispose();
    program.dispose();
    for (const { to } of echoes) device.destroyBuffer(to);
    for (const output of outputs.values()) output.storage.memory = undefined;
  };
  const forget = device.onDispose(dispose);
  return Object.assign(call, {
    memory: program.memory,
    launches: program.launches,
    times: async () => {
      if (!timer) throw new StepError(`${name}: make the step with { time: true } to measure it`);
      return timer.read();
    },
    toString: () => list(name, program),
    dispose,
    [Symbol.dispose]: dispose,
  }) as Step<Extract<keyof I, string>, R>;
}

/** What `run` gives back: the values of what the body returned. */
export type Values<R extends Results> = R extends Tensor
  ? HostArray
  : R extends undefined
    ? undefined
    : { [K in keyof R]: HostArray };

/**
 * A step that is used once: runs `body`, which may write variables, and brings what it returns to the host.
 *
 * ```ts
 * await run(device, () => optimizer.update(gradients(loss(), parameters), rate));
 * const { scores } = await run(device, () => ({ scores: matmul(q, k, { transposeB: true }) }));
 * ```
 */
export async function run<R extends Results>(
  device: Device,
  body: () => R,
  options: StepOptions = {},
): Promise<Values<R>> {
  const once = await step(device, {}, body, { name: 'run', ...options });
  try {
    const results = once({});
    const tensors = tensorsOf(results);
    const values = await readAll(tensors);
    if (tensors.length === 0) await device.finished();
    return mapResults(results, (t) => values[tensors.indexOf(t)] as HostArray) as Values<R>;
  } finally {
    once.dispose();
  }
}

function checkResults(name: string, results: unknown): void {
  if (results === undefined || results instanceof Tensor) return;
  if (results instanceof Promise) throw new StepError(`${name}: the body must not be async: it only records`);
  const rule = `${name}: the body must return nothing, a tensor, a list of tensors or an object of them`;
  const kept = typeof results === 'object' && results !== null;
  if (!kept || results instanceof Map || results instanceof Set || ArrayBuffer.isView(results)) {
    throw new StepError(`${rule}; got ${describe(results)}`);
  }
  for (const [key, value] of Array.isArray(results) ? results.entries() : Object.entries(results)) {
    if (!(value instanceof Tensor)) throw new StepError(`${rule}; got ${describe(value)} as '${key}'`);
  }
}

function tensorsOf(results: Results): Tensor[] {
  if (results === undefined) return [];
  if (results instanceof Tensor) return [results];
  return Object.values(results) as Tensor[];
}

function mapResults<R extends Results>(results: R, map: (t: Tensor) => Tensor): R;
function mapResults<V>(results: Results, map: (t: Tensor) => V): V | V[] | Record<string, V> | undefined;
function mapResults(results: Results, map: (t: Tensor) => unknown): unknown {
  if (results === undefined) return undefined;
  if (results instanceof Tensor) return map(results);
  if (Array.isArray(results)) return results.map(map);
  return Object.fromEntries(Object.entries(results).map(([key, t]) => [key, map(t as Tensor)]));
}

function writesVariable(launch: Launch): boolean {
  return launch.tensors.some((t, i) => t.storage.root.kind === 'variable' && writes(launch, i));
}

function inputSpec(input: string, spec: InputSpec): { readonly shape: Shape; readonly dtype: DType } {
  const full = (typeof spec === 'object' && spec !== null && 'shape' in spec ? spec : { shape: spec }) as {
    readonly shape: Shape;
    readonly dtype?: DType;
  };
  const { shape, dtype = 'f32' } = full;
  checkShape(input, shape);
  if (!isDType(dtype)) throw new StepError(`${input}: the dtype must be 'f32', 'f16' or 'u32'; got ${describe(dtype)}`);
  return { shape, dtype };
}

/** What launches write that outlives them. */
function variableRoots(launches: readonly Launch[]): Storage[] {
  const written = launches.flatMap((launch) => launch.tensors.filter((_, i) => writes(launch, i)));
  return [...new Set(written.map((t) => t.storage.root))].filter(({ kind }) => kind === 'variable');
}

/** One input of a step, and how its values get to where the program reads them. */
class Feed {
  readonly key: string;
  readonly #step: string;
  readonly #placeholder: Tensor;
  readonly #size: number;
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #offset: number;
  readonly #refuse = (found: string) => this.#complaint('must be ', ` (${counted(this.#size)}); got ${found}`);
  /** Where numbers and lists are laid out, made when the first comes. */
  #typed: Bits | undefined;

  constructor(step: string, key: string, placeholder: Tensor, program: Program) {
    const { buffer, offset } = program.memoryOf(placeholder.storage);
    this.key = key;
    this.#step = step;
    this.#placeholder = placeholder;
    this.#size = placeholder.size;
    this.#queue = program.device.gpu.queue;
    this.#buffer = buffer;
    this.#offset = offset;
  }

  put(value: InputValue | undefined, encoder: GPUCommandEncoder): void {
    const { dtype, shape } = this.#placeholder;
    if (value === undefined) throw this.#complaint('is missing; expected ');
    let data: Bits;
    this.#placeholder.storage.fed = value instanceof Tensor ? value : undefined;
    if (value instanceof Tensor) {
      const from = this.#bytesOf(value);
      if (!('buffer' in from)) data = from.data;
      else {
        // f16 may end in half a word, which is copied with it: memory ends at whole ones.
        const bytes = Math.ceil(value.storage.bytes / 4) * 4;
        if (bytes > 0) encoder.copyBufferToBuffer(from.buffer, from.offset, this.#buffer, this.#offset, bytes);
        return;
      }
    } else {
      if (dtype !== 'f16' && !ArrayBuffer.isView(value)) {
        this.#typed ??= dtype === 'u32' ? new Uint32Array(this.#size) : new Float32Array(this.#size);
      }
      data = fromHost(value, dtype, shape, this.#refuse, this.#typed);
    }
    if (this.#size > 0) this.#queue.writeBuffer(this.#buffer, this.#offset, data as GPUAllowSharedBufferSource);
  }

  /** Where the values of a tensor are: on the GPU, or, of a constant, on the host. */
  #bytesOf(value: Tensor): Memory | { readonly data: Bits } {
    const { dtype, shape, device } = this.#placeholder;
    const { root } = value.storage;
    if (value.device !== device) {
      throw this.#complaint('must be ', `; got a tensor of another device; read it and pass the values`);
    }
    if (value.dtype !== dtype || !sameShape(value.shape, shape)) {
      throw this.#complaint('must be ', `; got ${value.dtype} ${formatShape(value.shape)}`);
    }
    if (root.data) return { data: root.data };
    const memory = memoryOf(value.storage);
    if (memory || value.size === 0) return memory ?? { data: new Float32Array(0) };
    const remedy = {
      recorded: 'an op result, which has no values before it is read; pass what read() gives, or return it from a step',
      input: 'an input of a step, which has no value outside of a call',
      variable: 'a tensor whose memory was freed, or whose step was disposed',
      constant: 'a constant without values',
    }[root.kind];
    throw this.#complaint('must be ', `; got ${remedy}`);
  }

  #complaint(rule: string, found = ''): StepError {
    const { dtype, shape } = this.#placeholder;
    return new StepError(`${this.#step}: input '${this.key}' ${rule}${dtype} ${formatShape(shape)}${found}`);
  }
}

/** The body ran twice; whatever differs is a number or a decision that was frozen into the recording. */
function compare(name: string, first: Recording, second: Recording): void {
  const numbersOf = [new Map<Storage, number>(), new Map<Storage, number>()] as const;
  const identity = (which: 0 | 1, root: Storage): Storage | number => {
    if (root.kind === 'variable' || root.kind === 'input' || root.data) return root.data ? -1 : root;
    const numbers = numbersOf[which];
    let number = numbers.get(root);
    if (number === undefined) numbers.set(root, (number = numbers.size));
    return number;
  };
  const complaint = (at: number, launch: Launch | undefined, what: string) =>
    new StepError(
      `${name}: the body does not repeat itself: launch ${at + 1} (${launch?.label ?? 'none'}): ${what}; pass what changes as an input`,
    );
  const count = Math.max(first.launches.length, second.launches.length);
  for (let i = 0; i < count; i++) {
    const a = first.launches[i];
    const b = second.launches[i];
    if (!a || !b) throw complaint(i, a ?? b, 'is there in one run of the body only');
    if (a.kernel !== b.kernel) throw complaint(i, a, `the other run has ${b.label}`);
    a.kernel.paramNames.forEach((param, p) => {
      if (!Object.is(a.params[p], b.params[p]))
        throw complaint(i, a, `'${param}' changed (${a.params[p]}, then ${b.params[p]})`);
    });
    if (a.grid.join() !== b.grid.join() || JSON.stringify(a.constants) !== JSON.stringify(b.constants)) {
      throw complaint(i, a, 'its grid or constants changed');
    }
    a.tensors.forEach((t, n) => {
      const other = b.tensors[n] as Tensor;
      const binding = a.kernel.names[n];
      if (t.storage.data && other.storage.data) {
        const [x, y] = [t.storage.data, other.storage.data];
        if (x !== y && (x.length !== y.length || x.some((value, k) => !Object.is(value, y[k])))) {
          throw complaint(i, a, `the values of the constant '${binding}' changed`);
        }
      } else if (identity(0, t.storage.root) !== identity(1, other.storage.root)) {
        throw complaint(i, a, `'${binding}' is another tensor`);
      }
    });
  }
}

function list(name: string, program: Program): string {
  const buffers = new Map<GPUBuffer, number>();
  const rows = program.bound.map(({ launch }, i) => {
    const slots = launch.tensors.map((t, n) => {
      const { buffer, offset } = program.memoryOf(t.storage);
      if (!buffers.has(buffer)) buffers.set(buffer, buffers.size);
      const kind = t.storage.root.kind === 'variable' ? 'w' : 's';
      const place = `${kind}${buffers.get(buffer)}${offset > 0 ? `+${offset}` : ''}`;
      return `${launch.kernel.names[n]}=${place}${formatShape(t.shape)}`;
    });
    return `${String(i + 1).padStart(4)}  ${launch.label}  ${launch.grid.join('×')}  ${slots.join(' ')}`;
  });
  const { planned, own, uniforms, unplanned } = program.memory;
  const head =
    `${name}: ${program.launches.length} launches, ${formatBytes(planned)} planned (${formatBytes(unplanned)} unplanned), ` +
    `${formatBytes(own)} results and constants, ${formatBytes(uniforms)} uniforms`;
  return [head, ...rows].join('\n');
}
