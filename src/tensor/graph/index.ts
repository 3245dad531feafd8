export { access } from './dependence.ts';
export { type Elements, elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
export { add, fill } from './fill.ts';
export { differentiable, differentiableAll, differentiableLinear, reverse } from './grad.ts';
export { defaultType, free, freeWhenCollected, ownShape, tensor, variable, write } from './host-tensors.ts';
export { isWrittenWhole, moveVariable, range, writeInto } from './placement.ts';
export { type RecomputeResults, recompute } from './recompute.ts';
export { currentRecording, dispatch, empty, emptyOn, label, Recording, record } from './record.ts';
export { type Launch, type Memory, memoryOf, Storage, type SumTo, Tensor } from './tensor.ts';
