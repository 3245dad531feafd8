import { kernel } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { describe, ShapeError } from '../../tensor/values/index.ts';
import { checkNoMore, checkTensors, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';
import { indicesOf } from './indices.ts';

/**
 * A one where the index says, zeros elsewhere: `y[…, c] = 1` for c = ids[…], `ids […]` (u32 or i32) → f32 `[…, classes]`. An index that is not
 * below `classes`, or is below 0, gives a row of zeros. It has no gradient.
 *
 * ```ts
 * await read(oneHot(tensor(device, new Uint32Array([2, 0])), 3)); // [0, 0, 1, 1, 0, 0]
 * ```
 *
 * @throws ShapeError unless `ids` is u32 or i32 and `classes` a whole number, 0 or more.
 */
export function oneHot(ids: Tensor, classes: number, ...more: never[]): Tensor {
  checkTensors('oneHot', { ids });
  checkNoMore('oneHot', more, 'ids, classes');
  if (!Number.isInteger(classes) || classes < 0) {
    throw new ShapeError('oneHot', `classes must be a whole number, 0 or more; it is ${describe(classes)}`);
  }
  const words = indicesOf('oneHot', ids, { ids: ids.shape });
  const y = empty(ids, [...ids.shape, classes], 'f32');
  const rows = { rows: ids.size, width: classes };
  dispatch(oneHotKernel, { ids: words, y }, rows, rowConstants(ids.device, rows));
  return y;
}

// Rows are indices.
const oneHotKernel = /*#__PURE__*/ kernel({
  name: 'one-hot',
  bind: { ids: 'read u32', y: 'write f32' },
  params: { rows: 'u32', width: 'u32' },
  override: rowOverrides,
  use: [rowPlace],
  grid: rowGrid,
  wgsl: /*#__PURE__*/ eachRow(/* wgsl */ `
  let id = ids[row];
  for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = f32(col == id); }`),
});
