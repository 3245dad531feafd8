import { describe, ShapeError } from '../values/index.ts';
import { Tensor } from './tensor.ts';

/** Options, and inputs, come by name: a number in their place, or a name that is none, would be passed over. */
export function checkOptions(op: string, options: unknown, names: readonly string[], what = 'options'): void {
  const rule = `${what} come by name: { ${names.join(', ')} }`;
  if (typeof options !== 'object' || options === null || options instanceof Tensor || Array.isArray(options)) {
    throw new ShapeError(op, `${rule}; got ${describe(options)}`);
  }
  const other = Object.keys(options).find((name) => !names.includes(name));
  if (other !== undefined) throw new ShapeError(op, `${rule}; there is no '${other}'`);
}
