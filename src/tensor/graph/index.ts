export { type Elements, elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
export { add, fill } from './fill.ts';
export { differentiable, differentiableAll, gradients } from './grad.ts';
export { type CheckpointResults, checkpoint } from './recompute.ts';
export { currentRecording, dispatch, empty, emptyOn, type Launch, label, Recording, record } from './record.ts';
export { free, lasting, type Memory, memoryOf, range, Storage, Tensor, tensor, write } from './tensor.ts';
