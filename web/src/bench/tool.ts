/** The part of this tool that runs in the worker. */
import { type Device, openDevice, saveTuning, type Tuned } from '@zeroseg/core';
import { bench, Meter, tuneSteps } from 'zeroseg/bench';
import { version } from '../../package.json';
import type { BenchChoice, BenchEvent, BenchReport, TuneEvent } from './messages.ts';

/** Runs of each piece of work; the median is told. As on the command line. */
const RUNS = 7;

export class BenchTool {
  #stopping: AbortController | undefined;

  /** Measures on a device of its own, which has compiled nothing yet: first runs are first ones. */
  async measure({ quick, filter }: BenchChoice, onEvent: (event: BenchEvent) => void): Promise<BenchReport> {
    return this.#onDevice(async (device, signal) => {
      const meter = new Meter(device, RUNS);
      const result = await bench(meter, {
        quick,
        filter,
        signal,
        onProgress: (doing) => onEvent({ kind: 'doing', doing }),
        onRow: (row, limits) => onEvent({ kind: 'row', row, limits }),
      });
      const { vendor, architecture } = device.adapter;
      return {
        date: new Date().toISOString(),
        version,
        browser: navigator.userAgent,
        adapter: device.name,
        vendor,
        architecture,
        software: device.isSoftware,
        features: [...device.features].sort(),
        clock: meter.clock,
        runs: RUNS,
        quick,
        stopped: signal.aborted,
        ...result,
      };
    });
  }

  /** Which variants of matrix products are the fastest here; `keep`: what this page opens from now on takes them. */
  async tune(
    { quick, keep }: { readonly quick: boolean; readonly keep: boolean },
    onEvent: (event: TuneEvent) => void,
  ): Promise<Tuned[]> {
    return this.#onDevice(async (device, signal) => {
      const tuned: Tuned[] = [];
      try {
        await tuneSteps(device, {
          quick,
          again: true,
          save: keep,
          progress(found, done, of) {
            tuned.push(found);
            onEvent({ found, done, of });
            signal.throwIfAborted();
          },
        });
      } catch (error) {
        if (!signal.aborted) throw error;
        if (keep) await saveTuning(device);
      }
      return tuned;
    });
  }

  /** What is under way ends soon, with what it has. */
  stop(): void {
    this.#stopping?.abort();
  }

  async #onDevice<R>(work: (device: Device, signal: AbortSignal) => Promise<R>): Promise<R> {
    if (this.#stopping) throw new Error('something is being measured already; stop it, or wait');
    const stopping = new AbortController();
    this.#stopping = stopping;
    try {
      using device = await openDevice({ notice: null });
      return await work(device, stopping.signal);
    } finally {
      this.#stopping = undefined;
    }
  }
}
