export { type Activation, activationPiece, activations, sigmoidPiece } from './activation.ts';
export { assign } from './assign.ts';
export {
  add,
  applyBinary,
  type Binary,
  byKernel,
  div,
  maximum,
  minimum,
  mul,
  sub,
  tensorsOf,
  where,
} from './binary.ts';
export { broadcast, mergedAxes } from './broadcast.ts';
export { launchBroadcast, type Operand } from './broadcast-launch.ts';
export { cast } from './cast.ts';
export { dropout } from './dropout.ts';
export { exactLog } from './exact-log.ts';
export { castFloat, floatType, statisticType } from './float-cast.ts';
export { gradients } from './gradients.ts';
export { checkKey, hash, randomGumbel, randomNormal, randomUniform } from './random.ts';
export { stopGradient, straightThrough } from './stop-gradient.ts';
export { sumTo } from './sum-to.ts';
export {
  abs,
  activationBackward,
  addScalar,
  applyUnary,
  clamp,
  exp,
  gelu,
  log,
  makeUnary,
  neg,
  relu,
  scale,
  secondOfGated,
  sigmoid,
  sign,
  sqrt,
  square,
  tanh,
} from './unary.ts';
