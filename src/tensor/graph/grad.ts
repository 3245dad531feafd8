import { describe, formatShape, isFloat, ShapeError, StepError, sameShape } from '../values/index.ts';
import { checkFunction, checkTensors, oneOrMore, tensorList } from './arguments.ts';
import {
  access,
  dependents,
  Ends,
  hiddenSource,
  lastWriter,
  launchSources,
  type Moment,
  type Source,
  writes,
} from './dependence.ts';
import { add, fillFloats } from './fill.ts';
import { currentRecording, launchOrder, over, repeatedSince, watchLaunches } from './record.ts';
import { type GradientNode, type Launch, Storage, type SumTo, Tensor } from './tensor.ts';

let order = 0;

/** Between what was made so far and what is to come. */
export function now(): Moment {
  return { node: order, launch: launchOrder() };
}

/** Which op a launch belongs to the backward of, for messages. */
const backwardOf = new WeakMap<Launch, string>();
let isForward = false;

/** Runs the forward pass that a backward repeats: its launches are those of its ops. */
export function recomputeForward<R>(body: () => R): R {
  isForward = true;
  try {
    return body();
  } finally {
    isForward = false;
  }
}

/**
 * Says how the gradient of `y` flows to `inputs`: `backward` gets `dy`, of the shape of `y`, and returns one gradient per
 * input, or `undefined` where none flows. It records ops like any other code; what nobody uses of it is never computed.
 *
 * Where `backward` launches kernels, its results have no gradients of their own, unless `plain` computes `y` from the same
 * inputs by ops: gradients of gradients are those of `plain`, which is not called before they are asked for.
 */
export function differentiable(
  y: Tensor,
  inputs: readonly Tensor[],
  backward: (dy: Tensor, sumTo: SumTo) => readonly (Tensor | undefined)[],
  plain?: (...inputs: Tensor[]) => Tensor,
): Tensor {
  checkFunction('differentiable', 'the backward', backward);
  differentiableAll([y], inputs, ([dy], _, sumTo) => backward(dy as Tensor, sumTo), plain);
  return y;
}

/**
 * `y = forward(x)` of a linear map, by launches, with the gradient `backward(dy)`: the transpose, whose own gradient is `forward`
 * again. So there are gradients of every order.
 */
export function differentiableLinear(
  x: Tensor,
  forward: (x: Tensor) => Tensor,
  backward: (dy: Tensor) => Tensor,
): Tensor {
  return differentiable(forward(x), [x], (dy) => [differentiableLinear(dy, backward, forward)]);
}

/** What an op gives that changes nothing: `x` itself, but of a variable a tensor that keeps the values of now. */
export function unchanged(x: Tensor): Tensor {
  return x.storage.root.kind === 'variable' ? differentiable(over(x), [x], (dy) => [dy]) : x;
}

/** As {@link differentiable}, for an op with several results. A result without gradient has `undefined`; not all do. */
export function differentiableAll(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  backward: GradientNode['backward'],
  plain?: GradientNode['plain'],
): void {
  const node: GradientNode = {
    order: order++,
    made: launchOrder(),
    repeats: repeatedSince(),
    outputs,
    inputs,
    backward,
    plain,
  };
  for (const [name, list] of Object.entries({ results: outputs, inputs })) tensorList('differentiable', name, list);
  checkFunction('differentiable', 'the backward', backward);
  for (const output of outputs) {
    if (inputs.includes(output)) {
      throw new StepError(`${nameOf(node)}: a result cannot be one of its inputs`);
    }
    output.node = node;
  }
}

