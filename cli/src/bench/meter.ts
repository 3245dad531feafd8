import { type Device, type Results, step } from '@zeroseg/core';
import { median } from '@zeroseg/core/internal';
import { Bench } from 'tinybench';
import { type Work, workOf } from './work.ts';

/** The clock that shares of limits are taken by: what else the machine does disturbs it least. */
export type Clock = 'gpu' | 'processor' | 'wall';

/** Milliseconds of one run: medians, and of all runs the least, which tells most of a machine that does other things too. */
export interface Times {
  readonly least: { readonly ms: number; readonly processorMs: number | null };
  /** Wall clock, of runs that follow each other without waiting. */
  readonly ms: number;
  /** By timestamps; on hardware that has them. */
  readonly gpuMs: number | null;
  /** Processor time; where the platform tells it. */
  readonly processorMs: number | null;
}

export interface Measured extends Times {
  /** From the call that makes the step to the end of its first run: recorded, planned, compiled, run. Less where kernels are known already. */
  readonly firstMs: number;
  readonly dispatches: number;
  /** What its launches do. */
  readonly work: Work;
  /** Bytes planned for intermediates, and of results. */
  readonly bytes: number;
}

/** A sample is at least so long, so that neither clocks nor the wait for the GPU show in it. */
const SAMPLE_MS = 4;
/** Work that takes longer than this altogether is run less often, but five times. */
const BUDGET_MS = 1500;
const FEWEST_RUNS = 5;
/** Dawn rounds timestamps to 0.065 ms: the mean of so many runs is finer. */
const TIMED_RUNS = 20;

/** Measures work on a device. */
export class Meter {
  readonly device: Device;
  readonly clock: Clock;
  readonly #processorTime: (() => number) | undefined;
  readonly #runs: number;

  /** `processorTime`: processor milliseconds of this process so far, user and system, all threads; where it can be told. */
  constructor(device: Device, runs: number, processorTime?: () => number) {
    this.device = device;
    this.#processorTime = processorTime;
    this.#runs = runs;
    // Timestamps of software adapters are the wall clock, and each launch would pay for a pass of its own.
    if (!device.isSoftware && device.features.has('timestamp-query')) this.clock = 'gpu';
    else this.clock = device.isSoftware && processorTime ? 'processor' : 'wall';
  }

  /** Milliseconds by {@link clock}. */
  cost({ ms, gpuMs, processorMs }: Times): number {
    return (this.clock === 'gpu' ? gpuMs : this.clock === 'processor' ? processorMs : ms) ?? ms;
  }

  /** Makes a step of `body`, which has no inputs but variables, and measures its replay. */
  async measure(body: () => Results, name = 'bench'): Promise<Measured> {
    const began = performance.now();
    using replay = await step(this.device, {}, body, { name });
    replay({});
    await this.device.finished();
    const firstMs = performance.now() - began;
    const times = await this.time(() => void replay({}));
    const gpuMs = this.clock === 'gpu' ? await this.#gpuTime(body) : null;
    const { planned, own } = replay.memory;
    const work = workOf(replay.launches);
    return { ...times, gpuMs, firstMs, dispatches: work.launches, work, bytes: planned + own };
  }

  /** Measures what `submit` gives the GPU. The first run, which may compile, does not count. */
  async time(submit: () => void): Promise<Times> {
    await this.#sample(submit, 1);
    let repeats = 1;
    let first = await this.#sample(submit, repeats);
    while (first < SAMPLE_MS && repeats < 4096) {
      repeats *= first < SAMPLE_MS / 8 ? 8 : 2;
      first = await this.#sample(submit, repeats);
    }
    const runs = Math.max(FEWEST_RUNS, Math.min(this.#runs, Math.floor(BUDGET_MS / first)));
    const processor: number[] = [];
    const bench = new Bench({ iterations: Math.min(runs, this.#runs), time: 0, warmup: false, throws: true });
    bench.add(
      'sample',
      async () => {
        const before = this.#processorTime?.() ?? 0;
        await this.#sample(submit, repeats);
        processor.push((this.#processorTime?.() ?? 0) - before);
      },
      { async: true },
    );
    const [task] = await bench.run();
    const result = task?.result;
    if (result?.state !== 'completed') throw new Error(`internal: the bench ended as ${result?.state}`);
    const of = (time: number) => (this.#processorTime ? time / repeats : null);
    return {
      ms: result.latency.p50 / repeats,
      gpuMs: null,
      processorMs: of(median(processor)),
      least: { ms: result.latency.min / repeats, processorMs: of(Math.min(...processor)) },
    };
  }

  /** Wall milliseconds that the host takes to submit, not waiting for the GPU; the median. */
  async hostTime(submit: () => void): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < 3 * this.#runs; i++) {
      const began = performance.now();
      submit();
      times.push(performance.now() - began);
      await this.device.finished();
    }
    return median(times);
  }

  /** Wall milliseconds of `repeats` runs and one wait. */
  async #sample(submit: () => void, repeats: number): Promise<number> {
    const began = performance.now();
    for (let i = 0; i < repeats; i++) submit();
    await this.device.finished();
    return performance.now() - began;
  }

  async #gpuTime(body: () => Results): Promise<number> {
    using replay = await step(this.device, {}, body, { name: 'bench', time: true });
    let total = 0;
    let runs = 0;
    for (let i = -1; i < TIMED_RUNS && (i < FEWEST_RUNS || total < BUDGET_MS); i++) {
      replay({});
      const times = await replay.times();
      if (i < 0) continue;
      total += times.reduce((sum, { ms }) => sum + ms, 0);
      runs++;
    }
    return total / runs;
  }
}
