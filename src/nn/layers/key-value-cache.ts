import type { Device } from '../../gpu/index.ts';
import { cachePlaces, checkCache, writeCacheRows } from '../../kernels/attention/index.ts';
import { checkOptions, checkTensors, newVariable, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, shown } from '../../tensor/values/index.ts';

export interface CacheSize {
  /** B: sequences that are written side by side. */
  readonly batch: number;
  /** G: heads of keys and values. */
  readonly heads: number;
  /** L: how many positions are kept. */
  readonly length: number;
  /** D: width of a head. */
  readonly width: number;
}

/**
 * Keys and values of the positions before, for generation token by token: variables `[B, G, L, D]` that a step writes in place. The last L
 * positions are kept: position p lies at place p mod L, over the one L before. A sequence begins anew by starting at position 0 again;
 * nothing needs to be cleared.
 *
 * ```ts
 * const cache = new KeyValueCache(device, { batch: 1, heads: 2, length: 128, width: 64 });
 * const write = await step(device, { x: [1, 1, 512], position: { shape: [], dtype: 'u32' } }, ({ x, position }) =>
 *   attend.forward(x, { cache, position }), // a MultiHeadAttention of 2 heads of keys, 64 wide
 * );
 * freeParameters(cache);
 * ```
 *
 * @throws ShapeError unless all sizes are whole numbers above 0.
 */
export class KeyValueCache {
  readonly k: Tensor;
  readonly v: Tensor;

  constructor(device: Device, size: CacheSize = {} as CacheSize, dtype: 'f32' | 'f16' = 'f32') {
    checkOptions('KeyValueCache', size, ['batch', 'heads', 'length', 'width'], 'sizes');
    const { batch, heads, length, width } = size;
    for (const [name, axis] of Object.entries({ batch, heads, length, width })) {
      if (Number.isInteger(axis) && axis > 0) continue;
      throw new ShapeError('KeyValueCache', `${name} must be a whole number above 0; it is ${shown(axis)}`);
    }
    const shape = [batch, heads, length, width];
    this.k = newVariable('KeyValueCache', device, shape, undefined, dtype);
    this.v = newVariable('KeyValueCache', device, shape, undefined, dtype);
  }

  /** L. */
  get length(): number {
    return this.k.shape[2] as number;
  }

  /**
   * The positions `[1, N]` (or `[B, N]`) of `rows` rows whose first is at `position` (u32, one for all or `[B]`), and the mask `[1, 1, N, L]`
   * (or `[B, 1, N, L]`) of the places that each sees: those of the last L positions that are not after its own, and that later rows
   * of the same call have not taken.
   */
  places(position: Tensor, rows: number): { positions: Tensor; mask: Tensor } {
    checkTensors('KeyValueCache', { position });
    if (!(Number.isInteger(rows) && rows >= 0)) {
      throw new ShapeError('KeyValueCache', `rows must be a whole number, 0 or more; it is ${shown(rows)}`);
    }
    return cachePlaces(position, rows, this.length);
  }

  /**
   * Puts `k` and `v` `[B, G, N, D]` to the positions from `position` on, at every call of the step whose body this is in, and gives all that the
   * cache has then, `[B, G, L, D]`.
   *
   * @throws ShapeError when shapes or dtypes do not fit, or N is larger than L; ArgumentError when a gradient through it is asked for.
   */
  put(k: Tensor, v: Tensor, position: Tensor): { k: Tensor; v: Tensor } {
    checkTensors('KeyValueCache', { k, v, position });
    checkCache(this.k, k, v, position);
    return { k: writeCacheRows(this.k, k, position), v: writeCacheRows(this.v, v, position) };
  }
}
