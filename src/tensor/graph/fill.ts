import { type Device, kernel } from '../../gpu/index.ts';
import { checkShape, type DType, holds, isFloat, type Shape, ShapeError } from '../values/index.ts';
import { elementGrid, elementLoop, elementOverride, elementParams, elementsOf } from './elementwise.ts';
import { checkDevice, checkDType, dispatch, empty, emptyOn } from './record.ts';
import type { Tensor } from './tensor.ts';

/**
 * A tensor with the same value everywhere. Without `dtype`, true and false make bool, as in {@link tensor}, and numbers f32; where another
 * is asked for they are 1 and 0. It is made on the GPU, at every call of a step.
 *
 * ```ts
 * await read(fill(device, [2], 7)); // [7, 7]
 * await readBool(fill(device, [2], true)); // [1, 1]
 * ```
 *
 * @throws ShapeError when i32, u32 or bool do not hold the value.
 */
export function fill(device: Device, shape: Shape, value: number | boolean, as?: DType): Tensor {
  checkDevice('fill', device);
  checkShape('fill', shape);
  const isTruth = typeof value === 'boolean';
  const dtype = as === undefined ? (isTruth ? 'bool' : 'f32') : as;
  checkDType('fill', dtype);
  const number = isTruth ? Number(value) : value;
  if (isFloat(dtype)) return fillFloats(device, shape, number, dtype);
  const y = emptyOn(device, shape, dtype);
  if (!holds[dtype](number)) throw new ShapeError('fill', `${value} is no ${dtype}`);
  dispatch(fillWords, { y }, { ...elementsOf(device, y.size), value: number >>> 0 });
  return y;
}

/** {@link fill} for gradients, which are floats. */
export function fillFloats(device: Device, shape: Shape, value: number, dtype: 'f32' | 'f16'): Tensor {
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

const fillWords = /*#__PURE__*/ kernel({
  name: 'fill',
  bind: { y: 'write vec4<u32>' },
  params: { vec4s: 'u32', perThread: 'u32', value: 'u32' },
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4u(params.value);'),
});

const addKernel = /*#__PURE__*/ kernel({
  name: 'accumulate',
  bind: { a: 'read vec4<T>', b: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  rule: () => 1,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = a[i] + b[i];'),
});
