import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { concat, permute, reshape, slice } from '../../kernels/layout/index.ts';
import { linear } from '../../kernels/matmul/index.ts';
import { scan, Tensor } from '../../tensor/graph/index.ts';
import { describe, ShapeError } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { Dropout } from './dropout.ts';
import { uniform } from './init.ts';
import { gruTurn, lstmTurn, pairOfStates, type Recurrence, stateOf } from './recurrent-cells.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface RecurrentOptions {
  /** Layers above each other: each reads what the one below gave. Default: 1. */
  readonly layers?: number;
  /** Default: true. */
  readonly bias?: boolean;
  /** Whether `x` and `y` are `[B, T, …]` instead of `[T, B, …]`. States are `[…, B, H]` all the same. Default: false. */
  readonly batchFirst?: boolean;
  /** Reads in both directions, whose results lie beside each other. Default: false. */
  readonly bidirectional?: boolean;
  /** In training, the probability of zeros in what a layer gives to the next, as of {@link Dropout}. Default: 0. */
  readonly dropout?: number;
  /** With dropout: that of the first layer's zeros, as of {@link Dropout}. Each further layer but the last has the next one. */
  readonly stream?: number;
}

/** What GRU and LSTM have in common: parameters by PyTorch's names, layers, directions. */
abstract class Recurrent {
  readonly hidden: number;
  readonly layers: number;
  readonly batchFirst: boolean;
  readonly bidirectional: boolean;
  readonly dropout: number;
  /** Of what each layer but the last gives to the next. */
  readonly #drops: readonly Dropout[];

  constructor(
    weights: Weights,
    inputs: number,
    hidden: number,
    gates: number,
    options: RecurrentOptions,
    extra: unknown,
  ) {
    const op = gates === 3 ? 'GRU' : 'LSTM';
    checkLayer(op, weights, { inputs, hidden }, extra);
    checkOptions(op, options, ['layers', 'bias', 'batchFirst', 'bidirectional', 'dropout', 'stream']);
    const { layers = 1, bias = true, batchFirst = false, bidirectional = false, dropout = 0, stream } = options;
    if (!(Number.isInteger(layers) && layers > 0)) {
      throw new ArgumentError(`${op}: layers must be a whole number above 0; it is ${describe(layers)}`);
    }
    this.#drops = dropsOf(op, layers, dropout, stream);
    this.hidden = hidden;
    this.layers = layers;
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    this.bidirectional = bidirectional;
    const init = uniform(1 / Math.sqrt(hidden));
    for (let layer = 0; layer < layers; layer++) {
      for (const suffix of this.#suffixes(layer)) {
        const width = layer === 0 ? inputs : hidden * (bidirectional ? 2 : 1);
        const give = (name: string, shape: readonly number[]) =>
          Object.assign(this, { [name + suffix]: weights.parameter(name + suffix, shape, init) });
        give('weight_ih', [gates * hidden, width]);
        give('weight_hh', [gates * hidden, hidden]);
        if (!bias) continue;
        give('bias_ih', [gates * hidden]);
        give('bias_hh', [gates * hidden]);
      }
    }
  }

  #suffixes(layer: number): string[] {
    return [`_l${layer}`, ...(this.bidirectional ? [`_l${layer}_reverse`] : [])];
  }

  /** Runs all layers; `turn` is one layer in one direction, over what its input makes of all x. */
  protected run<S extends readonly Tensor[]>(
    op: string,
    x: Tensor,
    given: readonly unknown[],
    key: Tensor | undefined,
    turn: (xs: Tensor, cell: Recurrence, states: S, reverse: boolean) => readonly [states: S, ys: Tensor],
  ): { y: Tensor; states: Tensor[] } {
    let y = this.batchFirst ? permute(x, [1, 0, 2]) : x;
    const fields = this as unknown as Record<string, Tensor>;
    const inputs = (fields['weight_ih_l0'] as Tensor).shape[1] as number;
    if (x.shape.length !== 3 || x.shape[2] !== inputs) {
      throw new ShapeError(op, `x must be ${this.batchFirst ? '[B, T, C]' : '[T, B, C]'} with ${inputs} channels`, {
        x: x.shape,
      });
    }
    const batch = y.shape[1] as number;
    const directions = this.bidirectional ? 2 : 1;
    const shape = [this.layers * directions, batch, this.hidden];
    const first = given.map((state) => stateOf(op, state, shape, '[layers · directions, B, H]', x));
    const last: Tensor[][] = given.map(() => []);
    for (let layer = 0; layer < this.layers; layer++) {
      const results = this.#suffixes(layer).map((suffix, d) => {
        const at = layer * directions + d;
        const cell = { hidden: fields[`weight_hh${suffix}`] as Tensor, hiddenBias: fields[`bias_hh${suffix}`] };
        const states = first.map((all) => reshape(slice(all, 0, at, at + 1), shape.slice(1)));
        const arrived = linear(y, fields[`weight_ih${suffix}`] as Tensor, { bias: fields[`bias_ih${suffix}`] });
        const [after, ys] = turn(arrived, cell, states as unknown as S, d === 1);
        after.forEach((state, i) => {
          last[i]?.push(reshape(state, [1, ...shape.slice(1)]));
        });
        return ys;
      });
      y = concat(results, 2);
      const drop = this.#drops[layer];
      if (drop && key) y = drop.forwardInTraining(y, key);
    }
    return { y: this.batchFirst ? permute(y, [1, 0, 2]) : y, states: last.map((all) => concat(all, 0)) };
  }
}

