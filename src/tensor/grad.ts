import { add, fill } from './fill.ts';
import { ShapeError, sameShape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** How tensors were made: what they depend on, and how their gradients flow back. */
export interface GradientNode {
  readonly order: number;
  readonly outputs: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  readonly backward: (dys: readonly (Tensor | undefined)[]) => readonly (Tensor | undefined)[];
}

let order = 0;

/** A number between those of the nodes made so far and those to come. */
export function gradientOrder(): number {
  return order;
}

/**
 * Says how the gradient of `y` flows to `inputs`: `backward` gets `dy`, of the shape of `y`, and returns one gradient per
 * input, or `undefined` where none flows. It records ops like any other code; what nobody uses of it is never computed.
 */
export function differentiable(
  y: Tensor,
  inputs: readonly Tensor[],
  backward: (dy: Tensor) => readonly (Tensor | undefined)[],
): Tensor {
  differentiableAll([y], inputs, ([dy]) => backward(dy as Tensor));
  return y;
}

/** As {@link differentiable}, for an op with several results. A result without gradient has `undefined`; not all do. */
export function differentiableAll(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  backward: GradientNode['backward'],
): void {
  const node: GradientNode = { order: order++, outputs, inputs, backward };
  for (const output of outputs) output.node = node;
}

/**
 * Gradients of `y` with respect to each tensor of `of`, by reverse accumulation. Without `dy`, `y` must be a scalar. Several
 * results, each with its `dy`, add up. A tensor on which `y` does not depend gets zeros.
 *
 * ```ts
 * const w = tensor(device, [1, 2, 3]);
 * const [dw] = gradients(sum(square(w)), [w]);
 * console.log(await read(dw)); // Float32Array [2, 4, 6]
 * ```
 */
export function gradients<const T extends readonly Tensor[]>(
  y: Tensor | readonly Tensor[],
  of: T,
  dy?: Tensor | readonly Tensor[],
): { [K in keyof T]: Tensor } {
  const results = (Array.isArray(y) ? y : [y]) as readonly Tensor[];
  const seeds = dy === undefined ? undefined : ((Array.isArray(dy) ? dy : [dy]) as readonly Tensor[]);
  const dys = results.map((result, i) => {
    const seed = seeds?.[i];
    if (!seed && result.size !== 1) {
      throw new ShapeError('gradients', 'without dy, y must be a scalar; sum it first or give dy', { y: result.shape });
    }
    return seed ?? constant(result, 1);
  });
  const found = backpropagate(results, dys, of, 0);
  return of.map((x, i) => found[i] ?? constant(x, 0)) as { [K in keyof T]: Tensor };
}

/**
 * Gradients of `results` with their `dys`, with respect to each tensor of `of`; undefined where none arrives. Nodes that were
 * made before `since` are not entered.
 */
export function backpropagate(
  results: readonly Tensor[],
  dys: readonly (Tensor | undefined)[],
  of: readonly Tensor[],
  since: number,
): (Tensor | undefined)[] {
  const found = new Map<Tensor, Tensor>();
  const give = (to: Tensor, gradient: Tensor) => {
    if (!sameShape(to.shape, gradient.shape)) {
      throw new ShapeError('gradients', 'a gradient must have the shape of its tensor', {
        tensor: to.shape,
        gradient: gradient.shape,
      });
    }
    const before = found.get(to);
    found.set(to, before ? add(before, gradient) : gradient);
  };
  results.forEach((result, i) => {
    const dy = dys[i];
    if (dy) give(result, dy);
  });
  for (const node of nodesOnTheWay(results, new Set(of), since)) {
    const arrived = node.outputs.map((output) => found.get(output));
    if (arrived.every((one) => one === undefined)) continue;
    const back = node.backward(arrived);
    node.inputs.forEach((input, i) => {
      const gradient = back[i];
      if (gradient) give(input, gradient);
    });
  }
  return of.map((x) => found.get(x));
}

/** A gradient that is the same everywhere; u32 has none, and f32 zeros stand for it. */
function constant(x: Tensor, value: number): Tensor {
  return fill(x.device, x.shape, value, x.dtype === 'f16' ? 'f16' : 'f32');
}

/** The nodes between `results` and `of` made since `since`, latest first. */
function nodesOnTheWay(results: readonly Tensor[], of: ReadonlySet<Tensor>, since: number): GradientNode[] {
  const reached = new Set<GradientNode>();
  const open = results.flatMap((result) => result.node ?? []);
  for (let node = open.pop(); node; node = open.pop()) {
    if (reached.has(node) || node.order < since) continue;
    reached.add(node);
    for (const input of node.inputs) if (input.node) open.push(input.node);
  }
  const ascending = [...reached].sort((a, b) => a.order - b.order);
  const useful = new Set<GradientNode>();
  for (const node of ascending) {
    if (node.inputs.some((input) => of.has(input) || (input.node && useful.has(input.node)))) useful.add(node);
  }
  return ascending.filter((node) => useful.has(node)).reverse();
}
