// The paper's own ops; '@zeroseg/core/zeroseg' exports them.
export { averageWindows } from './average-windows.ts';
export {
  assignNormalise,
  type Grouped,
  type GroupOptions,
  type GumbelOptions,
  type GumbelSoftmaxOptions,
  groupMembers,
  gumbelSoftmax,
} from './grouping.ts';
export { keepRows, type ShuffleMask, shuffleMask, unshuffle } from './masking.ts';
export { medoids } from './medoids.ts';
export { type PamrOptions, type PamrWeights, pamr, pamrSteps, pamrWeights } from './pamr.ts';
export { type ReconstructionOptions, reconstruction } from './reconstruction.ts';
export { type CellInputs, resizeCells } from './resize-cells.ts';
export {
  type DistillOptions,
  distill,
  type SegmentMatch,
  type SegmentMatchOptions,
  segmentMatch,
} from './segment-match.ts';
