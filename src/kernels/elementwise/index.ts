export { type Activation, activationPiece, activations } from './activation.ts';
export { assign } from './assign.ts';
export { add, div, maximum, minimum, mul, sub, where } from './binary.ts';
export { mergedAxes } from './broadcast.ts';
export { cast, floatType } from './cast.ts';
export { dropout } from './dropout.ts';
export { gradients } from './gradients.ts';
export { randomGumbel, randomNormal, randomUniform } from './random.ts';
export { stopGradient, straightThrough } from './stop-gradient.ts';
export { sumTo } from './sum-to.ts';
export {
  abs,
  activationBackward,
  addScalar,
  clamp,
  exp,
  gelu,
  log,
  neg,
  relu,
  scale,
  sigmoid,
  sign,
  sqrt,
  square,
  tanh,
} from './unary.ts';
