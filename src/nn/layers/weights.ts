import { ArgumentError, type Device } from '../../gpu/index.ts';
import { checkNumber } from '../../kernels/axis/index.ts';
import { checkDevice, checkFunction, free, Tensor, variable, write } from '../../tensor/graph/index.ts';
import { describe, formatShape, isFloat, type Shape, StepError, sameShape } from '../../tensor/values/index.ts';
import {
  CheckpointError,
  readTensor,
  type StoredTensor,
  toFloat32,
  toWhole,
  type WeightTensor,
} from '../safetensors/index.ts';
import type { Initializer } from './init.ts';
import { freeParameters, type Module, notModules, parameter, parametersOf } from './module.ts';
import { generator } from './random.ts';

/** Where a module under construction gets its weights from; `in` descends by one field. */
export interface Weights {
  readonly device: Device;
  /** Of new weights: what they are drawn by. */
  readonly seed?: number | undefined;
  /** The weight called `name` here: `init` is used where weights are new. */
  parameter(name: string, shape: Shape, init: Initializer): Tensor;
  in(name: string | number): Weights;
  /** What {@link buildModule} does. */
  build<M extends Module>(make: (weights: Weights) => M): Promise<M>;
}

/**
 * What every layer asks of its arguments; `extra` is the first behind those that it has.
 *
 * @throws ArgumentError unless weights come from somewhere, sizes are whole numbers, and nothing is left over.
 */
export function checkLayer(
  layer: string,
  weights: unknown,
  sizes: Readonly<Record<string, unknown>>,
  extra?: unknown,
): void {
  checkWeights(layer, weights);
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && (size as number) >= 0) continue;
    throw new ArgumentError(`${layer}: ${name} must be a whole number, 0 or more; it is ${describe(size)}`);
  }
  if (extra !== undefined) throw new ArgumentError(`${layer}: options come by name, not as ${describe(extra)}`);
}

function checkWeights(op: string, weights: unknown): void {
  if (typeof (weights as Partial<Weights> | undefined)?.parameter === 'function') return;
  throw new ArgumentError(
    `${op}: its weights come first, as newWeights(device, 1) gives them; got ${describe(weights)}`,
  );
}

/** Values of a weight that are made of tensors in a file. */
export interface StoredValues {
  readonly tensors: readonly WeightTensor[];
  /** The weight's values, out of the tensors' values. */
  make(parts: readonly Float32Array[]): Float32Array;
}

/** Gives values by full name: at once, or by what they are made of. */
export type WeightValues = (name: string, shape: Shape, init: Initializer) => Float32Array | StoredValues;

type Give = (name: string, shape: Shape, init: Initializer) => Tensor;
type Build = <M extends Module>(make: () => M) => Promise<M>;

/** Weights below a path; `give` is called with full names. */
function weightsBelow(path: string, device: Device, give: Give, build: Build, seed?: number): Weights {
  const full = (name: string | number) => (path ? `${path}.${name}` : String(name));
  const weights: Weights = {
    device,
    seed,
    parameter: (name, shape, init) => give(full(name), shape, init),
    in: (name) => weightsBelow(full(name), device, give, build, seed),
    build: (make) => build(() => make(weights)),
  };
  return weights;
}

/** Weights whose values come from a function of the full name and shape. */
export function weightsFrom(device: Device, values: WeightValues): Weights {
  checkDevice('weightsFrom', device);
  checkFunction('weightsFrom', 'values', values);
  // Only while a module is built that is waited for: elsewhere, nobody would read what is in a file.
  let waiting: Waiting[] | undefined;
  const give: Give = (name, shape, init) => {
    const found = values(name, shape, init);
    if (found instanceof Float32Array) return parameter(device, shape, found);
    const stored = found.tensors.filter((tensor): tensor is StoredTensor => 'bytes' in tensor);
    if (stored.length === found.tensors.length) return parameter(device, shape, found.make(stored.map(toFloat32)));
    if (!waiting) {
      throw new ArgumentError(
        `weights: '${name}' is in a file that is read tensor by tensor; build the module by buildModule(weights, …)`,
      );
    }
    const target = variable(device, shape, undefined, 'f32');
    waiting.push({ ...found, target });
    return target;
  };
  return weightsBelow('', device, give, async (make) => {
    const all: Waiting[] = (waiting = []);
    let module: ReturnType<typeof make>;
    try {
      module = make();
    } finally {
      waiting = undefined;
    }
    try {
      await readWaiting(device, all);
    } catch (error) {
      freeParameters(module);
      throw error;
    }
    return module;
  });
}

interface Waiting extends StoredValues {
  readonly target: Tensor;
  make(parts: readonly Float32Array[]): Float32Array;
}

/** Bytes that are handed to the GPU before it is waited for: until it has copied them, they take host memory. */
const MAX_IN_FLIGHT = 2 ** 26;

