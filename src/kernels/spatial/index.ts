export { adaptiveMaxPool2d } from './adaptive-max.ts';
export { type ConvTranspose2dOptions, convTranspose2d } from './conv-transpose2d.ts';
export { type Conv1dOptions, type Conv2dOptions, conv1d, conv2d } from './conv2d.ts';
export { type Conv3dOptions, conv3d } from './conv3d.ts';
export { type GridSampleOptions, gridSample } from './grid-sample.ts';
export { checkWhole, type Pair, pairOf, type Triple } from './pairs.ts';
export {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool2d,
  type PoolOptions,
} from './pool.ts';
export { type AvgPool1dOptions, avgPool1d, maxPool1d, type Pool1dOptions } from './pool1d.ts';
export { type AvgPool3dOptions, avgPool3d, type MaxPool3dOptions, maxPool3d } from './pool3d.ts';
export { fold, type UnfoldOptions, unfold } from './unfold.ts';
