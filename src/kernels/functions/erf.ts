import { erf as erfPiece, notNumbers } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { applyUnary, clamp, exp, makeUnary, mul, square } from '../elementwise/index.ts';

/**
 * The error function, `2/√π ∫₀ˣ e^(-t²) dt`. The gradient is `dy · 2/√π e^(-x²)`.
 *
 * ```ts
 * await read(erf(tensor(device, [0, 1]))); // [0, 0.8427008]
 * ```
 */
export function erf(x: Tensor): Tensor {
  return applyUnary(erfKernels, x);
}

const erfKernels = /*#__PURE__*/ makeUnary('erf', {
  forward: 'select(erf(x), x, isNan(x))',
  // Beyond 10 it is 0 in f32.
  gradient: 'dy * select(1.1283791670955126 * exp(-min(x * x, 104.0)), x, isNan(x))',
  second: (x) => {
    const bounded = clamp(x, -15, 15);
    return mul(mul(bounded, -2.256758334191025), exp(mul(square(bounded), -1)));
  },
  use: [erfPiece, notNumbers],
});
