import { kernel } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
  unchanged,
} from '../../tensor/graph/index.ts';
import { type DType, isFloat, ShapeError } from '../../tensor/values/index.ts';

/** The dtype of `x`, which holds floats: what to cast other tensors to that meet it. */
export function floatType(x: Tensor): 'f32' | 'f16' {
  if (isFloat(x.dtype)) return x.dtype;
  throw new ShapeError('floatType', `x must be f32 or f16; it is ${x.dtype}`, { x: x.shape });
}

/** The dtype of a statistic of x: its own where these are floats, of whole numbers and masks f32. */
export function statisticType({ dtype }: Pick<Tensor, 'dtype'>): DType {
  return isFloat(dtype) ? dtype : 'f32';
}

/** `y = x` as the other float dtype: {@link cast} without u32, for programs that need no more. */
export function castFloat(x: Tensor, dtype: 'f32' | 'f16'): Tensor {
  if (x.dtype === dtype) return unchanged(x);
  const y = empty(x, x.shape, dtype);
  const elements = elementsOf(x.device, x.size);
  if (dtype === 'f16') dispatch(narrow, { x, y }, elements);
  else dispatch(widen, { x, y }, elements);
  return differentiable(y, [x], (dy) => [castFloat(dy, x.dtype as 'f32' | 'f16')]);
}

const narrow = /*#__PURE__*/ kernel({
  name: 'narrow',
  bind: { x: 'read vec4<f32>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4<T>(x[i]);'),
});

const widen = /*#__PURE__*/ kernel({
  name: 'widen',
  bind: { x: 'read vec4<T>', y: 'write vec4<f32>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4f(x[i]);'),
});
