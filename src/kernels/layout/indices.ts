import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  over,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';

/**
 * Indices of an axis of `length` as u32: u32 as they are, and of i32 negative ones from the end, as in NumPy. What is below `-length` is beyond
 * all axes. Without a length, all negative ones are.
 *
 * @throws ShapeError when they are neither.
 */
export function indicesOf(op: string, ids: Tensor, shapes: Readonly<Record<string, Shape>>, length = 0): Tensor {
  checkTensors(op, { ids });
  if (ids.dtype === 'u32') return ids;
  if (ids.dtype !== 'i32') {
    const remedy = ids.dtype === 'bool' ? '; where a mask is true, await nonzero(mask) tells' : '';
    throw new ShapeError(op, `ids must be u32 or i32, not ${ids.dtype}${remedy}`, shapes);
  }
  if (length === 0) return over(ids, ids.shape, 'u32');
  const y = empty(ids, ids.shape, 'u32');
  dispatch(fromEnd, { ids, y }, { ...elementsOf(ids.device, ids.size), length });
  return y;
}

const fromEnd = /*#__PURE__*/ kernel({
  name: 'indices-from-end',
  bind: { ids: 'read vec4<u32>', y: 'write vec4<u32>' },
  params: { ...elementParams, length: 'u32' },
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(
    'y[i] = select(ids[i], ids[i] + vec4u(params.length), ids[i] >= vec4u(0x80000000u));',
  ),
});
