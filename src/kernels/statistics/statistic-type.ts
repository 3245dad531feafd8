import type { Tensor } from '../../tensor/graph/index.ts';
import { type DType, isFloat } from '../../tensor/values/index.ts';

/** The dtype of a statistic of x: its own where these are floats, of whole numbers and masks f32. */
export function statisticType({ dtype }: Pick<Tensor, 'dtype'>): DType {
  return isFloat(dtype) ? dtype : 'f32';
}
