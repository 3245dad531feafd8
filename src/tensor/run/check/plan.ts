import type { Kernel } from '../../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../../graph/index.ts';
import type { Place } from '../memory-layout.ts';
import type { Shared } from '../on-demand.ts';
import type { Bound } from '../program.ts';
import type { StepProgram } from '../step-program.ts';
import { type CheckKernels, KINDS, LETS_ALL, LETS_INFINITIES, ROW, ROW_SCANS } from './kernels.ts';

/** A launch of the program, or of a kernel of the check. */
type Job =
  | Bound
  | {
      readonly kernel: Kernel;
      readonly kind: number | undefined;
      readonly params: readonly number[];
      readonly place: Place | undefined;
      readonly grid: readonly number[];
      /** Whether it is left out once something bad was found, as launches are. */
      readonly stops: boolean;
    };

/** What is judged together: what a launch wrote or, before the first launch, what the step was given. */
export interface Row {
  readonly launch: Launch | undefined;
  readonly tensors: readonly Tensor[];
  readonly firstScan: number;
}

/** What a check does, in order, as data. */
export class CheckPlan {
  readonly fills: Job[] = [];
  readonly jobs: Job[] = [];
  readonly rows: Row[] = [];
  readonly table: number[] = [];
  scans = 0;
  /** How many jobs can be stopped. */
  stops = 0;
  readonly #program: StepProgram;
  readonly #kernels: CheckKernels;
  readonly #shared: Shared;
  readonly #numbers = new Map<Storage, number>();

  constructor(program: StepProgram, kernels: CheckKernels, shared: Shared) {
    this.#program = program;
    this.#kernels = kernels;
    this.#shared = shared;
    const max = Math.floor(program.device.limits.maxStorageBufferBindingSize / 256) * 256;
    for (const buffer of program.slotBuffers) {
      for (let offset = 0; offset < buffer.size; offset += max) {
        this.fills.push(this.#forget({ buffer, offset, size: Math.min(max, buffer.size - offset) }, false));
      }
    }
    const given = givenTo(program.launches);
    for (let i = 0; i < given.length; i += ROW_SCANS) {
      this.#judge(undefined, given.slice(i, i + ROW_SCANS), [], LETS_ALL);
    }
    const writers = writersOf(program.launches);
    program.bound.forEach((bound, i) => {
      const { launch } = bound;
      const written = launch.tensors.filter((t, n) => t.size > 0 && shared.writes(launch, n));
      for (const { storage } of written) {
        if (writers.get(storage)?.[0] === i) this.#push(this.#forget(this.#placeOf(storage), true));
      }
      this.#push(bound);
      // Where several launches write parts of one tensor, it is whole after the last.
      const whole = written.filter(({ storage }) => i >= (writers.get(storage)?.at(-1) ?? 0));
      const read = launch.tensors.filter((t, n) => t.size > 0 && !isOverwritten(launch, n));
      const isGiven = launch.params.some((value) => !Number.isFinite(value));
      this.#judge(launch, whole, read, isGiven ? LETS_INFINITIES : 0);
    });
  }

  /** How many roots there are. */
  get roots(): number {
    return this.#numbers.size;
  }

  #push(job: Job): void {
    if ('launch' in job || job.stops) this.stops++;
    this.jobs.push(job);
  }

  #forget(place: Place, stops: boolean): Job {
    return this.#job(this.#kernels.forget, undefined, [place.size / 4], place, stops);
  }

  #judge(launch: Launch | undefined, tensors: readonly Tensor[], read: readonly Tensor[], lets: number): void {
    if (tensors.length === 0) return;
    const row = this.rows.length;
    this.rows.push({ launch, tensors, firstScan: this.scans });
    const words = new Array<number>(ROW).fill(0);
    words.splice(0, 4, this.scans, tensors.length, lets, read.length);
    words.splice(4, read.length, ...read.map((t) => this.#numberOf(t)));
    words.splice(4 + ROW_SCANS, tensors.length, ...tensors.map((t) => this.#numberOf(t)));
    this.table.push(...words);
    for (const t of tensors) {
      const count = t.dtype === 'f16' ? Math.ceil(t.size / 2) : t.size;
      const params = [count, t.size, this.scans++];
      this.#push(this.#job(this.#kernels.scan, KINDS[t.dtype], params, this.#placeOf(t.storage), false));
    }
    this.#push(this.#job(this.#kernels.judge, undefined, [row], undefined, false));
  }

  #job(kernel: Kernel, kind: number | undefined, params: number[], place: Place | undefined, stops: boolean): Job {
    const named = Object.fromEntries(kernel.paramNames.map((name, i) => [name, params[i] as number]));
    return { kernel, kind, params, place, grid: kernel.grid(named, kernel.override ?? {}), stops };
  }

  #placeOf(storage: Storage): Place {
    return { ...this.#program.memoryOf(storage), size: this.#shared.slotBytes(storage) };
  }

  #numberOf({ storage: { root } }: Tensor): number {
    let number = this.#numbers.get(root);
    if (number === undefined) this.#numbers.set(root, (number = this.#numbers.size));
    return number;
  }
}

/** Whether a launch writes its tensor number `i` without a look at what was there. */
function isOverwritten(launch: Launch, i: number): boolean {
  return launch.kernel.bindings[i]?.access === 'write';
}

/** Which launches write a storage without a look at what was there. */
function writersOf(launches: readonly Launch[]): Map<Storage, number[]> {
  const writers = new Map<Storage, number[]>();
  launches.forEach((launch, at) => {
    launch.tensors.forEach(({ storage }, n) => {
      if (!isOverwritten(launch, n)) return;
      const known = writers.get(storage);
      if (known) known.push(at);
      else writers.set(storage, [at]);
    });
  });
  return writers;
}

/** What launches read that none of them made, once for each storage: constants, inputs, variables. */
function givenTo(launches: readonly Launch[]): Tensor[] {
  const given = new Map<Storage, Tensor>();
  for (const launch of launches) {
    launch.tensors.forEach((t, n) => {
      const isGiven = t.storage.root.kind !== 'recorded' && KINDS[t.dtype] !== KINDS.u32 && t.size > 0;
      if (isGiven && !isOverwritten(launch, n)) given.set(t.storage, t);
    });
  }
  return [...given.values()];
}
