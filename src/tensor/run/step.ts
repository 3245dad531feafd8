/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, type GPUBuffer, heard, ownValue } from '../../gpu/index.ts';
import {
  checkDevice,
  checkFunction,
  checkOptions,
  currentRecording,
  isNamed,
  type Launch,
  type Memory,
  Recording,
  record,
  Storage,
  Tensor,
} from '../graph/index.ts';
import { bytesPerElement, describe, type HostArray, StepError, size } from '../values/index.ts';
import type { Check } from './check/check-mode.ts';
import type { EarlyReads } from './early-reads.ts';
import { fuse } from './fuse.ts';
import { collect, schedule, writesVariable } from './lifetimes.ts';
import { listing } from './listing.ts';
import { keepOldValues } from './old-values.ts';
import { shared } from './on-demand.ts';
import { readAll } from './read.ts';
import { checkRepetition } from './repetition.ts';
import { checkResults, mapResults, type Results, tensorsOf } from './results.ts';
import { type InputSpec, type InputValue, inputSpec, StepInput } from './step-input.ts';
import { type MemoryUse, StepProgram } from './step-program.ts';
import type { LaunchTime, Timer } from './timer.ts';

export interface StepOptions {
  /** For messages and profiles. */
  readonly name?: string;
  /**
   * Finds the launch that computes a wrong value: what a launch is to write is filled with NaN before it, and inspected after it. A call
   * stops at the first NaN, at the first infinity that a launch made of finite numbers (not at those of a mask of -∞, say), and at
   * the first element that was not written. Reading a result throws that, with the line of the body that recorded the launch, and the
   * input that held NaN, if one did; if nothing is read, the next call on the device does.
   */
  readonly check?: boolean;
  /** Measures every launch by GPU timestamps: see `times()`. Needs the feature `timestamp-query`. */
  readonly time?: boolean;
}

/** What a step returns to those who read some of it before its end. */
export interface EarlyResults<R extends Results> {
  readonly results: R;
  /** The values of the tensors that the option `readEarly` names, in their order. */
  readonly early: readonly Promise<HostArray>[];
}

/** A recording with memory. Call it with its inputs to run it: no allocation, no code of the body. */
export interface Step<I extends string = string, R extends Results = Results> extends Disposable {
  (inputs: { readonly [K in I]: InputValue }): R;
  /**
   * Calls the step and reads the tensors that its option `readEarly` names, each as soon as it has its last value, while the GPU goes on with
   * the rest.
   */
  readEarly(inputs: { readonly [K in I]: InputValue }): EarlyResults<R>;
  /** Bytes of GPU memory. */
  readonly memory: MemoryUse;
  /** As they run: those of a scan's body once a turn. */
  readonly launches: readonly Launch[];
  /** GPU milliseconds of each launch of the last call; only with the option `time`. */
  times(): Promise<LaunchTime[]>;
  /** The launches as a table: label, grid, bytes, slots. */
  toString(): string;
  dispose(): void;
}

/** Options of a step whose results are `R`. */
export interface StepOptionsOf<R extends Results> extends StepOptions {
  /**
   * Which tensors a call of `readEarly` reads before the step is done: results, or variables that it writes, such as sums of gradients, whose
   * reduction over processes begins while the backward pass still runs. They must be written by launches of the step.
   */
  readonly readEarly?: ((results: R) => readonly Tensor[]) | undefined;
}

/**
 * Makes a step: runs `body` to record its launches, plans their memory, compiles and binds. The body runs twice and must
 * record the same both times: whatever changes between calls must be an input.
 *
 * ```ts
 * const train = await step(device, { x: [32, 8], hyper: [optimizer.hyperparameterCount] }, ({ x, hyper }) => {
 *   const loss = mean(square(matmul(x, w)));
 *   optimizer.update(gradients(loss, [w]), hyper);
 *   return loss;
 * });
 * const loss = train({ x: batch, hyper: optimizer.hyperparameters(1, 0.01) });
 * console.log(await read(loss));
 * ```
 *
 * What a call returns holds until the next call, which writes the same memory: {@link read} it, give it to another step or keep it by
 * `evaluate` before. To use it after that is an error.
 *
 * @throws StepError when the body does not repeat itself; KernelError; OutOfMemoryError.
 */
