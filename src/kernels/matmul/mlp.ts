import { differentiable, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, sameShape } from '../../tensor/values/index.ts';
import { checkChoice, checkOperands, checkOptions, checkTensors } from '../axis/index.ts';
import { type Activation, activations } from '../elementwise/index.ts';
import { linear } from './matmul.ts';
import { flattened, linearGradients, type Matrix, matrix, product, transposed } from './product.ts';

export interface MlpWeights {
  /** `[hidden, in]` and `[hidden]`. */
  readonly weight1: Tensor;
  readonly bias1?: Tensor | undefined;
  /** `[out, hidden]` and `[out]`. */
  readonly weight2: Tensor;
  readonly bias2?: Tensor | undefined;
}

export interface MlpOptions {
  /** Default: `gelu`. */
  readonly activation?: Activation;
  /** `[..., out]`, added last. */
  readonly residual?: Tensor | undefined;
}

/**
 * Two linear layers: `y = h · weight2ᵀ + bias2 + residual` with `h = activation(p)` and `p = x · weight1ᵀ + bias1`; `x [..., in]`,
 * `y [..., out]`. Two launches forward and four backward:
 *
 * `dp = (dy · weight2) ⊙ activation'(p)`; `dx = dp · weight1`; `dweight2 = dyᵀ · h` with `dbias2`, `dweight1 = dpᵀ · x` with
 * `dbias1`, sums over all axes but the last.
 *
 * ```ts
 * const weight1 = tensor(device, [1, -1], [2, 1]);
 * const weight2 = tensor(device, [3, 5], [1, 2]);
 * await read(mlp(tensor(device, [2, -2], [2, 1]), { weight1, weight2 }, { activation: 'relu' })); // [6, 10]
 * ```
 *
 * @throws ShapeError when the axes do not follow each other, or biases or residual do not fit.
 */
export function mlp(x: Tensor, weights: MlpWeights, options: MlpOptions = {}): Tensor {
  if (!weights) throw new ShapeError('mlp', 'the weights come second: { weight1, bias1, weight2, bias2 }');
  const { weight1, bias1, weight2, bias2 } = weights;
  checkOperands('mlp', { x, weight1, ...(bias1 && { bias1 }), weight2, ...(bias2 && { bias2 }) });
  checkOptions('mlp', options, ['activation', 'residual']);
  const { activation = 'gelu' } = options;
  const residual = options.residual || undefined;
  checkTensors('mlp', residual ? { residual } : {});
  checkChoice('mlp', 'activation', activation, activations);
  const shapes = { x: x.shape, weight1: weight1.shape, weight2: weight2.shape };
  const [hidden, inputs] = weight1.shape;
  const [outputs, inner] = weight2.shape;
  if (weight1.shape.length !== 2 || weight2.shape.length !== 2) {
    throw new ShapeError('mlp', 'weight1 must be [hidden, in] and weight2 [out, hidden]', shapes);
  }
  if (x.shape.at(-1) !== inputs || hidden !== inner) {
    throw new ShapeError('mlp', 'x must be [..., in], and both weights must have the same hidden axis', shapes);
  }
  for (const [name, bias, length] of [
    ['bias1', bias1, hidden],
    ['bias2', bias2, outputs],
  ] as const) {
    if (bias && !sameShape(bias.shape, [length as number])) {
      throw new ShapeError('mlp', `${name} must be [${length}]`, { ...shapes, [name]: bias.shape });
    }
  }
  const front = x.shape.slice(0, -1);
  const shape = [...front, outputs as number];
  if (residual && !sameShape(residual.shape, shape)) {
    throw new ShapeError('mlp', 'residual must have the shape of the result', {
      ...shapes,
      result: shape,
      residual: residual.shape,
    });
  }

  // A vector is one row.
  const rows = (t: Tensor): Matrix => flattened(matrix(t, [1, ...t.shape], false));
  const first = matrix(weight1, weight1.shape, false);
  const second = matrix(weight2, weight2.shape, false);
  const { y: h, pre } = product('mlp', rows(x), transposed(first), [], [...front, hidden as number], {
    bias: bias1,
    activation,
  });
  const { y } = product('mlp', rows(h), transposed(second), [], shape, { bias: bias2, residual });

  return differentiable(
    y,
    [x, weight1, weight2, bias1, bias2, residual].filter((t) => t !== undefined),
    (dy) => {
      const d2 = rows(dy);
      const { y: dp } = product('mlp', d2, second, [], h.shape, { gate: { activation, pre } });
      const d1 = rows(dp);
      const { y: dx } = product('mlp', d1, first, [], x.shape);
      const of2 = linearGradients('mlp', weight2, rows(h), d2);
      const of1 = linearGradients('mlp', weight1, rows(x), d1);
      return [
        dx,
        of1.weight,
        of2.weight,
        ...(bias1 ? [of1.bias] : []),
        ...(bias2 ? [of2.bias] : []),
        ...(residual ? [dy] : []),
      ];
    },
    (t, w1, w2, ...rest) => {
      const [a, b, c] = [bias1, bias2, residual].map((given) => given && rest.shift());
      return linear(linear(t as Tensor, w1 as Tensor, { bias: a, activation }), w2 as Tensor, { bias: b, residual: c });
    },
  );
}
