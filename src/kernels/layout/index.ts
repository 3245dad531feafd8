export { embedding, scatterAdd, take, takeRows } from './gather.ts';
export { broadcastTo, concat, permute, reshape, slice, split, view } from './layout.ts';
export { interpolate, interpolatePositions, type PositionRule } from './resize.ts';
