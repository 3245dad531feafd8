import { ArgumentError, type Device } from '../../gpu/index.ts';
import { checkChoice, sum } from '../../kernels/axis/index.ts';
import { div, maximum, scale, sqrt, square } from '../../kernels/elementwise/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { muonDirection, muonUpdate } from '../../kernels/optimizer/index.ts';
import { range, type Tensor } from '../../tensor/graph/index.ts';
import { Optimizer, type OptimizerBuffer, type OptimizerOptions, ruleNumbers } from './optimizer.ts';

/** The defaults are PyTorch's. */
export interface MuonOptions extends OptimizerOptions {
  /** Default: 0.95. */
  readonly momentum?: number;
  /** Default: true. */
  readonly nesterov?: boolean;
  /** Default: 0.1. */
  readonly weightDecay?: number;
  /** Default: 1e-7. */
  readonly eps?: number;
  /** Steps of Newton and Schulz. Default: 5. */
  readonly iterations?: number;
  /**
   * By what the learning rate is multiplied for a matrix of `rows` and `cols`: `spectral`, √max(1, rows / cols), or `rms`,
   * 0.2 √max(rows, cols), with which AdamW's rates can be kept. Default: `spectral`.
   */
  readonly adjust?: 'spectral' | 'rms';
}

/** The pairs that were given, as long as they are matrices; whether they are pairs at all, every optimizer asks. */
function* matrices(named: Iterable<readonly [string, Tensor]>): Generator<readonly [string, Tensor]> {
  if (typeof named?.[Symbol.iterator] !== 'function') return yield named as never;
  for (const pair of named) {
    const axes = pair?.[1]?.shape?.length;
    if (axes !== undefined && axes !== 2) {
      throw new ArgumentError(
        `Muon: it updates matrices, and '${pair[0]}' has ${axes} axes; give that to another optimizer, such as AdamW`,
      );
    }
    yield pair;
  }
}

/** Of Keller Jordan's quintic: it brings singular values of (0, 1] near 1 in five steps. */
const [A, B, C] = [3.4445, -4.775, 2.0315];

/**
 * Muon (Jordan et al., 2024) for the matrices of a model, as in PyTorch: every matrix moves by its momentum, whose singular values
 * have been brought near 1. Used as {@link AdamW} is, which takes the rest. With `g` the clipped gradient:
 *
 * ```text
 * m ← momentum · m + (1 − momentum) g
 * x ← m                                        Nesterov: x ← (1 − momentum) g + momentum · m
 * x ← x / max(‖x‖, eps)
 * x ← a x + (b x·xᵀ + c (x·xᵀ)²)·x             5 times
 * p ← p (1 − lr · weightDecay) − lr · ratio · x
 * ```
 *
 * ```ts
 * const isMatrix = ([name, t]: [string, Tensor]) => t.shape.length === 2 && !name.startsWith('embedding');
 * const matrices = new Muon(device, [...parameters(model)].filter(isMatrix));
 * const rest = new AdamW(device, [...parameters(model)].filter((one) => !isMatrix(one)));
 * ```
 *
 * Of what other optimizers do in one launch a buffer, this does the momentum; each matrix has launches of its own: three products an
 * iteration. In f32, where PyTorch has bf16.
 */
export class Muon extends Optimizer<'m'> {
  readonly #options: Required<
    Pick<MuonOptions, 'momentum' | 'nesterov' | 'weightDecay' | 'eps' | 'iterations' | 'adjust'>
  >;

  /**
   * Moves the parameters into flat buffers: make steps that use them after this.
   *
   * @throws StepError when there are none; ArgumentError when one is no matrix.
   */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: MuonOptions = {}) {
    const defaults = { momentum: 0.95, weightDecay: 0.1, eps: 1e-7, iterations: 5 };
    const numbers = ruleNumbers('Muon', options, defaults, ['momentum'], ['nesterov', 'adjust']);
    const { nesterov = true, adjust = 'spectral' } = options;
    checkChoice('Muon', 'adjust', adjust, ['spectral', 'rms']);
    const rule = { ...numbers, nesterov, adjust };
    // All of them are matrices, so that no default leaves one without decay.
    super('Muon', ['m'], device, matrices(named), { ...options, ...rule });
    this.#options = rule;
  }

  protected numbers(_: number, lr: number, scale: number): Float32Array {
    return new Float32Array([lr, 0, 0, scale]);
  }

  protected updateBuffer(
    buffer: OptimizerBuffer<'m'>,
    hyper: Tensor,
    factor: Tensor,
    clear: boolean,
    index: number,
  ): void {
    const { weightDecay, adjust } = this.#options;
    const direction = muonDirection(buffer, factor, this.#options, clear);
    for (const { tensor, buffer, offset, decays } of this.flat.parameters) {
      if (buffer !== index || tensor.size === 0) continue;
      const [rows, cols] = tensor.shape as [number, number];
      const ratio = adjust === 'rms' ? 0.2 * Math.sqrt(Math.max(rows, cols)) : Math.sqrt(Math.max(1, rows / cols));
      const x = this.#orthogonal(range(direction, offset, tensor.shape));
      muonUpdate(tensor, x, hyper, factor, { weightDecay: decays ? weightDecay : 0, ratio });
    }
  }

  /** `x [M, N]` with singular values near 1, by Newton and Schulz. */
  #orthogonal(x: Tensor): Tensor {
    const { eps, iterations } = this.#options;
    const [rows, cols] = x.shape as [number, number];
    let y = div(x, maximum(sqrt(sum(square(x))), eps));
    for (let i = 0; i < iterations; i++) {
      // Of the two squares the smaller: (x·xᵀ)·x is x·(xᵀ·x).
      const isWide = rows <= cols;
      const gram = matmul(y, y, isWide ? { transposeB: true } : { transposeA: true });
      const inner = matmul(scale(gram, C), gram, { residual: scale(gram, B) });
      const residual = scale(y, A);
      y = isWide ? matmul(inner, y, { residual }) : matmul(y, inner, { residual });
    }
    return y;
  }
}
