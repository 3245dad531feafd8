import { describe, formatShape, StepError } from '../values/index.ts';
import { checkFunction } from './arguments.ts';
import { launchSources, type Moment } from './dependence.ts';
import { backpropagate, differentiableAll, now, recomputeForward } from './grad.ts';
import { label, labelPath, over, replaceTensors } from './record.ts';
import { VariablesOfBefore } from './second-run.ts';
import { type GradientNode, Tensor } from './tensor.ts';

/** What the body of recompute() may return. */
export type RecomputeResults = Tensor | readonly Tensor[] | { readonly [name: string]: Tensor };

/**
 * `body(...inputs)`, computed a second time when its gradients are (Chen et al., 2016, "Training deep nets with sublinear
 * memory cost"): what it makes on the way takes no memory until then, for the price of one more forward pass.
 *
 * ```ts
 * const train = await step(device, { x: [64, 197, 384] }, ({ x }) => {
 *   let y = x;
 *   for (const block of blocks) y = recompute((y) => block.forward(y), y);
 *   return gradients(mean(y), weights);
 * });
 * ```
 *
 * `body` must be a function of `inputs` and of tensors that it finds outside (weights; they get their gradients too), and
 * record the same both times. Random numbers are made from keys, so the second time has the same ones. Variables are written the first
 * time only, and what was read of them has its values of then: running statistics and counters move once. Calls may be nested.
 *
 * @throws StepError when the body gives other results the second time, or uses other tensors.
 */
export function recompute<const I extends readonly Tensor[], R extends RecomputeResults>(
  body: (...inputs: I) => R,
  ...inputs: I
): R {
  checkFunction('recompute', 'the body', body);
  const since = now();
  const made = body(...inputs);
  const first = listOf(made);
  const path = labelPath();
  // New tensors over the same bytes: those of the first run know how they were made, and would keep that alive.
  const results = first.map((t) => over(t));
  const sources = sourcesOf(first, since);
  differentiableAll(results, sources, (dys, wanted, sumTo) => {
    const resumed = now();
    const variables = new VariablesOfBefore(since.launch);
    const again = <T>(run: () => T): T =>
      replaceTensors((kernel, tensors) => variables.replace(kernel, tensors), since.launch, run);
    const second = label(path ? `${path}.recomputed` : 'recomputed', () =>
      again(() => recomputeForward(() => listOf(body(...inputs)))),
    );
    if (second.length !== first.length) {
      throw new StepError(
        `recompute: the body gave ${first.length} results, then ${second.length}; it must repeat itself`,
      );
    }
    const of = sources.filter((source) => wanted.has(source));
    checkSources('recompute', of, second, resumed);
    const found = again(() =>
      backpropagate(second, dys, of, resumed, sumTo, (node, run) => variables.within(node.made, run)),
    );
    return sources.map((source) => found[of.indexOf(source)]);
  });
  return like(made, results) as R;
}

/**
 * The tensors from outside that `results` are computed from: by nodes made `since`, and by launches, so that one without a
 * gradient is found when the gradients of the second run are asked for.
 */
export function sourcesOf(results: readonly Tensor[], since: Moment): Tensor[] {
  const sources = new Set<Tensor>();
  const reached = new Set<Tensor>();
  const open = [...results];
  for (let t = open.pop(); t; t = open.pop()) {
    if (reached.has(t)) continue;
    reached.add(t);
    const isNew = t.node && t.node.order >= since.node;
    const read = launchSources(t, since.launch).flatMap(({ from, launch }) => (launch && !from.cut ? [from] : []));
    if (isNew) open.push(...(t.node as GradientNode).inputs);
    else if (read.length === 0) sources.add(t);
    open.push(...read);
  }
  return [...sources];
}

/** Throws where a second recording does not use what gradients are wanted of, which would get none. */
export function checkSources(op: string, wanted: readonly Tensor[], results: readonly Tensor[], since: Moment): void {
  const found = new Set(sourcesOf(results, since));
  const lost = wanted.find((source) => !found.has(source));
  if (!lost) return;
  throw new StepError(
    `${op}: the body used a tensor ${formatShape(lost.shape)}, and another when it was recorded again for gradients; ask for these where withParameters holds, too`,
  );
}

function listOf(results: RecomputeResults): Tensor[] {
  const list: unknown[] = results instanceof Tensor ? [results] : Object.values(results ?? [results]);
  const other = list.findIndex((t) => !(t instanceof Tensor));
  if (other < 0) return list as Tensor[];
  throw new StepError(
    `recompute: the body must return a tensor, a list of tensors or an object of them; got ${describe(list[other])}`,
  );
}

function like(results: RecomputeResults, by: readonly Tensor[]): RecomputeResults {
  if (results instanceof Tensor) return by[0] as Tensor;
  if (Array.isArray(results)) return by;
  return Object.fromEntries(Object.keys(results).map((key, i) => [key, by[i] as Tensor]));
}
