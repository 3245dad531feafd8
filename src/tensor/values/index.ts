export { bytesPerElement, type DType, type HostArray, isDType } from './dtype.ts';
export { NotFiniteError, StepError } from './errors.ts';
export { fromHalf, toHalf } from './half.ts';
export {
  type Bits,
  counted,
  describe,
  fromHost,
  type HostValues,
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