async function readWaiting(device: Device, waiting: readonly Waiting[]): Promise<void> {
  // A disk and a server give what lies behind each other fastest.
  const place = ({ tensors: [first] }: Waiting): number => (first && 'start' in first ? first.start : 0);
  const all = [...waiting].sort((a, b) => place(a) - place(b));
  let inFlight = 0;
  for (const { tensors, make, target } of all) {
    const parts: Float32Array[] = [];
    for (const tensor of tensors) parts.push(toFloat32(await readTensor(tensor)));
    write(target, make(parts));
    inFlight += 4 * target.size;
    if (inFlight < MAX_IN_FLIGHT) continue;
    await device.finished();
    inFlight = 0;
  }
  if (inFlight > 0) await device.finished();
}

/**
 * Builds a module and reads its weights, tensor by tensor where they are in a file.
 *
 * ```ts
 * const { tensors } = await openWeights(source, 'linear.safetensors');
 * const layer = await buildModule(storedWeights(device, tensors, 'linear.safetensors'), (w) => new Linear(w, 8, 4));
 * ```
 *
 * @throws ArgumentError where new weights are asked for by names other than those under which the module would be saved.
 */
export function buildModule<M extends Module>(weights: Weights, make: (weights: Weights) => M): Promise<M> {
  const made = build(weights, make);
  // In the field of another module nobody awaited it; other promises there are the module's own affair.
  notModules.set(made, 'what it gives');
  return made;
}

async function build<M extends Module>(weights: Weights, make: (weights: Weights) => M): Promise<M> {
  checkWeights('buildModule', weights);
  checkFunction('buildModule', 'what makes the module', make);
  // Those of files may have names of their own, and another module that is a part of this one has had its check.
  if (weights.seed === undefined) return weights.build(make);
  const asked = new Map<Tensor, string>();
  const module = await weights.build((own) => make(noting(own, asked, '')));
  const release = () => {
    for (const own of asked.keys()) free(own);
  };
  let found: ReturnType<typeof parametersOf>;
  try {
    found = parametersOf('buildModule', module);
  } catch (error) {
    release();
    throw error;
  }
  for (const [path, t] of found) {
    const name = asked.get(t) ?? path;
    // A part of a model that is held elsewhere, or a model within an object, has a path before the one or the other.
    if (`.${name}`.endsWith(`.${path}`) || `.${path}`.endsWith(`.${name}`)) continue;
    release();
    throw new ArgumentError(
      `buildModule: '${name}' would be saved as '${path}', and not be found again; name the field and weights.in(…) alike`,
    );
  }
  return module;
}

/** Weights that write down by what names, below where they begin, they are asked for. */
function noting(weights: Weights, asked: Map<Tensor, string>, before: string): Weights {
  return {
    ...weights,
    parameter: (name, shape, init) => {
      const given = weights.parameter(name, shape, init);
      asked.set(given, before + name);
      return given;
    },
    in: (name) => noting(weights.in(name), asked, `${before}${name}.`),
  };
}

/**
 * New weights: every parameter has a generator of its own, made of the seed and its name.
 *
 * @throws StepError without a device; ShapeError without a seed; ArgumentError where a name is asked for twice.
 */
export function newWeights(device: Device, seed: number): Weights {
  checkDevice('newWeights', device);
  checkNumber('newWeights', 'seed', seed);
  // Not by weightsFrom: what reads files would come along.
  const given = new Set<string>();
  const give: Give = (name, shape, init) => {
    if (given.has(name)) {
      throw new ArgumentError(`newWeights: '${name}' is asked for twice; give each layer its own weights.in('a')`);
    }
    given.add(name);
    return parameter(device, shape, init(shape, generator(seed, name)));
  };
  return weightsBelow('', device, give, async (make) => make(), seed);
}

/**
 * The weights of a module that is there already, for another over the same ones: other options, no more memory.
 *
 * ```ts
 * const warmer = new ZeroSeg(sharedWeights(device, model), { ...model.config, tau: 2 });
 * ```
 *
 * @throws StepError when the module has no weight of that name.
 */
export function sharedWeights(device: Device, module: Module): Weights {
  checkDevice('sharedWeights', device);
  const named = parametersOf('sharedWeights', module);
  const give: Give = (name) => {
    const found = named.get(name);
    if (!found) throw new StepError(`sharedWeights: the module has no weight '${name}', which the other one needs`);
    return found;
  };
  return weightsBelow('', device, give, async (make) => make());
}

/**
 * Weights of a checkpoint, by name. `names` translates ours into the checkpoint's; a list of names is joined along the
 * first axis (q, k and v into qkv).
 *
 * @throws CheckpointError when a tensor is missing or has another shape; ArgumentError for what is no map of tensors.
 */
export function storedWeights(
  device: Device,
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  names: (name: string) => string | readonly string[] = (name) => name,
): Weights {
  checkDevice('storedWeights', device);
  checkStored('storedWeights', stored, file, names);
  return weightsFrom(device, (name, shape) => {
    const theirs = names(name);
    const list = typeof theirs === 'string' ? [theirs] : theirs;
    const partShape = list.length === 1 ? shape : [(shape[0] ?? 1) / list.length, ...shape.slice(1)];
    return { tensors: list.map((part) => find(stored, file, part, partShape)), make: join };
  });
}

