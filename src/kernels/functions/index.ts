export {
  celu,
  elu,
  glu,
  hardsigmoid,
  hardswish,
  leakyRelu,
  logSigmoid,
  mish,
  prelu,
  selu,
  silu,
  softplus,
  softsign,
} from './activations.ts';
export { erf } from './erf.ts';
export { cosh, expm1, log1p, log1pPiece, log2, log10, logaddexp, sinh } from './exponentials.ts';
export { acos, asin, atan, atan2 } from './inverse-trigonometry.ts';
export { lerp } from './lerp.ts';
export { exp2, hypot, pow, powPiece, reciprocal, rsqrt } from './powers.ts';
export { ceil, floor, floorDivide, remainder, round, trunc } from './rounding.ts';
export { cos, sin, tan } from './trigonometry.ts';
