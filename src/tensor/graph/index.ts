export { type Elements, elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
export { add, fill } from './fill.ts';
export { differentiable, differentiableAll, gradients } from './grad.ts';
export { type RecomputeResults, recompute } from './recompute.ts';
export { currentRecording, dispatch, empty, emptyOn, type Launch, label, Recording, record } from './record.ts';
export { free, type Memory, memoryOf, range, Storage, Tensor, tensor, variable, write } from './tensor.ts';
