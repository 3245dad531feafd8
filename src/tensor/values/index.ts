export { describe, shown } from './describe.ts';
export { arrays, bytesPerElement, type DType, dtypeRule, type HostArray, isDType, isFloat } from './dtype.ts';
export { NotFiniteError, StepError } from './errors.ts';
export { fromHalf, toHalf } from './half.ts';
export {
  type Bits,
  counted,
  fromHost,
  type HostValues,
  holds,
  type NumberArray,
  type NumberList,
  nestedShape,
} from './host.ts';
export { median } from './median.ts';
export {
  aroundAxis,
  broadcastShapes,
  checkShape,
  formatShape,
  normalizeAxis,
  type Shape,
  ShapeError,
  sameShape,
  size,
} from './shape.ts';
