export { elu, hardswish, leakyRelu, mish, silu, softplus } from './activations.ts';
export { expm1, log1p, log1pPiece } from './exponentials.ts';
export { pow, reciprocal, rsqrt } from './powers.ts';
export { ceil, floor, floorDivide, remainder, round } from './rounding.ts';
export { cos, sin, tan } from './trigonometry.ts';