/**
 * Gated recurrent units (Cho et al., 2014), as PyTorch's `nn.GRU`, with its parameters (`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`,
 * `bias_hh_l0`, …; gates in the order r, z, n) and first values. With `r` and `z` the sigmoids of `W x + b + U h + c`:
 * `n = tanh(W x + b + r · (U h + c))` and `h' = (1 - z) · n + z · h`. A {@link scan}: planned once for any length.
 *
 * ```ts
 * const gru = new GRU(weights.in('gru'), 64, 128, { batchFirst: true });
 * const { y, state } = gru.forward(x); // [B, T, 64] → [B, T, 128], and the last state [1, B, 128]
 * const deep = new GRU(weights.in('deep'), 64, 128, { layers: 2, dropout: 0.1, stream: 3 });
 * const trained = deep.forwardInTraining(x, key); // with zeros in random places between the layers
 * ```
 */
export class GRU extends Recurrent {
  constructor(weights: Weights, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super(weights, inputs, hidden, 3, options, arguments[4]);
  }

  /**
   * `x` `[T, B, inputs]` → `y` `[T, B, H]` (2 H in both directions) and the state after it, which may be given to what follows.
   *
   * @throws ShapeError when x or the state do not fit.
   */
  forward(x: Tensor, state?: Tensor): { y: Tensor; state: Tensor } {
    return composed('GRU', { x }, () => this.#over(x, state));
  }

  /** As in training, with dropout between the layers. `key` is the seed of the step, u32 `[2]`. */
  forwardInTraining(x: Tensor, key: Tensor, state?: Tensor): { y: Tensor; state: Tensor } {
    return composed('GRU', { x }, () => this.#over(x, state, checkSeed('GRU', key)));
  }

  #over(x: Tensor, state: Tensor | undefined, key?: Tensor): { y: Tensor; state: Tensor } {
    const { y, states } = this.run<readonly [Tensor]>('GRU', x, [state], key, (xs, cell, [h0], reverse) => {
      const body = (h: Tensor, arrived: Tensor) => {
        const next = gruTurn(h, arrived, cell);
        return [next, next] as const;
      };
      const [last, ys] = scan(body, h0, xs, { reverse });
      return [[last], ys];
    });
    return { y, state: states[0] as Tensor };
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber, 1997), as PyTorch's `nn.LSTM`, with its parameters (as of {@link GRU}; gates in the order
 * i, f, g, o) and first values. With `i`, `f` and `o` the sigmoids and `g` the tanh of `W x + b + U h + c`: `c' = f · c + i · g` and
 * `h' = o · tanh(c')`.
 *
 * ```ts
 * const lstm = new LSTM(weights.in('lstm'), 64, 128, { layers: 2 });
 * const { y, state } = lstm.forward(x); // [T, B, 64] → [T, B, 128]
 * const next = lstm.forward(more, state); // goes on from there
 * ```
 */
export class LSTM extends Recurrent {
  constructor(weights: Weights, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super(weights, inputs, hidden, 4, options, arguments[4]);
  }

  /**
   * `x` `[T, B, inputs]` → `y` `[T, B, H]` (2 H in both directions) and the state after it, `[h, c]`.
   *
   * @throws ShapeError when x or the state do not fit.
   */
  forward(x: Tensor, state?: readonly [h: Tensor, c: Tensor]): { y: Tensor; state: [h: Tensor, c: Tensor] } {
    return composed('LSTM', { x }, () => this.#over(x, state));
  }

  /** As in training, with dropout between the layers. `key` is the seed of the step, u32 `[2]`. */
  forwardInTraining(
    x: Tensor,
    key: Tensor,
    state?: readonly [h: Tensor, c: Tensor],
  ): { y: Tensor; state: [h: Tensor, c: Tensor] } {
    return composed('LSTM', { x }, () => this.#over(x, state, checkSeed('LSTM', key)));
  }

  #over(
    x: Tensor,
    state: readonly [h: Tensor, c: Tensor] | undefined,
    key?: Tensor,
  ): { y: Tensor; state: [h: Tensor, c: Tensor] } {
    const given = pairOfStates('LSTM', state);
    const { y, states } = this.run<readonly [Tensor, Tensor]>('LSTM', x, given, key, (xs, cell, first, reverse) => {
      const body = (before: readonly [Tensor, Tensor], arrived: Tensor) => {
        const next = lstmTurn(before, arrived, cell);
        return [next, next[0]] as const;
      };
      const [[h, c], ys] = scan(body, first, xs, { reverse });
      return [[h, c], ys];
    });
    return { y, state: states as [Tensor, Tensor] };
  }
}

/** @throws ArgumentError unless there is a dropout between each two layers, and a stream for it. */
function dropsOf(op: string, layers: number, rate: unknown, stream: number | undefined): Dropout[] {
  if (!(typeof rate === 'number' && rate >= 0 && rate <= 1)) {
    throw new ArgumentError(`${op}: dropout must be from 0 to 1; it is ${describe(rate)}`);
  }
  if (rate === 0) return [];
  if (layers === 1) throw new ArgumentError(`${op}: dropout is between layers, of which there is one`);
  if (stream === undefined) {
    throw new ArgumentError(`${op}: dropout needs a stream of its own, as Dropout: { dropout: ${rate}, stream: 0 }`);
  }
  return Array.from({ length: layers - 1 }, (_, layer) => new Dropout(rate, stream + layer));
}

/** @throws ArgumentError unless it is a tensor, as a state in its place is not. */
function checkSeed(op: string, key: unknown): Tensor {
  if (key instanceof Tensor) return key;
  throw new ArgumentError(`${op}: in training the seed of the step comes second, u32 [2]; got ${describe(key)}`);
}
