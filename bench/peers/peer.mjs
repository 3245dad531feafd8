import { counts, finished, start } from './meter.mjs';

/** One library at work in a place of its own: a process, or a worker of a page. */
export class Peer {
  #library;
  #prepared;
  #processorTime;
  #awaited;

  /**
   * @param {object} library What its `open` gave.
   * @param {object} [clocks]
   * @param {() => number} [clocks.processorTime] Processor milliseconds so far, where they can be told.
   * @param {<T>(promise: Promise<T>) => Promise<T>} [clocks.awaited] How to wait for the GPU.
   */
  constructor(library, { processorTime = () => Number.NaN, awaited = (promise) => promise } = {}) {
    this.#library = library;
    this.#processorTime = processorTime;
    this.#awaited = awaited;
  }

  /** Compiles and runs a workload for the first time, and compares what it gives with what is right. */
  async prepare(workload, expectedRuns) {
    const inputs = workload.inputs();
    const [began, processor] = [performance.now(), this.#processorTime()];
    this.#prepared = await this.#library.prepare(workload, inputs);
    if (!this.#prepared) return { unsupported: true };
    const wrong = [];
    let first;
    let error = 0;
    for (const expected of expectedRuns) {
      const results = await this.#run();
      first ??= { wall: performance.now() - began, processor: this.#processorTime() - processor };
      const values = await this.#prepared.read(results);
      this.#prepared.free(results);
      for (const [name, part] of Object.entries(expected)) {
        const found = difference(values[name], part);
        if (!(found <= part.tolerance)) wrong.push(`${name}: ${found.toExponential(1)}`);
        error = Math.max(error, found);
      }
    }
    return { first, error, wrong };
  }

  /** Runs it until `span` milliseconds have passed, `max` times at most. */
  async turn({ span, max }) {
    const samples = [];
    const began = performance.now();
    do {
      start();
      const [processor, wall] = [this.#processorTime(), performance.now()];
      const results = await this.#run();
      samples.push({ wall: performance.now() - wall, processor: this.#processorTime() - processor });
      this.#prepared.free(results);
    } while (performance.now() - began < span && samples.length < max);
    return { samples, counts: { ...counts } };
  }

  /** Runs the workload once and waits until the GPU is done. */
  async #run() {
    const results = await this.#prepared.run();
    if (this.#prepared.wait) await this.#awaited(this.#prepared.wait(results));
    await finished(this.#awaited);
    return results;
  }
}

/** The largest error over the scale; infinite where a value is missing or not finite. */
function difference(values, { count, indexes, values: wanted, scale }) {
  if (values?.length !== count || !values.every(Number.isFinite)) return Number.POSITIVE_INFINITY;
  return indexes.reduce((most, index, i) => Math.max(most, Math.abs(values[index] - wanted[i]) / scale), 0);
}
