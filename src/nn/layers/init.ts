import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { describe, type Shape, size } from '../../tensor/values/index.ts';
import { normalNumber, type Random } from './random.ts';

/** Fills a new parameter: its shape, and a generator of its own. */
export type Initializer = (shape: Shape, uniform: Random) => Float32Array;

/** The options of a layer, with an initializer alone in their place as well. `names` are those beside `init`. */
export function withInit<O extends { readonly init?: Initializer }>(
  layer: string,
  given: O | Initializer,
  names: readonly (keyof O & string)[] = [],
): O {
  const options = typeof given === 'function' ? ({ init: given } as O) : given;
  checkOptions(layer, options, [...names, 'init']);
  checkInit(layer, options.init);
  return options;
}

/** @throws ArgumentError for what is no initializer, but where there is none. */
export function checkInit(layer: string, init: unknown): void {
  if (init === undefined || typeof init === 'function') return;
  throw new ArgumentError(`${layer}: init must be an initializer, as normal(0.02); it is ${describe(init)}`);
}

export const zeros: Initializer = (shape) => new Float32Array(size(shape));
export const ones: Initializer = (shape) => new Float32Array(size(shape)).fill(1);

function checkSpread(op: string, given: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'number' && value >= 0) continue;
    throw new ArgumentError(`${op}: ${name} must be a number, 0 or more; it is ${describe(value)}`);
  }
}

/** N(0, deviation²). */
export function normal(deviation: number): Initializer {
  checkSpread('normal', { deviation });
  return (shape, uniform) => Float32Array.from({ length: size(shape) }, () => deviation * normalNumber(uniform));
}

/** N(0, deviation²), drawn again outside of ±`bound` (an absolute value, as timm has it). */
export function truncatedNormal(deviation: number, bound = 2): Initializer {
  checkSpread('truncatedNormal', { deviation, bound });
  if (deviation === Infinity || (bound === 0 && deviation > 0)) {
    throw new ArgumentError(
      `truncatedNormal: no draw lies within ±${bound} of deviation ${deviation}; give a finite one, and a bound above 0`,
    );
  }
  return (shape, uniform) =>
    Float32Array.from({ length: size(shape) }, () => {
      let value: number;
      do value = deviation * normalNumber(uniform);
      while (Math.abs(value) > bound);
      return value;
    });
}

/** Uniform in ±`bound`. */
export function uniform(bound: number): Initializer {
  checkSpread('uniform', { bound });
  return (shape, uniform) => Float32Array.from({ length: size(shape) }, () => bound * (2 * uniform() - 1));
}

/**
 * Xavier, uniform in ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010). The first axis is outputs, all others together
 * are inputs: a patch embedding counts as a matrix, as in MAE.
 */
export const xavierUniform: Initializer = (shape, uniform) => {
  const outputs = shape[0] ?? 1;
  const inputs = size(shape.slice(1));
  const bound = Math.sqrt(6 / (inputs + outputs));
  return Float32Array.from({ length: size(shape) }, () => bound * (2 * uniform() - 1));
};

/**
 * N(0, 2 / inputs), which keeps the size of activations through layers that cut off half of them (He et al., 2015). Outputs and
 * inputs as for {@link xavierUniform}.
 */
export const heNormal: Initializer = (shape, uniform) => normal(Math.sqrt(2 / size(shape.slice(1))))(shape, uniform);
