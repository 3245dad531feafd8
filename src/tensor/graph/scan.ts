import { describe, formatShape, ShapeError, StepError, sameShape } from '../values/index.ts';
import { checkFunction, checkOptions, oneOrMore } from './arguments.ts';
import { currentRecording, Recording, record, watchLaunches } from './record.ts';
import { recur, type Turn } from './recurrence.ts';
import type { Tensor } from './tensor.ts';

/** One tensor, a list of tensors, or none. */
export type ScanTensors = Tensor | readonly Tensor[] | undefined;

/** In the place of tensors others of as many. */
type Like<T> = T extends Tensor
  ? Tensor
  : T extends readonly Tensor[]
    ? { -readonly [K in keyof T]: Tensor }
    : undefined;

export interface ScanOptions {
  /** From the last element to the first; `ys` keep the order of `xs`. Default: false. */
  readonly reverse?: boolean;
}

/**
 * A recurrence over the first axis of `xs`, as `jax.lax.scan`: `[carry, y_t] = body(carry, x_t)` for t = 0 … T - 1, with the last carry and all
 * `y_t`, stacked, as the result. Each of the three is a tensor or a list of tensors (`y_t` also `undefined`), of any dtype. The carry keeps its shape
 * and dtype.
 *
 * `body` is recorded once, whatever T is, and run T times: making a step takes no longer, and the list that `String(step)` gives is no longer. Tensors
 * from outside that it uses (weights) are the same in every turn, and so is a random key: give keys among `xs`. What it makes itself has another value
 * in every turn: it is neither read in the body nor used outside of it, unless it is returned.
 *
 * The gradient runs a second such loop backwards (through time), for which the carries of all turns are kept, and which computes each turn
 * again: memory grows with T by the carries alone. It flows to the first carry, to `xs` and to what `body` uses from outside, and has gradients
 * itself. A body may scan, and ask for gradients: the inner loop is planned once, too.
 *
 * ```ts
 * const [last, sums] = scan((total, x) => [add(total, x), add(total, x)], tensor(device, 0), tensor(device, [1, 2, 3]));
 * console.log(await read(last), await read(sums)); // [6], [1, 3, 6]
 * ```
 *
 * @throws ShapeError when xs differ in their first axis, or for an option that there is not. StepError when the carry changes its shape or dtype, the body writes variables
 * or reads values, or one of its tensors is used outside of it.
 */
export function scan<
  const C extends Tensor | readonly Tensor[],
  const X extends Tensor | readonly Tensor[],
  const Y extends ScanTensors,
>(
  body: (carry: Like<C>, x: Like<X>) => readonly [carry: Tensor | readonly Tensor[], y: Y],
  carry: C,
  xs: X,
  options: ScanOptions = {},
): [carry: Like<C>, ys: Like<Y>] {
  checkFunction('scan', 'the body', body);
  checkOptions('scan', options, ['reverse']);
  const { reverse = false } = options;
  const first = oneOrMore('scan', 'carry', carry);
  const inputs = oneOrMore('scan', 'xs', xs);
  checkLength(inputs);
  const device = inputs[0]?.device;
  if (first.some((x) => x.device !== device)) throw new StepError('scan: the carry and xs must be on one device');
  let form: unknown;
  const { states, ys } = recur(
    (states, given) => {
      const turn = turnOf(body, carry, xs, states, given);
      form = turn.form;
      return turn;
    },
    { states: first, xs: inputs, sums: [], reverse },
  );
  return [like(carry, states), like(form, ys)] as [Like<C>, Like<Y>];
}

/** Lists the tensors of one turn, and what form its y has. */
function turnOf(
  body: (...args: never[]) => unknown,
  carry: unknown,
  xs: unknown,
  states: readonly Tensor[],
  given: readonly Tensor[],
): Turn & { readonly form: unknown } {
  const run = () =>
    watchLaunches(
      ({ tensors, kernel: { bindings, name } }) => {
        if (!tensors.some((t, i) => t.storage.root.kind === 'variable' && bindings[i]?.access !== 'read')) return;
        throw new StepError(`scan: the body must not write variables (${name}); carry what changes, or return it as y`);
      },
      () => (body as (carry: unknown, x: unknown) => unknown)(like(carry, states), like(xs, given)),
    );
  // Outside of a step, too, the body only records: what needs values is refused.
  const outside = currentRecording();
  const recording = outside ?? new Recording((given[0] as Tensor).device, false);
  const turn = outside ? run() : record(recording, run);
  if (recording.misuse) throw recording.misuse;
  if (!Array.isArray(turn) || turn.length !== 2) {
    throw new StepError(`scan: the body must return [carry, y]; got ${describe(turn)}`);
  }
  const carries = oneOrMore('scan', 'the carry that the body returned', turn[0]);
  const ys = turn[1] === undefined ? [] : oneOrMore('scan', 'the y that the body returned', turn[1]);
  const changed = states.findIndex((state, i) => {
    const next = carries[i];
    return !next || !sameShape(next.shape, state.shape) || next.dtype !== state.dtype;
  });
  if (changed >= 0 || carries.length !== states.length) {
    const shown = (t: Tensor | undefined) => (t ? `${t.dtype} ${formatShape(t.shape)}` : 'nothing');
    const at = Math.max(changed, 0);
    throw new StepError(
      `scan: the carry must keep its shape and dtype: number ${at} is ${shown(states[at])}, and the body returned ${shown(carries[at])}`,
    );
  }
  return { states: carries, ys, sums: [], form: turn[1] };
}

/** `tensors` in the form of what was given: one, a list, or none. */
function like(given: unknown, tensors: readonly Tensor[]): Tensor | readonly Tensor[] | undefined {
  if (given === undefined) return undefined;
  return Array.isArray(given) ? [...tensors] : tensors[0];
}

function checkLength(xs: readonly Tensor[]): void {
  const times = xs[0]?.shape[0];
  if (times !== undefined && xs.every(({ shape }) => shape[0] === times)) return;
  throw new ShapeError(
    'scan',
    'xs must have one first axis, along which it runs',
    Object.fromEntries(xs.map((x, i) => [`xs${i}`, x.shape])),
  );
}