/** What `gradients` of the kernels does, which brings the sums of broadcast operands. */
export function reverse<const T extends readonly Tensor[]>(
  y: Tensor | readonly Tensor[],
  of: T,
  dy: Tensor | readonly Tensor[] | undefined,
  sumTo: SumTo,
): { [K in keyof T]: Tensor } {
  const results = oneOrMore('gradients', 'y', y);
  const targets = oneOrMore('gradients', 'of', of);
  const seeds = dy === undefined ? [] : oneOrMore('gradients', 'dy', dy);
  if (dy !== undefined && seeds.length !== results.length) {
    throw new StepError(`gradients: there must be a dy for each y; got ${seeds.length} for ${results.length}`);
  }
  for (const [name, list] of Object.entries({ y: results, of: targets })) {
    if (list.some(({ device }, _, [first]) => device !== (results[0] ?? first)?.device)) {
      throw new StepError(`gradients: '${name}' is on another device`);
    }
    const whole = list.find((t) => !isFloat(t.dtype));
    if (whole) throw new ShapeError('gradients', `${whole.dtype} has no gradient`, { [name]: whole.shape });
  }
  const dys = results.map((result, i) => {
    const seed = seeds[i];
    if (!seed) {
      if (result.size === 1) return one(result);
      throw new ShapeError('gradients', 'without dy, y must be a scalar; sum it first or give dy', { y: result.shape });
    }
    if (!sameShape(seed.shape, result.shape) || seed.dtype !== result.dtype) {
      throw new ShapeError('gradients', `dy must have the shape and dtype of y (${seed.dtype} and ${result.dtype})`, {
        y: result.shape,
        dy: seed.shape,
      });
    }
    return seed;
  });
  const found = backpropagate(results, dys, targets, { node: 0, launch: 0 }, sumTo);
  const zeros = ({ device, shape, dtype }: Tensor) => fillFloats(device, shape, 0, dtype as 'f32' | 'f16');
  return targets.map((x, i) => found[i] ?? zeros(x)) as { [K in keyof T]: Tensor };
}

/**
 * Gradients of `results` with their `dys`, with respect to each tensor of `of`; undefined where none arrives. Nodes and launches
 * from before `since` are not entered. Each backward runs `around` its node.
 */
export function backpropagate(
  results: readonly Tensor[],
  dys: readonly (Tensor | undefined)[],
  of: readonly Tensor[],
  since: Moment,
  sumTo: SumTo,
  around: <R>(node: GradientNode, body: () => R) => R = (_, body) => body(),
): (Tensor | undefined)[] {
  const found = new Map<Tensor, Tensor>();
  const give = (to: Tensor, gradient: Tensor) => {
    const before = found.get(to);
    found.set(to, before ? joined(before, gradient) : gradient);
  };
  results.forEach((result, i) => {
    const dy = dys[i];
    if (dy) give(result, dy);
  });
  const dependent = dependents(results, of, since);
  for (const node of nodesOnTheWay(results, dependent, since)) {
    const arrived = node.outputs.map((output) => found.get(output));
    if (arrived.every((one) => one === undefined)) continue;
    const back = watchLaunches(
      (launch) => watchBackward(node, launch),
      () => around(node, () => node.backward(arrived, dependent, sumTo)),
    );
    checkGradients(node, back);
    const given = node.plain ? again(node.plain, node.inputs, arrived[0] as Tensor, back) : back;
    node.inputs.forEach((input, i) => {
      const gradient = given[i];
      if (gradient) give(input, gradient);
    });
  }
  const ends = new Ends(of);
  for (const t of found.keys()) if (dependent.has(t)) checkComplete(t, dependent, ends);
  return of.map((x) => found.get(x));
}

/** The results of a backward, as tensors whose own gradients are those of the op's plain form. */
function again(
  plain: NonNullable<GradientNode['plain']>,
  of: readonly Tensor[],
  dy: Tensor,
  back: readonly (Tensor | undefined)[],
): readonly (Tensor | undefined)[] {
  const given = back.map((t) => t && over(t));
  const inputs = [...of, dy];
  differentiableAll(
    given.filter((t) => t !== undefined),
    inputs,
    (seconds, wanted, sumTo) => {
      const since = now();
      // Inputs may be one tensor: each gets its own gradient.
      const own = inputs.map((x) => differentiable(over(x), [x], (d) => [d]));
      const xs = own.slice(0, -1);
      const first = backpropagate([plain(...xs)], own.slice(-1), xs, since, sumTo);
      const results = first.filter((_, i) => given[i]);
      const arrives = seconds.map((second, i) => results[i] && second);
      const found = backpropagate(
        results.map((t, i) => t ?? (own[i] as Tensor)),
        arrives,
        own.filter((_, i) => wanted.has(inputs[i] as Tensor)),
        since,
        sumTo,
      );
      return inputs.map((x) => (wanted.has(x) ? found.shift() : undefined));
    },
  );
  return given;
}

/** Gradients that meet are added. */
function joined(a: Tensor, b: Tensor): Tensor {
  return differentiable(add(a, b), [a, b], (dy) => [dy, dy]);
}

/** The number 1 in the shape of `x`: of the host, so that nothing is launched for it. */
function one({ device, storage: { bytes }, shape, dtype }: Tensor): Tensor {
  const storage = new Storage(device, bytes, 'constant');
  storage.data = Uint32Array.of(dtype === 'f16' ? 0x3c00 : 0x3f800000);
  return new Tensor(storage, shape, dtype);
}

