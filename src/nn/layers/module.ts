import { Device } from '../../gpu/index.ts';
import { free, Tensor, variable } from '../../tensor/graph/index.ts';
import { describe, type HostValues, type Shape, ShapeError, StepError } from '../../tensor/values/index.ts';

/**
 * An object, an array or a `Map` that holds parameters (variables) and other modules, by any depth. What is in private
 * fields (`#weight`) or in closures is not seen.
 */
export type Module = object;

/** A weight: a variable, found by {@link parameters} because it is a field of a module. */
export function parameter(device: Device, shape: Shape, values: HostValues): Tensor {
  if (values === undefined) {
    throw new ShapeError('parameter', 'the first values are missing; for zeros give new Float32Array(n)', { shape });
  }
  return variable(device, shape, values, 'f32');
}

/**
 * All parameters of a module with their names: the path of fields, indices and keys of maps that leads to each, such as
 * `encoder.blocks.3.attn.qkv.weight`. In the order of the fields; one that is held in several places has the name of the first.
 * Constant tensors (position tables) are no parameters.
 *
 * @throws StepError when two parameters have one name.
 */
export function parameters(module: Module): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  const seen = new Set<Tensor>();
  walk(module, (t, path) => {
    if (t.storage.root.kind !== 'variable' || seen.has(t)) return;
    seen.add(t);
    if (found.has(path))
      throw new StepError(`parameters: two parameters are called '${path}'; rename a field or a key`);
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
  walk(module, (t, _, put) => {
    const other = by.get(t);
    if (!other) return;
    put(other);
    undo.push(() => put(t));
  });
  return () => {
    for (const one of undo) one();
  };
}

/** Sees all tensors in a module, with the path to each, and what puts another into its place. */
function walk(module: Module, see: (t: Tensor, path: string, put: (other: Tensor) => void) => void): void {
  const entered = new Set<object>();
  const enter = (holder: object, path: string): void => {
    // Modules may know each other in a circle.
    if (entered.has(holder)) return;
    entered.add(holder);
    const visit = (key: unknown, value: unknown, put: (other: Tensor) => void) => {
      if (typeof value !== 'object' || value === null) return;
      const full = path ? `${path}.${String(key)}` : String(key);
      if (value instanceof Tensor) see(value, full, put);
      else if (isModule(value)) enter(value, full);
    };
    const setField = (key: string | number) => (other: Tensor) => {
      (holder as Record<string | number, unknown>)[key] = other;
    };
    if (holder instanceof Map) for (const [key, value] of holder) visit(key, value, (other) => holder.set(key, other));
    else if (Array.isArray(holder)) holder.forEach((value, i) => void visit(i, value, setField(i)));
    else if (holder instanceof Set) checkSet(holder, path);
    else for (const [key, value] of Object.entries(holder)) visit(key, value, setField(key));
  };
  if (module instanceof Tensor || !isModule(module)) {
    throw new StepError(`parameters: a module is an object, an array or a Map; got ${describe(module)}`);
  }
  enter(module, '');
}

/** What is in a set has no name. */
function checkSet(set: ReadonlySet<unknown>, path: string): void {
  for (const value of set) {
    if (!(value instanceof Tensor)) continue;
    throw new StepError(`parameters: '${path}' is a Set, which gives its tensors no names; use an array or a Map`);
  }
}

function isModule(value: unknown): value is Module {
  if (typeof value !== 'object' || value === null) return false;
  return !(value instanceof Tensor || value instanceof Device || ArrayBuffer.isView(value));
}

/** Number of weights. */
export function countParameters(module: Module): number {
  let n = 0;
  for (const t of parameters(module).values()) n += t.size;
  return n;
}

/** Frees the memory of all parameters. Steps that use them must be gone. */
export function freeParameters(module: Module): void {
  for (const t of parameters(module).values()) free(t);
}
