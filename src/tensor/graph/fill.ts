import { type Device, kernel } from '../../gpu/index.ts';
import { checkShape, type Shape } from '../values/index.ts';
import { elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
import { dispatch, empty, emptyOn } from './record.ts';
import type { Tensor } from './tensor.ts';

/** A tensor (f32, or f16 where that is asked for) with the same value everywhere. It is made on the GPU, at every call of a step. */
export function fill(device: Device, shape: Shape, value: number, dtype: 'f32' | 'f16' = 'f32'): Tensor {
  checkShape('fill', shape);
  const y = emptyOn(device, shape, dtype);
  dispatch(fillKernel, { y }, { ...elementsOf(device, y.size), value });
  return y;
}

/** `a + b` of equal shapes: how gradients that meet are joined. The op for users is `add` in `src/kernels`. */
export function add(a: Tensor, b: Tensor): Tensor {
  const y = empty(a);
  dispatch(addKernel, { a, b, y }, elementsOf(y.device, y.size));
  return y;
}

const fillKernel = /*#__PURE__*/ kernel({
  name: 'fill',
  bind: { y: 'write vec4<T>' },
  params: { ...elementParams, value: 'f32' },
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4<T>(T(params.value));'),
});

const addKernel = /*#__PURE__*/ kernel({
  name: 'accumulate',
  bind: { a: 'read vec4<T>', b: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  rule: () => import('./join-gradients.ts'),
  wgsl: /*#__PURE__*/ elementLoop('y[i] = a[i] + b[i];'),
});
