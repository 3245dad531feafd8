import { kernel, notNumbers } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { type DType, describe, isDType, ShapeError } from '../../tensor/values/index.ts';
import { componentwise } from './broadcast.ts';
import { castFloat } from './float-cast.ts';

/**
 * The values of `x` as f32, f16 or u32: rounded to the nearest where f16 is narrower (beyond ±65504: infinite), or f32 is than large
 * u32. To u32 it is toward zero, 0 of NaN and of what is below, 2³² − 1 of what is above. The gradient is `dy` as the dtype of `x`; none
 * flows through u32. Nothing is done where `x` has the dtype already.
 *
 * ```ts
 * const x = tensor(device, [1, 0.1]);
 * await read(cast(cast(x, 'f16'), 'f32')); // [1, 0.0999755859375]
 * await read(sum(cast(greater(x, 0.5), 'f32'))); // [1], how many are larger
 * ```
 *
 * @throws ShapeError when the dtype is another.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  if (!isDType(dtype)) {
    throw new ShapeError('cast', `the dtype must be 'f32', 'f16' or 'u32'; it is ${describe(dtype)}`, { x: x.shape });
  }
  if (x.dtype === dtype) return x;
  if (dtype !== 'u32' && x.dtype !== 'u32') return castFloat(x, dtype);
  const y = empty(x, x.shape, dtype);
  const elements = elementsOf(x.device, x.size);
  if (dtype === 'u32') dispatch(toU32, { x, y }, elements);
  else dispatch(fromU32, { x, y }, elements);
  return y;
}

const fromU32 = /*#__PURE__*/ kernel({
  name: 'from-u32',
  bind: { x: 'read vec4<u32>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = vec4<T>(vec4f(x[i]));'),
});

// Conversions of what u32 does not hold are left to adapters.
const toU32 = /*#__PURE__*/ kernel({
  name: 'to-u32',
  bind: { x: 'read vec4<T>', y: 'write vec4<u32>' },
  params: elementParams,
  override: elementOverride,
  use: [notNumbers],
  grid: elementGrid,
  wgsl: `
fn value(x: f32) -> u32 {
  let inside = u32(clamp(x, 0.0, 4294967040.0));
  return select(select(inside, 0xffffffffu, x >= 4294967296.0), 0u, isNan(x) || x <= 0.0);
}
${/*#__PURE__*/ elementLoop(`let v = vec4f(x[i]);\n    y[i] = ${/*#__PURE__*/ componentwise('value', ['v'], 'u32')};`)}`,
});
