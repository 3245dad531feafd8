export { checkFunction, checkOptions, checkTensors, isNamed, oneOrMore, tensorList } from './arguments.ts';
export { access } from './dependence.ts';
export { type Elements, elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
export { add, fill, fillFloats } from './fill.ts';
export { differentiable, differentiableAll, differentiableLinear, reverse, unchanged } from './grad.ts';
export {
  defaultType,
  free,
  freeWhenCollected,
  newVariable,
  ownShape,
  tensor,
  variable,
  write,
} from './host-tensors.ts';
export { isWrittenWhole, moveVariable, range, writeInto } from './placement.ts';
export { type RecomputeResults, recompute } from './recompute.ts';
export { checkDevice, currentRecording, dispatch, empty, emptyOn, label, over, Recording, record } from './record.ts';
export { type ScanOptions, type ScanTensors, scan } from './scan.ts';
export { type Launch, type Loop, type Memory, memoryOf, Storage, type SumTo, Tensor } from './tensor.ts';
