import type { ProcessGroup, Wire } from '../../nn/distributed/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { StepTrace } from '../runs/index.ts';
import type { GroupingStatistics } from './grouping-statistics.ts';

/** What one step of training did. */
export interface StepReport {
  /** Steps done, from 1. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly lr: number;
  readonly loss: number;
  /** The terms of the loss by name, before they are weighted: `weightedTerms` sums to the loss. */
  readonly terms: Readonly<Record<string, number>>;
  /** Infinite where gradients overflowed f16: the step then left the weights as they were. */
  readonly gradNorm: number;
  readonly seconds: number;
  /** What the head did with this step's images, in the steps of `TrainerOptions.statisticsEvery`. */
  readonly grouping?: GroupingStatistics;
  /** What the probe measured after this step, in those in which it is asked. */
  readonly probe?: Readonly<Record<string, number>>;
}

/** What a trainer measures beside the losses. None of it changes what is learnt. */
export interface TrainerOptions {
  /** Steps between grouping statistics; the first step and the last always have them. 0: never. Default: 10. */
  readonly statisticsEvery?: number;
  /** Measures the model as it is after every so many steps, and after the last; such as how well it does on other images. */
  readonly probe?: Probe | undefined;
  /** Is told what takes how long, such as a `ChromeTrace`. The GPU is waited for after every micro-batch, beside the work. */
  readonly trace?: StepTrace | undefined;
  /** Learning rates that took the place of the setting `base_lr` on the way, by step ascending. */
  readonly rates?: readonly RateChange[] | undefined;
  /**
   * Processes that train the model together, this one among them. Each computes its share of the micro-batches of a step; losses, weights
   * and reports are those of one process but for the order in which gradients are added up. All make the same calls.
   */
  readonly group?: ProcessGroup | undefined;
  /** What gradients are rounded to on their way between processes: see `allReduce`. Default: f32. */
  readonly wire?: Wire | undefined;
}

/** From the step after `after` on, the learning rate follows its schedule from another peak. */
export interface RateChange {
  readonly after: number;
  /** As the setting of this name: learning rate for 256 images a step. */
  readonly base_lr: number;
}

export interface Probe {
  readonly every: number;
  measure(model: ZeroSeg, step: number): Promise<Readonly<Record<string, number>>>;
}
