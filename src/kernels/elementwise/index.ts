export { type Activation, activationPiece, activations } from './activation.ts';
export { sumTo } from './broadcast.ts';
export { cast, floatType } from './cast.ts';
export {
  abs,
  add,
  addScalar,
  clamp,
  div,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  scale,
  sigmoid,
  sign,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from './pointwise.ts';
export { randomGumbel, randomNormal, randomUniform } from './random.ts';
export { stopGradient, straightThrough } from './stop-gradient.ts';
