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
} from '../../tensor/graph/index.ts';
import { describe, ShapeError } from '../../tensor/values/index.ts';
/**
 * The values of `x` as f32 or f16: `y = x`, rounded to the nearest where f16 is narrower (beyond ±65504: infinite). The gradient
 * is `dy` as the dtype of `x`. Nothing is done where `x` has the dtype already.
 *
 * ```ts
 * const x = tensor(device, [1, 0.1]);
 * await read(cast(cast(x, 'f16'), 'f32')); // [1, 0.0999755859375]
 * ```
 *
 * @throws ShapeError when `x` holds u32.
 */
export function cast(x: Tensor, dtype: 'f32' | 'f16'): Tensor {
  if (dtype !== 'f32' && dtype !== 'f16') {
    throw new ShapeError('cast', `the dtype must be 'f32' or 'f16'; it is ${describe(dtype)}`, { x: x.shape });
  }
  if (x.dtype === dtype) return x;
  if (x.dtype === 'u32') throw new ShapeError('cast', 'x must be f32 or f16; it is u32', { x: x.shape });
  const from = x.dtype;
  const y = empty(x, x.shape, dtype);
  const elements = elementsOf(x.device, x.size);
  if (dtype === 'f16') dispatch(narrow, { x, y }, elements);
  else dispatch(widen, { x, y }, elements);
  return differentiable(y, [x], (dy) => [cast(dy, from)]);
}

/** The dtype of `x`, which holds floats: what to cast other tensors to that meet it. */
export function floatType(x: Tensor): 'f32' | 'f16' {
  if (x.dtype === 'u32') throw new ShapeError('floatType', 'x must be f32 or f16; it is u32', { x: x.shape });
  return x.dtype;
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
