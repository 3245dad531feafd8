import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { shown } from '../../tensor/values/index.ts';

/**
 * The learning rate of step `t` = 1, 2, …, as an optimizer counts them: a pure function, so that a training goes on where it was
 * stopped. `rate(t)` is what PyTorch's scheduler has before its `t`-th `optimizer.step()`.
 *
 * ```ts
 * const rate = sequence([linearRate(0, 1e-3, 500), 500], [cosineRate(1e-3, 0, 9500), 9500]);
 * train({ x, hyper: optimizer.hyperparameters(t, rate(t)) });
 * ```
 */
export type Rate = (t: number) => number;

/** Always `rate`. */
export function constantRate(rate: number): Rate {
  checkRates('constantRate', { rate });
  return timed('constantRate', () => rate);
}

/** From `from`, in the first step, along a line to `to`, after `steps` steps and ever after: `LinearLR`, and every warm-up. */
export function linearRate(from: number, to: number, steps: number): Rate {
  checkRates('linearRate', { from, to });
  checkSteps('linearRate', { steps });
  return timed('linearRate', (done) => from + (to - from) * Math.min(1, done / steps));
}

/** From `from`, in the first step, along half a cosine to `to`, after `steps` steps and ever after: `CosineAnnealingLR`. */
export function cosineRate(from: number, to: number, steps: number): Rate {
  checkRates('cosineRate', { from, to });
  checkSteps('cosineRate', { steps });
  return timed('cosineRate', (done) => alongCosine(from, to, Math.min(1, done / steps)));
}

/** `from · (1 − done / steps)^power`, with `done` the steps before this one; 0 after `steps`: `PolynomialLR`. */
export function polynomialRate(from: number, steps: number, power = 1): Rate {
  checkRates('polynomialRate', { from, power });
  checkSteps('polynomialRate', { steps });
  return timed('polynomialRate', (done) => from * (1 - Math.min(1, done / steps)) ** power);
}

/** `from`, multiplied by `factor` after every `every` steps: `StepLR`; after each number of steps in a list: `MultiStepLR`. */
export function stepRate(from: number, every: number | readonly number[], factor = 0.1): Rate {
  checkRates('stepRate', { from, factor });
  if (typeof every === 'number') {
    checkSteps('stepRate', { every });
    return timed('stepRate', (done) => from * factor ** Math.floor(done / every));
  }
  if (!Array.isArray(every)) {
    throw new ArgumentError(`stepRate: every must be a number of steps, or a list of such; it is ${shown(every)}`);
  }
  for (const milestone of every) checkSteps('stepRate', { milestone });
  return timed('stepRate', (done) => from * factor ** every.filter((milestone: number) => milestone <= done).length);
}

/** `from · factor^done`, with `done` the steps before this one: `ExponentialLR`. */
export function exponentialRate(from: number, factor: number): Rate {
  checkRates('exponentialRate', { from, factor });
  return timed('exponentialRate', (done) => from * factor ** done);
}

export interface OneCycleOptions {
  /** Which part of the steps the rate rises in. Default: 0.3. */
  readonly rise?: number;
  /** The first rate is `max` divided by this. Default: 25. */
  readonly startDivisor?: number;
  /** The last rate is the first divided by this. Default: 1e4. */
  readonly endDivisor?: number;
}

/**
 * Up to `max` and down to almost nothing in `steps` steps, along half a cosine each (Smith & Topin, 2018): `OneCycleLR` with its
 * defaults. The last rate stays.
 */
export function oneCycleRate(max: number, steps: number, options: OneCycleOptions = {}): Rate {
  checkOptions('oneCycleRate', options, ['rise', 'startDivisor', 'endDivisor']);
  const { rise = 0.3, startDivisor = 25, endDivisor = 1e4 } = options;
  checkRates('oneCycleRate', { max });
  checkSteps('oneCycleRate', { steps });
  if (!(typeof rise === 'number' && rise >= 0 && rise <= 1))
    throw new ArgumentError(`oneCycleRate: rise must be from 0 to 1; it is ${shown(rise)}`);
  for (const [name, value] of Object.entries({ startDivisor, endDivisor })) {
    if (!(Number.isFinite(value) && value > 0)) {
      throw new ArgumentError(`oneCycleRate: ${name} must be a finite number above 0; it is ${shown(value)}`);
    }
  }
  const first = max / startDivisor;
  const top = rise * steps - 1;
  return timed('oneCycleRate', (done) => {
    if (done < top) return alongCosine(first, max, done / top);
    const start = Math.max(0, top);
    // One step alone has no way down.
    const down = steps - 1 > start ? (done - start) / (steps - 1 - start) : 1;
    return alongCosine(max, first / endDivisor, Math.min(1, down));
  });
}

/**
 * One schedule behind the other: each with its number of steps, in which it counts from 1 again; the last goes on. `SequentialLR`.
 *
 * @throws ArgumentError when there is none.
 */
export function sequence(...parts: readonly (readonly [rate: Rate, steps: number])[]): Rate {
  if (parts.length === 0) throw new ArgumentError('sequence: give at least one [schedule, steps]');
  for (const part of parts as readonly unknown[]) {
    if (!Array.isArray(part) || typeof part[0] !== 'function') {
      throw new ArgumentError(`sequence: each part is a list [schedule, steps]; got ${shown(part)}`);
    }
    checkSteps('sequence', { steps: part[1] });
  }
  return timed('sequence', (done) => {
    let before = 0;
    for (const [rate, steps] of parts.slice(0, -1)) {
      if (done < before + steps) return rate(done - before + 1);
      before += steps;
    }
    return (parts.at(-1) as (typeof parts)[0])[0](done - before + 1);
  });
}

/** `from` at 0, `to` at 1. */
function alongCosine(from: number, to: number, at: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * at))) / 2;
}

/** A schedule from what the rate is after so many steps. */
function timed(name: string, rate: (done: number) => number): Rate {
  return (t) => {
    if (!Number.isInteger(t) || t < 1) throw new ArgumentError(`${name}: steps are counted 1, 2, …; t is ${shown(t)}`);
    return rate(t - 1);
  };
}

function checkRates(name: string, rates: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(rates)) {
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) continue;
    throw new ArgumentError(`${name}: ${key} must be a finite number, 0 or more; it is ${shown(value)}`);
  }
}

function checkSteps(name: string, steps: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(steps)) {
    if (Number.isInteger(value) && (value as number) >= 1) continue;
    throw new ArgumentError(`${name}: ${key} must be a whole number, 1 or more; it is ${shown(value)}`);
  }
}
