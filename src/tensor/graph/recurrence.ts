import { isFloat } from '../values/index.ts';
import { backpropagate, differentiableAll, now, recomputeForward } from './grad.ts';
import { RecordedLoop } from './loop.ts';
import { checkSources, sourcesOf } from './recompute.ts';
import { inLoop } from './record.ts';
import { Tensor } from './tensor.ts';
import { addToSum, advance, beginSum, copied, counter, endSum, pick, put, replace, roomFor, zeros } from './turns.ts';

/** What one turn makes: the next states, what is stacked, and what is added up over all turns (undefined: nothing). */
export interface Turn {
  readonly states: readonly Tensor[];
  readonly ys: readonly Tensor[];
  readonly sums: readonly (Tensor | undefined)[];
}

/** What a recurrence begins with and runs over, along the first axis of all `xs`, of which there is one at least. */
export interface Given {
  readonly states: readonly Tensor[];
  readonly xs: readonly Tensor[];
  /** What the sums are like. */
  readonly sums: readonly Tensor[];
  readonly reverse: boolean;
}

/**
 * Runs `body` for each element of `xs`, recorded once, in a loop. All states are kept as well, each as it was before a turn, for the gradient:
 * another recurrence, which runs the other way, makes each turn again and goes back through it. What it adds up are the gradients of tensors
 * from outside. So it has a gradient itself, and there are gradients of every order.
 */
export function recur(
  body: (states: readonly Tensor[], xs: readonly Tensor[]) => Turn,
  { states: first, xs, sums: likes, reverse }: Given,
): Turn & { readonly sums: readonly Tensor[] } {
  const { device, shape } = xs[0] as Tensor;
  const times = shape[0] as number;
  const states = first.map(copied);
  const kept = states.map((state) => roomFor(state, times));
  const totals = likes.map(beginSum);
  const number = counter(device, reverse ? times - 1 : 0);
  const ys: Tensor[] = [];
  let sources: Tensor[] = [];
  inLoop(
    (outer) => new RecordedLoop(times, outer),
    () => {
      const given = xs.map((x) => pick(x, number));
      for (const [i, state] of states.entries()) put(state, number, kept[i] as Tensor);
      const since = now();
      const turn = body(states, given);
      const made = [...turn.states, ...turn.ys, ...turn.sums.flatMap((x) => x ?? [])];
      sources = sourcesOf(made, since).filter((t) => !states.includes(t) && !given.includes(t));
      for (const y of turn.ys) {
        const all = roomFor(y, times);
        // It holds what all turns made.
        all.storage.loop = number.storage.loop;
        put(y, number, all);
        ys.push(all);
      }
      for (const [i, x] of turn.sums.entries()) if (x) addToSum(totals[i] as Tensor, x);
      replace(states, turn.states);
      advance(number, reverse);
    },
  );
  // New tensors over the same bytes: the states are what the turns read.
  const last = states.map(({ storage, shape, dtype }) => new Tensor(storage, shape, dtype));
  const sums = totals.map((total, i) => endSum(total, likes[i] as Tensor));

  const of = [...floats(first), ...xs, ...sources];
  const parts = [floats(last), floats(ys), floats(kept), sums];
  differentiableAll(parts.flat(), of, (dys, wanted, sumTo) => {
    const [dlast = [], ...rest] = divided(dys, parts);
    const [dys_ = [], dkept = [], dsums = []] = rest;
    const stacked = [...dys_, ...dkept];
    const arrived = stacked.flatMap((dy) => dy ?? []);
    const askedXs = xs.flatMap((x, i) => (wanted.has(x) ? i : []));
    const others = sources.filter((source) => wanted.has(source));
    const back = recur(
      (dstates, all) => {
        const [before = [], given = [], dy = []] = divided(all, [kept, xs, arrived]);
        const since = now();
        const turn = recomputeForward(() => body(before, given));
        const state = floats(before);
        const results = [...floats(turn.states), ...floats(turn.ys), ...state, ...turn.sums];
        const left = [...dy];
        const seeds = [...dstates, ...stacked.map((one) => one && left.shift()), ...dsums];
        const isMade = (_: unknown, i: number) => results[i] !== undefined;
        checkSources('scan', others, results.filter(isMade) as Tensor[], since);
        const towards = [...state, ...askedXs.map((i) => given[i] as Tensor), ...others];
        const found = backpropagate(results.filter(isMade) as Tensor[], seeds.filter(isMade), towards, since, sumTo);
        const [ofStates = [], ofXs = [], ofOthers = []] = divided(found, [state, askedXs, others]);
        return {
          states: ofStates.map((d, i) => d ?? zeros(state[i] as Tensor)),
          ys: ofXs.map((d, i) => d ?? zeros(given[askedXs[i] as number] as Tensor)),
          sums: ofOthers,
        };
      },
      {
        states: dlast.map((d, i) => d ?? zeros(floats(last)[i] as Tensor)),
        xs: [...kept, ...xs, ...arrived],
        sums: others,
        reverse: !reverse,
      },
    );
    const ofXs = xs.map((_, i) => back.ys[askedXs.indexOf(i)]);
    return [...back.states, ...ofXs, ...sources.map((source) => back.sums[others.indexOf(source)])];
  });
  return { states: last, ys, sums };
}

/** Those that have gradients. */
function floats(tensors: readonly Tensor[]): readonly Tensor[] {
  return tensors.filter(({ dtype }) => isFloat(dtype));
}

/** A list in parts that are as long as others. */
function divided<T>(all: readonly T[], parts: readonly (readonly unknown[])[]): T[][] {
  let at = 0;
  return parts.map(({ length }) => all.slice(at, (at += length)));
}