/** The nodes between `results` and what they depend on, made since `since`, latest first. */
function nodesOnTheWay(
  results: readonly Tensor[],
  dependent: ReadonlySet<Tensor>,
  since: Moment,
): readonly GradientNode[] {
  const reached = new Set<GradientNode>();
  const open = results.flatMap((result) => result.node ?? []);
  for (let node = open.pop(); node; node = open.pop()) {
    if (reached.has(node) || node.order < since.node || !node.inputs.some((input) => dependent.has(input))) continue;
    reached.add(node);
    for (const input of node.inputs) if (input.node) open.push(input.node);
  }
  return [...reached].sort((a, b) => b.order - a.order);
}

function checkGradients(node: GradientNode, back: readonly (Tensor | undefined)[]): void {
  if (!Array.isArray(back) || back.length !== node.inputs.length) {
    const got = Array.isArray(back) ? `${back.length}` : describe(back);
    throw new StepError(
      `${nameOf(node)}: its backward must return a list of ${node.inputs.length} gradients; got ${got}`,
    );
  }
  node.inputs.forEach((input, i) => {
    const gradient = back[i];
    if (gradient === undefined) return;
    checkTensors(nameOf(node), { [`the gradient of input ${i}`]: gradient });
    if (!sameShape(input.shape, gradient.shape) || input.dtype !== gradient.dtype) {
      throw new ShapeError(
        nameOf(node),
        `the gradient of input ${i} must have its shape and dtype (${input.dtype}; the gradient is ${gradient.dtype})`,
        { input: input.shape, gradient: gradient.shape },
      );
    }
  });
}

/** A launch of a backward reads what the op has read or written: nothing may have been written there since. */
function watchBackward(node: GradientNode, launch: Launch): void {
  if (!isForward && !backwardOf.has(launch)) backwardOf.set(launch, nameOf(node));
  // What a second recording read of variables has the values of the first, but its own derivatives would read those of now.
  const made = node.repeats ?? node.made;
  launch.tensors.forEach(({ storage, shape, asOf = made + 1 }, i) => {
    // What was taken of a variable before keeps its values.
    if (access(launch, i) === 'write' || asOf <= made) return;
    const { root } = storage;
    const writers = (root.kind === 'variable' ? currentRecording()?.effects.get(root) : root.writers) ?? [];
    const later = writers.find((writer) => writer.order >= made && writes(writer, storage));
    if (!later || later === launch) return;
    // What the backward makes itself has no earlier value.
    if (root.kind === 'recorded' && !writers.some((one) => one.order < made && writes(one, storage))) return;
    throw new StepError(
      `gradients: the backward of '${nameOf(node)}' needs ${formatShape(shape)} as it was, but '${later.label}' has ` +
        'written there since; ask for the gradients before',
    );
  });
}

/** A gradient arrived at `t`, and `t` is computed from what gradients are asked for: it must have been able to flow on. */
function checkComplete(t: Tensor, dependent: ReadonlySet<Tensor>, ends: Ends): void {
  if (t.node) {
    const hidden = hiddenSource(t, dependent, ends);
    if (hidden) throw noGradient(t, hidden);
    return;
  }
  if (ends.isView(t)) {
    throw new StepError(
      `gradients: y depends on ${t.dtype} ${formatShape(t.shape)} by another tensor over the same bytes; ` +
        'use that tensor, or reshape()',
    );
  }
  const source = launchSources(t).find(({ from }) => dependent.has(from));
  if (source) throw noGradient(t, source);
}

function noGradient(t: Tensor, { from, launch }: Source): StepError {
  const remedy = 'stopGradient() it where it is a constant';
  if (!launch) {
    return new StepError(
      `gradients: y depends on what they are asked for through the result of a step, ${formatShape(t.shape)}; ` +
        `compute it in the same step as its gradients, or ${remedy}`,
    );
  }
  const op = backwardOf.get(launch);
  if (op !== undefined) {
    return new StepError(
      `gradients: a gradient of '${op}' has no gradient itself ('${launch.label}' is not differentiable); ` +
        `give its differentiable() a plain form of ops, or ${remedy}`,
    );
  }
  const binding = launch.kernel.names[launch.tensors.indexOf(from)];
  return new StepError(
    `gradients: '${launch.label}' has no gradient for ${binding ? `'${binding}' ` : ''}${formatShape(from.shape)}, on which y ` +
      `depends; give it one by differentiable(), or ${remedy}`,
  );
}

function nameOf({ outputs }: GradientNode): string {
  const [output] = outputs;
  return (output && lastWriter(output.storage)?.kernel.name) ?? 'differentiable';
}
