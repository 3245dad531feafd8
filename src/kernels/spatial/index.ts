export { type ConvTranspose2dOptions, convTranspose2d } from './conv-transpose2d.ts';
export { type Conv1dOptions, type Conv2dOptions, conv1d, conv2d } from './conv2d.ts';
export { type AvgPoolOptions, adaptiveAvgPool2d, avgPool2d, maxPool2d, type PoolOptions } from './pool.ts';
