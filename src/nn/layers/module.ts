import { Device } from '../../gpu/index.ts';
import { checkFunction, free, newVariable, Tensor } from '../../tensor/graph/index.ts';
import { describe, type HostValues, type Shape, ShapeError, StepError, sameShape } from '../../tensor/values/index.ts';

/**
 * An object, an array or a `Map` that holds parameters (variables) and other modules, by any depth. What is in private
 * fields (`#weight`) or in closures is not seen; devices and functions (activations, steps, generators) hold none. An optimizer, a
 * `WeightAverage` and a `LossScale` are no modules: what they remember is their `state()`.
 */
export type Module = object;

/** A weight: a variable, found by {@link parameters} because it is a field of a module. */
export function parameter(device: Device, shape: Shape, values: HostValues): Tensor {
  if (values === undefined) {
    throw new ShapeError('parameter', 'values are missing; zeros are new Float32Array(n)', { shape });
  }
  return newVariable('parameter', device, shape, values, 'f32');
}

/** Variables among the parameters that steps write and no optimizer does: running statistics. */
export const statistics: WeakSet<Tensor> = /*#__PURE__*/ new WeakSet();

/**
 * What is beside a module and has a state of its own, which would be saved in part or not at all with one: optimizers, averages and loss scales,
 * each with what to give in its place.
 */
export const notModules: WeakMap<object, string> = /*#__PURE__*/ new WeakMap();

/**
 * All parameters of a module with their names: the path of fields, indices and keys of maps that leads to each, such as
 * `encoder.blocks.3.attn.qkv.weight`. In the order of the fields; one that is held in several places has the name of the first.
 * Constant tensors (position tables) are no parameters.
 *
 * @throws StepError when two parameters have one name, a field is a promise, as of a module that nobody awaited, or the module holds an optimizer,
 * a `WeightAverage` or a `LossScale`.
 */
export function parameters(module: Module): Map<string, Tensor> {
  return parametersOf('parameters', module);
}

/** {@link parameters}, for `op`. */
export function parametersOf(op: string, module: Module): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  const seen = new Set<Tensor>();
  walk(op, module, (t, path) => {
    if (t.storage.root.kind !== 'variable' || seen.has(t)) return;
    seen.add(t);
    if (found.has(path)) throw new StepError(`${op}: two parameters are called '${path}'; rename a field or a key`);
    found.set(path, t);
  });
  return found;
}

/**
 * Puts other tensors into the fields that hold parameters, wherever `by` has one for them, until the function that
 * comes back is called: so a model is recorded with its parameters in f16.
 */
export function replaceParameters(module: Module, by: ReadonlyMap<Tensor, Tensor>): () => void {
  const undo: (() => void)[] = [];
  walk('parameters', module, (t, _, holder, key) => {
    const other = by.get(t);
    if (!other) return;
    put(holder, key, other);
    undo.push(() => put(holder, key, t));
  });
  return () => {
    for (const one of undo) one();
  };
}

function put(holder: object, key: unknown, t: Tensor): void {
  if (holder instanceof Map) holder.set(key, t);
  else (holder as Record<string, unknown>)[key as string] = t;
}

/** Records `body` with other tensors in the fields that hold parameters, as {@link replaceParameters} puts them there. */
export function recordWith<R>(op: string, module: Module, by: ReadonlyMap<Tensor, Tensor>, body: () => R): R {
  const restore = replaceParameters(module, by);
  try {
    const result: unknown = body();
    if (result instanceof Promise) {
      throw new StepError(`${op} records what is called in it; give a function that is not async`);
    }
    return result as R;
  } finally {
    restore();
  }
}

/**
 * Records `body` with other tensors in the places of some of a module's parameters, by their names in {@link parameters}: PyTorch's
 * `torch.func.functional_call`. They may be computed, and gradients flow to what they are made of: low-rank adapters (LoRA), weight
 * normalisation, one step of gradient descent inside of another (MAML). The module is as it was afterwards; where `body` uses
 * `recompute` or `scan`, ask for gradients in it, too.
 *
 * ```ts
 * const weight = add(layer.weight, matmul(b, a)); // frozen, and what is learnt: [out, rank] and [rank, in]
 * const y = withParameters(layer, new Map([['weight', weight]]), () => layer.forward(x));
 * const [da, db] = gradients(mean(square(y)), [a, b]);
 * ```
 *
 * @throws StepError when the module has no parameter of a name, or `body` is async; ShapeError when a tensor has another shape.
 */
export function withParameters<R>(module: Module, others: ReadonlyMap<string, Tensor>, body: () => R): R {
  const own = parametersOf('withParameters', module);
  if (!(others instanceof Map)) {
    throw new StepError(`withParameters: the other tensors come as a Map, by name; got ${describe(others)}`);
  }
  checkFunction('withParameters', 'the body', body);
  const by = new Map<Tensor, Tensor>();
  for (const [name, other] of others) {
    const parameter = own.get(name);
    if (!parameter) {
      const [first] = own.keys();
      throw new StepError(`withParameters: the module has no parameter '${name}'; they are called as '${first}'`);
    }
    if (!sameShape(parameter.shape, other?.shape)) {
      throw new ShapeError('withParameters', `what takes the place of '${name}' must have its shape`, {
        parameter: parameter.shape,
        other: other?.shape,
      });
    }
    by.set(parameter, other);
  }
  return recordWith('withParameters', module, by, body);
}

/** Sees all tensors in a module, with the path to each, and where it is: a field of `holder`, an element, or what a map has at the key. */
function walk(op: string, module: Module, see: (t: Tensor, path: string, holder: object, key: unknown) => void): void {
  const entered = new Set<object>();
  const enter = (holder: object, path: string): void => {
    // Modules may know each other in a circle.
    if (entered.has(holder)) return;
    entered.add(holder);
    const instead = notModules.get(holder);
    if (instead)
      throw new StepError(`${op}: ${path || 'this'} is no module; leave it out, or give ${instead} to save it`);
    if (holder instanceof Set) checkSet(op, holder, path);
    for (const [key, value] of holder instanceof Map ? holder : Object.entries(holder)) {
      const full = path ? `${path}.${String(key)}` : String(key);
      if (value instanceof Promise && notModules.has(value))
        throw new StepError(`${op}: '${full}' is a promise; await it`);
      if (value instanceof Tensor) see(value, full, holder, key);
      else if (isModule(value)) enter(value, full);
    }
  };
  if (!isModule(module)) {
    throw new StepError(`${op}: a module is an object, an array or a Map; got ${describe(module)}`);
  }
  enter(module, '');
}

/** What is in a set has no name. */
function checkSet(op: string, set: ReadonlySet<unknown>, path: string): void {
  for (const value of set) {
    if (!(value instanceof Tensor)) continue;
    throw new StepError(`${op}: '${path}' is a Set, without names; use an array or a Map`);
  }
}

function isModule(value: unknown): value is Module {
  if (typeof value !== 'object' || value === null) return false;
  return !(value instanceof Tensor || value instanceof Device || value instanceof Promise || ArrayBuffer.isView(value));
}

/** Number of weights. */
export function countParameters(module: Module): number {
  let n = 0;
  for (const t of parametersOf('countParameters', module).values()) n += t.size;
  return n;
}

/** Frees the memory of all parameters. Steps that use them must be gone. */
export function freeParameters(module: Module): void {
  for (const t of parametersOf('freeParameters', module).values()) free(t);
}