export function step<const I extends Record<string, InputSpec>, R extends Results>(
  device: Device,
  inputs: I,
  body: (inputs: { readonly [K in keyof I]: Tensor }) => R,
  options: StepOptionsOf<NoInfer<R>> = {},
): Promise<Step<Extract<keyof I, string>, R>> {
  return awaitable(makeStep(device, inputs, body, options));
}

/** What became of the memory of a result. */
const OVERWRITTEN = 'was overwritten by the next call of its step; read it or keep it by evaluate() before';

// Loaded when asked for: a page that does neither does not carry them.
const checkMode = () => import('./check/check-mode.ts');
const timers = () => import('./timer.ts');
const earlyReads = () => import('./early-reads.ts');

/** What consoles print of steps: set where it is loaded, which bundlers of pages leave out. */
export const inspection: {
  /** Properties of a step. */
  step?: (name: string, inputs: ReadonlyMap<string, Tensor>, program: StepProgram, isDisposed: () => boolean) => object;
} = {};

/** Inside the body of a step nobody can wait for a promise: the step of that body throws what it failed with. */
function awaitable<T>(promise: Promise<T>): Promise<T> {
  return currentRecording() ? heard(promise) : promise;
}

async function makeStep<const I extends Record<string, InputSpec>, R extends Results>(
  device: Device,
  inputs: I,
  body: (inputs: { readonly [K in keyof I]: Tensor }) => R,
  options: StepOptionsOf<R>,
): Promise<Step<Extract<keyof I, string>, R>> {
  checkOptions('step', options, ['name', 'check', 'time', 'readEarly']);
  const { name = 'step' } = options;
  checkDevice(name, device);
  device.check();
  if (!isNamed(inputs)) {
    const found = describe(inputs);
    throw new StepError(`${name}: inputs come before the body, such as { x: [4, 2] }; got ${found}`);
  }
  checkFunction(name, 'the body', body);
  const placeholders = new Map<string, Tensor>();
  for (const [key, spec] of Object.entries(inputs)) {
    const { shape, dtype } = inputSpec(`${name}: input '${key}'`, spec);
    placeholders.set(key, new Tensor(new Storage(device, size(shape) * bytesPerElement(dtype), 'input'), shape, dtype));
  }
  const given = Object.fromEntries(placeholders) as { readonly [K in keyof I]: Tensor };
  const recordOnce = () => {
    const recording = new Recording(device, options.check ?? false);
    const results = record(recording, () => body(given));
    if (recording.misuse) throw recording.misuse;
    checkResults(name, results);
    return { recording, results };
  };
  const rehearsal = recordOnce();
  const { recording, results: made } = recordOnce();
  checkRepetition(name, rehearsal.recording, recording);

  const effects = recording.launches.filter(writesVariable);
  const needed = collect(tensorsOf(made), effects);
  const { launches: all, results } = await keepOldValues(recording, needed, made);
  const returned = tensorsOf(results);
  if (returned.some((t) => t.device !== device))
    throw new StepError(`${name}: the body returns a tensor of another device`);
  const scheduled = schedule(all);
  const returnedRoots = new Set(
    returned.map((t) => t.storage.root).filter(({ kind }) => kind === 'recorded' || kind === 'constant'),
  );
  // Check mode tells which op went wrong, one by one.
  const launches = options.check ? scheduled : await fuse(scheduled, returnedRoots);
  const inputRoots = new Set([...placeholders.values()].map((t) => t.storage));
  const program = await StepProgram.build(device, launches, returnedRoots, inputRoots);
  let check: Check | undefined;
  let timer: Timer | undefined;
  let early: EarlyReads<R> | undefined;
  try {
    if (options.check) check = await (await checkMode()).Check.make(name, program, shared, placeholders);
    if (options.time) timer = await (await timers()).Timer.make(device, program, shared);
    if (options.readEarly) early = new (await earlyReads()).EarlyReads(name, program, options, results, shared);
  } catch (error) {
    check?.dispose();
    program.dispose();
    throw error;
  }

  const keys = [...placeholders.keys()];
  const stepInputs = [...placeholders].map(([key, placeholder]) => new StepInput(name, key, placeholder, program));
  let disposed = false;
  /** Where the results lie, but for variables, which are the caller's own. */
  const places = new Map<Tensor, Memory | undefined>();
  /** What the last call gave for them. */
  let last: ReadonlyMap<Tensor, Tensor> = new Map();
  /** Inputs that are returned as they are, into memory of their own: a call may take its own results as inputs, in other places. */
  const echoes: { from: Memory; to: GPUBuffer; bytes: number }[] = [];
  for (const t of returned) {
    const { root, bytes } = t.storage;
    if (root.kind === 'variable' || places.has(t)) continue;
    let memory = t.size > 0 ? program.memoryOf(t.storage) : undefined;
    if (root.kind === 'input' && memory) {
      const to = device.buffer(bytes, 'result of a step');
      echoes.push({ from: memory, to, bytes });
      memory = { buffer: to, offset: 0 };
    }
    places.set(t, memory);
  }
  /** New tensors for the results of a call. Those of the call before lose their memory, which other values are about to come to. */
  const handOut = (): R => {
    for (const { storage } of last.values()) Object.assign(storage, { memory: undefined, lost: OVERWRITTEN });
    last = new Map(
      Array.from(places, ([origin, memory]) => {
        const storage = Object.assign(new Storage(device, origin.storage.bytes, 'variable'), { memory, origin });
        return [origin, new Tensor(storage, origin.shape, origin.dtype)];
      }),
    );
    return mapResults(results, (t) => last.get(t) ?? t);
  };

  const call = (values: Readonly<Record<string, InputValue>>, read?: EarlyReads<R>): R => {
    if (disposed) throw new StepError(`${name}: this step was disposed`);
    device.check();
    program.verify(name);
    let encoder = device.gpu.createCommandEncoder({ label: name });
    checkOptions(name, values, keys, 'inputs');
    check?.begin();
    for (const input of stepInputs) input.upload(ownValue(values, input.key), encoder);
    for (const { from, to, bytes } of echoes) {
      encoder.copyBufferToBuffer(from.buffer, from.offset, to, 0, Math.ceil(bytes / 4) * 4);
    }
    const final = handOut();
    if (check) {
      check.run(encoder, last.values());
      return final;
    }
    if (read) encoder = read.encode(encoder);
    else if (timer) timer.encode(encoder);
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
    for (const { storage } of last.values()) storage.memory = undefined;
  };
  const forget = device.onDispose(dispose);
  return Object.assign(
    (values: Readonly<Record<string, InputValue>>) => call(values),
    inspection.step?.(name, placeholders, program, () => disposed),
    {
      readEarly: (values: Readonly<Record<string, InputValue>>) => {
        if (!early) throw new StepError(`${name}: made without readEarly`);
        return { results: call(values, early), early: early.values };
      },
      memory: program.memory,
      launches: program.launches,
      times: async () => {
        if (!timer) throw new StepError(`${name}: make the step with { time: true } to measure it`);
        return timer.read();
      },
      toString: () => listing(name, program),
      dispose,
      [Symbol.dispose]: dispose,
    },
  ) as Step<Extract<keyof I, string>, R>;
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
 * const hyper = tensor(device, optimizer.hyperparameters(1, 0.01));
 * const { norm } = await run(device, () => optimizer.update(gradients(loss(), optimizer.parameters), hyper));
 * const { scores } = await run(device, () => ({ scores: matmul(q, k, { transposeB: true }) }));
 * ```
 */
export function run<R extends Results>(device: Device, body: () => R, options: StepOptions = {}): Promise<Values<R>> {
  return awaitable(runOnce(device, body, options));
}

async function runOnce<R extends Results>(device: Device, body: () => R, options: StepOptions): Promise<Values<R>> {
  checkOptions('run', options, ['name', 'check', 'time']);
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
