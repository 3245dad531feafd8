/// <reference lib="esnext.disposable" preserve="true" />

import { heard } from '../../gpu/index.ts';
import type { Prefetch } from './prefetch.ts';

/** A step that the GPU has been given: the values that it will have computed. */
export interface IssuedStep<V> {
  readonly values: Promise<V>;
}

interface UnreadStep<V> extends IssuedStep<V> {
  readonly step: number;
  /** Whether it is to be read before another is issued. */
  readonly isLast: boolean;
}

type NeedsModel = (step: number) => boolean | Promise<boolean>;

/** How {@link StepTrainer.run} goes on. */
export interface StepRunOptions {
  /**
   * After which steps the model is read, such as for a checkpoint. The GPU gets no further step until the report of such a
   * one was taken; after others it already works on the next when the report is read. Asked once a step, when the GPU has been given that step
   * and nothing of the next, which waits for the answer. Default: after all steps.
   */
  readonly needsModel?: NeedsModel | undefined;
}

/**
 * What trainers share: steps one after the other, whose inputs are made ahead, and whose results are read while the GPU works on the
 * next step. The GPU has at most two steps at a time.
 *
 * `I` is what a step (or a part of it) takes, `V` what is read of it, `R` its report.
 */
export abstract class StepTrainer<I, V, R> implements Disposable {
  /** Steps of the whole run. */
  abstract readonly steps: number;
  /** Steps done: those whose reports were given. */
  done = 0;
  #isStopping = false;

  /** Ends {@link run} after the steps that the GPU has been given. */
  stop(): void {
    this.#isStopping = true;
  }

  /**
   * Runs to the last step, or to {@link stop}. After the report of a step that `needsModel` names, and after the last report, the
   * weights are those after that step.
   *
   * @throws TrainingError at a loss that is not finite.
   */
  async *run({ needsModel = () => true }: StepRunOptions = {}): AsyncGenerator<R, void, undefined> {
    this.#isStopping = false;
    const source = this.source(this.done);
    let unread: UnreadStep<V> | undefined;
    let began = performance.now();
    while (true) {
      const step = (unread?.step ?? this.done) + 1;
      const goesOn = step <= this.steps && !this.#isStopping && !unread?.isLast;
      const next = goesOn ? await this.#issue(step, source, needsModel) : undefined;
      if (unread) {
        const report = await this.report(unread.step, await unread.values, () => (performance.now() - began) / 1000);
        this.done = unread.step;
        unread = next;
        yield report;
        began = performance.now();
      } else if (next) unread = next;
      else return;
    }
  }

  async #issue(step: number, source: Prefetch<I>, needsModel: NeedsModel): Promise<UnreadStep<V>> {
    try {
      const { values } = await this.issue(step, source);
      heard(values);
      source.fill();
      // Asked in any case: who is asked remembers it, such as for a checkpoint.
      const isRead = await needsModel(step);
      return { step, values, isLast: isRead || this.isExact(step) };
    } catch (error) {
      // Thrown in its turn: the step before has been made, and is reported first.
      return { step, values: heard(Promise.reject(error)), isLast: true };
    }
  }

  /** Whether the next step may only begin when the results of this one are read: they decide how it goes. */
  protected abstract isExact(step: number): boolean;

  /** Inputs of all steps after `done`, in order. */
  protected abstract source(done: number): Prefetch<I>;

  /** Gives a step to the GPU. */
  protected abstract issue(step: number, source: Prefetch<I>): Promise<IssuedStep<V>>;

  /** What is said of a step. `seconds`: time since the report before. */
  protected abstract report(step: number, values: V, seconds: () => number): Promise<R>;

  abstract dispose(): void;

  [Symbol.dispose](): void {
    this.dispose();
  }
}
