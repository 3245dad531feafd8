import { isNamed, Tensor } from '../graph/index.ts';
import { describe, StepError } from '../values/index.ts';

/** What a body may return. */
export type Results = undefined | Tensor | readonly Tensor[] | { readonly [name: string]: Tensor };

/** Throws unless a body returned what it may. */
export function checkResults(name: string, results: unknown): void {
  if (results === undefined || results instanceof Tensor) return;
  if (results instanceof Promise) throw new StepError(`${name}: the body must not be async: it only records`);
  const rule = `${name}: the body must return tensors: none, one, a list or an object of them`;
  if (!Array.isArray(results) && !isNamed(results)) {
    throw new StepError(`${rule}; got ${describe(results)}`);
  }
  for (const [key, value] of Array.isArray(results) ? results.entries() : Object.entries(results)) {
    if (!(value instanceof Tensor)) throw new StepError(`${rule}; got ${describe(value)} as '${key}'`);
  }
}

export function tensorsOf(results: Results): Tensor[] {
  if (results === undefined) return [];
  if (results instanceof Tensor) return [results];
  return Object.values(results) as Tensor[];
}

export function mapResults<R extends Results>(results: R, map: (t: Tensor) => Tensor): R;
export function mapResults<V>(results: Results, map: (t: Tensor) => V): V | V[] | Record<string, V> | undefined;
export function mapResults(results: Results, map: (t: Tensor) => unknown): unknown {
  if (results === undefined) return undefined;
  if (results instanceof Tensor) return map(results);
  if (Array.isArray(results)) return results.map(map);
  return Object.fromEntries(Object.entries(results).map(([key, t]) => [key, map(t as Tensor)]));
}