/** Parts of one weight, laid behind each other. */
export function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @throws CheckpointError when there is no such tensor, or it has another shape. */
function find<T extends WeightTensor>(stored: ReadonlyMap<string, T>, file: string, name: string, shape: Shape): T {
  const found = stored.get(name);
  if (!found) throw new CheckpointError(file, `has no tensor '${name}'; expected one of shape ${formatShape(shape)}`);
  if (!sameShape(found.shape, shape)) {
    throw new CheckpointError(file, `tensor '${name}' is ${formatShape(found.shape)}; expected ${formatShape(shape)}`);
  }
  return found;
}

/** @throws ArgumentError unless tensors by name come second, the name of their file third, and what translates names fourth. */
export function checkStored(op: string, stored: unknown, file: unknown, names: unknown): void {
  checkFunction(op, 'what translates names', names);
  if (typeof (stored as Partial<ReadonlyMap<string, unknown>> | undefined)?.get !== 'function') {
    throw new ArgumentError(
      `${op}: a file's tensors come second, as readSafetensors(bytes).tensors gives them; got ${describe(stored)}`,
    );
  }
  if (typeof file === 'string') return;
  throw new ArgumentError(`${op}: the name of the file comes third, for messages; got ${describe(file)}`);
}

/**
 * Overwrites the parameters of a module, or named tensors, by those of the same names. Nothing is written unless all fit. A module is loaded
 * as a whole: a tensor of the file for which it has no parameter is an error (but `num_batches_tracked` of PyTorch's batch norms). Named
 * tensors are a choice: a file may hold more. The state of an optimizer that has none is an empty file.
 *
 * @throws CheckpointError when a tensor is missing, is one too many, or has another shape; StepError when there are no parameters;
 * ArgumentError for what is no map of tensors.
 */
export function loadParameters(
  module: Module | ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, StoredTensor>,
  file: string,
  names: (name: string) => string = (name) => name,
): void {
  const targets = targetsOf(module, stored, file, names);
  const entries = targets.map(
    ([target, found]) => [target, isFloat(target.dtype) ? toFloat32(found) : toWhole(found)] as const,
  );
  for (const [target, data] of entries) write(target, data);
}

/** {@link loadParameters}, tensor by tensor where they are in a file. */
export async function readParameters(
  module: Module | ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  names: (name: string) => string = (name) => name,
): Promise<void> {
  const targets = targetsOf(module, stored, file, names);
  // Values of other types may fit no float, which is found out before anything is written.
  const whole: [Tensor, Int32Array | Uint32Array][] = [];
  for (const [target, found] of targets) {
    if (!isFloat(target.dtype)) whole.push([target, toWhole(await readTensor(found))]);
    else if (!floats.has(found.dtype)) toFloat32(await readTensor(found));
  }
  const waiting = targets
    .filter(([target]) => isFloat(target.dtype))
    .map(([target, found]) => ({ tensors: [found], make: join, target }));
  if (targets[0]) await readWaiting(targets[0][0].device, waiting);
  for (const [target, data] of whole) write(target, data);
}

const floats: ReadonlySet<string> = /*#__PURE__*/ new Set(['F32', 'F16', 'BF16']);

/** Parameters, each with what it becomes. @throws CheckpointError when one is missing or has another shape. */
function targetsOf<T extends WeightTensor>(
  module: Module | ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, T>,
  file: string,
  names: (name: string) => string,
): (readonly [target: Tensor, found: T])[] {
  checkStored('loadParameters', stored, file, names);
  const named = namedTensors('loadParameters', module);
  // A state may be empty, and so is its file.
  if (named.size === 0 && (named !== module || stored.size > 0))
    throw new StepError(`loadParameters: there are no parameters into which '${file}' could be loaded`);
  if (named !== module) {
    const asked = new Set([...named.keys()].map(names));
    const others = [...stored.keys()].filter((name) => !asked.has(name) && !name.endsWith('num_batches_tracked'));
    if (others.length > 0) {
      const some = others.slice(0, 3).map((name) => `'${name}'`);
      const all = some.length < others.length ? [...some, `${others.length - some.length} more`] : some;
      throw new CheckpointError(
        file,
        `has tensors that the module does not: ${all.join(', ')}; loadMatching leaves them`,
      );
    }
  }
  return [...named].map(([name, t]) => [t, find(stored, file, names(name), t.shape)] as const);
}

/** Named tensors as they are, or the parameters of a module. */
export function namedTensors(op: string, module: Module | ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const isNamed =
    module instanceof Map && [...module].every(([name, t]) => typeof name === 'string' && t instanceof Tensor);
  return isNamed ? (module as ReadonlyMap<string, Tensor>) : parametersOf(op, module);
}
