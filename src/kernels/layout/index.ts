export { flatten, moveAxis, repeat, squeeze, stack, swapAxes, tile, unsqueeze } from './axes.ts';
export { embedding, scatterAdd, take, takeRows } from './gather.ts';
export { broadcastTo, concat, permute, reshape, split, view } from './layout.ts';
export { arange, eye, fillLike, linspace, onesLike, zerosLike } from './made.ts';
export { flip, type PadOptions, pad, roll } from './pad.ts';
export { interpolate, interpolatePositions, type PositionRule } from './resize.ts';
export { slice } from './slice.ts';
export { tril, triu } from './triangle.ts';
