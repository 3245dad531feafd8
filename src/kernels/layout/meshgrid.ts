import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkList, checkOptions, checkTensors } from '../axis/index.ts';
import { broadcastTo, reshape } from './layout.ts';

/**
 * Coordinates of a grid: of lines `[N₀]`, `[N₁]`, … as many tensors `[N₀, N₁, …]`, the k-th with the k-th line along axis k. With
 * `indexing: 'xy'` the first two axes are swapped, as NumPy does by default. Gradients are summed over what was repeated.
 *
 * ```ts
 * const [y, x] = meshgrid([tensor(device, [0, 1]), tensor(device, [5, 6, 7])]); // [[0, 0, 0], [1, 1, 1]] and [[5, 6, 7], [5, 6, 7]]
 * ```
 *
 * @throws ShapeError when a line has not one axis.
 */
export function meshgrid(lines: readonly Tensor[], options: { readonly indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  checkList('meshgrid', 'the lines', lines, '[x, y]');
  checkTensors('meshgrid', Object.fromEntries(lines.map((line, k) => [`line ${k}`, line])));
  checkOptions('meshgrid', options, ['indexing']);
  const { indexing = 'ij' } = options;
  checkChoice('meshgrid', 'indexing', indexing, ['ij', 'xy']);
  const shapes = Object.fromEntries(lines.map((line, k) => [`line ${k}`, line.shape]));
  if (lines.some(({ shape }) => shape.length !== 1)) {
    throw new ShapeError('meshgrid', 'each line must have one axis', shapes);
  }
  const axes = lines.map((_, k) => (indexing === 'xy' && k < 2 && lines.length > 1 ? 1 - k : k));
  const shape = lines.map((_, k) => (lines[axes.indexOf(k)] as Tensor).size);
  return lines.map((line, k) =>
    broadcastTo(
      reshape(
        line,
        shape.map((length, axis) => (axis === axes[k] ? length : 1)),
      ),
      shape,
    ),
  );
}
