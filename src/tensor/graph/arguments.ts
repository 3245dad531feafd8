import { describe, ShapeError, StepError } from '../values/index.ts';
import { Tensor } from './tensor.ts';

// What functions ask of their arguments: programs in plain JavaScript give anything.

/** Options, and inputs, come by name: a number or a promise in their place, or a name that is none, would be passed over. */
export function checkOptions(op: string, options: unknown, names: readonly string[], what = 'options'): void {
  const rule = `${what} come by name: { ${names.join(', ')} }`;
  if (!isNamed(options)) throw new ShapeError(op, `${rule}; got ${describe(options)}`);
  const other = Object.keys(options).find((name) => !names.includes(name));
  if (other !== undefined) throw new ShapeError(op, `${rule}; there is no '${other}'`);
}

/** Whether a value holds others by name: no tensor, no list, no promise, no Map. */
export function isNamed(value: unknown): value is object {
  return Object.prototype.toString.call(value) === '[object Object]' && !(value instanceof Tensor);
}

/** What stands for a tensor and is none, with what to do instead. */
export function checkTensors(op: string, given: Readonly<Record<string, unknown>>, remedy = ''): void {
  for (const [name, value] of Object.entries(given)) {
    if (value instanceof Tensor) continue;
    // Numbers, in lists of any depth.
    const areValues = typeof [(value as readonly unknown[])?.[0]].flat(9)[0] === 'number';
    const mend = remedy || (areValues && 'tensor(device, values) makes one');
    throw new ShapeError(op, `${name} must be a tensor; it is ${describe(value)}${mend ? `; ${mend}` : ''}`);
  }
}

/** A list of tensors. */
export function tensorList(op: string, name: string, given: unknown): readonly Tensor[] {
  if (!Array.isArray(given)) throw new ShapeError(op, `${name} must be a list of tensors; it is ${describe(given)}`);
  // Every op that is recorded comes by here.
  for (const [i, x] of given.entries()) if (!(x instanceof Tensor)) checkTensors(op, { [`${name}[${i}]`]: x });
  return given;
}

/** One tensor, or a list of them, as a list. */
export function oneOrMore(op: string, name: string, given: unknown): readonly Tensor[] {
  if (Array.isArray(given)) return tensorList(op, name, given);
  checkTensors(op, { [name]: given });
  return [given as Tensor];
}

/** What is called later would fail far from here. */
export function checkFunction(op: string, name: string, given: unknown): void {
  if (typeof given !== 'function') throw new StepError(`${op}: ${name} must be a function; got ${describe(given)}`);
}
