import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { add, mul, sigmoid, sub, tanh } from '../../kernels/elementwise/index.ts';
import { split } from '../../kernels/layout/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import { fill, Tensor } from '../../tensor/graph/index.ts';
import { describe, ShapeError, sameShape } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { uniform } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

/** What the state meets: a weight `[gates · H, H]` and a bias `[gates · H]`. */
export interface Recurrence {
  readonly hidden: Tensor;
  readonly hiddenBias: Tensor | undefined;
}

/** One turn of gated recurrent units: the state `h` `[B, H]` after `arrived` `[B, 3 H]`, what the weight of inputs made of x. */
export function gruTurn(h: Tensor, arrived: Tensor, { hidden, hiddenBias }: Recurrence): Tensor {
  const H = hidden.shape[1] as number;
  const back = linear(h, hidden, { bias: hiddenBias });
  const [xGates, xNew] = split(arrived, -1, [2 * H, H]) as [Tensor, Tensor];
  const [hGates, hNew] = split(back, -1, [2 * H, H]) as [Tensor, Tensor];
  const [r, z] = split(sigmoid(add(xGates, hGates)), -1, [H, H]) as [Tensor, Tensor];
  const n = tanh(add(xNew, mul(r, hNew)));
  return add(n, mul(z, sub(h, n)));
}

/** One turn of long short-term memory: `[h, c]`, each `[B, H]`, after `arrived` `[B, 4 H]`. */
export function lstmTurn(
  [h, c]: readonly [h: Tensor, c: Tensor],
  arrived: Tensor,
  { hidden, hiddenBias }: Recurrence,
): [h: Tensor, c: Tensor] {
  const H = hidden.shape[1] as number;
  const gates = linear(h, hidden, { bias: hiddenBias, residual: arrived });
  const [i, f, g, o] = split(gates, -1, [H, H, H, H]) as [Tensor, Tensor, Tensor, Tensor];
  const cNext = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
  return [mul(sigmoid(o), tanh(cNext)), cNext];
}

/**
 * A state that was given, or zeros.
 *
 * @throws ArgumentError for what is no tensor; ShapeError for one of another shape, which `rule` tells.
 */
export function stateOf(op: string, given: unknown, shape: readonly number[], rule: string, x: Tensor): Tensor {
  if (given === undefined) return fill(x.device, shape, 0, x.dtype === 'f16' ? 'f16' : 'f32');
  if (!(given instanceof Tensor)) {
    throw new ArgumentError(`${op}: a state must be a tensor, as forward gave it; it is ${describe(given)}`);
  }
  if (sameShape(given.shape, shape)) return given;
  throw new ShapeError(op, `a state must be ${rule}`, { state: given.shape, expected: shape });
}

/** The two states of an LSTM. @throws ArgumentError unless they are a list, or there are none. */
export function pairOfStates(op: string, state: unknown): readonly [h: unknown, c: unknown] {
  if (state === undefined) return [undefined, undefined];
  if (Array.isArray(state) && state.length === 2) return state as [unknown, unknown];
  throw new ArgumentError(`${op}: the state is a list [h, c], as forward gave it; got ${describe(state)}`);
}

export interface RecurrentCellOptions {
  /** Default: true. */
  readonly bias?: boolean;
}

/** What the cells have in common: parameters by PyTorch's names. */
abstract class RecurrentCell {
  readonly weight_ih: Tensor;
  readonly weight_hh: Tensor;
  readonly bias_ih: Tensor | undefined;
  readonly bias_hh: Tensor | undefined;

  constructor(
    op: string,
    weights: Weights,
    inputs: number,
    hidden: number,
    gates: number,
    options: RecurrentCellOptions,
    extra: unknown,
  ) {
    checkLayer(op, weights, { inputs, hidden }, extra);
    checkOptions(op, options, ['bias']);
    const { bias = true } = options;
    const init = uniform(1 / Math.sqrt(hidden));
    this.weight_ih = weights.parameter('weight_ih', [gates * hidden, inputs], init);
    this.weight_hh = weights.parameter('weight_hh', [gates * hidden, hidden], init);
    this.bias_ih = bias ? weights.parameter('bias_ih', [gates * hidden], init) : undefined;
    this.bias_hh = bias ? weights.parameter('bias_hh', [gates * hidden], init) : undefined;
  }

  /** What the weight of inputs makes of x, and the states, which are zeros where none are given. */
  protected begin(op: string, x: Tensor, given: readonly unknown[]): { arrived: Tensor; states: Tensor[] } {
    const [, inputs] = this.weight_ih.shape as [number, number];
    if (x.shape.length !== 2 || x.shape[1] !== inputs) {
      throw new ShapeError(op, `x must be [B, C] with ${inputs} channels`, { x: x.shape });
    }
    const shape = [x.shape[0] as number, this.weight_hh.shape[1] as number];
    const states = given.map((state) => stateOf(op, state, shape, '[B, H]', x));
    return { arrived: linear(x, this.weight_ih, { bias: this.bias_ih }), states };
  }

  protected get recurrence(): Recurrence {
    return { hidden: this.weight_hh, hiddenBias: this.bias_hh };
  }
}

/**
 * One turn of a `GRU` layer, as PyTorch's `nn.GRUCell`, with its parameters (`weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`) and first
 * values: for the body of a `scan`, or a step that goes on by itself.
 *
 * ```ts
 * const cell = new GRUCell(weights.in('cell'), 64, 128);
 * const h = cell.forward(x, before); // [B, 64] and [B, 128] → [B, 128]
 * ```
 */
export class GRUCell extends RecurrentCell {
  constructor(weights: Weights, inputs: number, hidden: number, options: RecurrentCellOptions = {}) {
    super('GRUCell', weights, inputs, hidden, 3, options, arguments[4]);
  }

  /** `x` `[B, inputs]` and the state `[B, H]`, zeros by default → the next state. @throws ShapeError when they do not fit. */
  forward(x: Tensor, state?: Tensor): Tensor {
    return composed('GRUCell', { x }, () => {
      const { arrived, states } = this.begin('GRUCell', x, [state]);
      return gruTurn(states[0] as Tensor, arrived, this.recurrence);
    });
  }
}

/**
 * One turn of an `LSTM` layer, as PyTorch's `nn.LSTMCell`; parameters and first values as of {@link GRUCell}.
 *
 * ```ts
 * const cell = new LSTMCell(weights.in('cell'), 64, 128);
 * const [h, c] = cell.forward(x, before); // [B, 64] and [h, c], each [B, 128]
 * ```
 */
export class LSTMCell extends RecurrentCell {
  constructor(weights: Weights, inputs: number, hidden: number, options: RecurrentCellOptions = {}) {
    super('LSTMCell', weights, inputs, hidden, 4, options, arguments[4]);
  }

  /** `x` `[B, inputs]` and the state `[h, c]`, zeros by default → the next one. @throws ShapeError when they do not fit. */
  forward(x: Tensor, state?: readonly [h: Tensor, c: Tensor]): [h: Tensor, c: Tensor] {
    return composed('LSTMCell', { x }, () => {
      const { arrived, states } = this.begin('LSTMCell', x, pairOfStates('LSTMCell', state));
      return lstmTurn(states as [Tensor, Tensor], arrived, this.recurrence);
    });
  }
}
