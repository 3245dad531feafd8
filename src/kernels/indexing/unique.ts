// What has as many results as its values say: found on the host, outside of steps.
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { readAll } from '../../tensor/run/index.ts';
import type { HostArray } from '../../tensor/values/index.ts';
import { checkTensors } from '../axis/index.ts';

/** Distinct values in ascending order; where each element is among them (of the shape of `x`), and how often each occurs (both u32). */
export interface Unique {
  readonly values: Tensor;
  readonly inverse: Tensor;
  readonly counts: Tensor;
}

/**
 * The distinct values of a tensor in ascending order, NaN (all of them one) last: `x = take(values, inverse)`. How many there are is known
 * on the host only, so this reads `x`: it cannot stand in the body of a step. No gradient flows.
 *
 * ```ts
 * const { values, inverse, counts } = await unique(tensor(device, [3, 1, 3]));
 * await read(values); // [1, 3]
 * await readU32(inverse); // [1, 0, 1]
 * await readU32(counts); // [1, 2]
 * ```
 */
export async function unique(x: Tensor): Promise<Unique> {
  const data = await valuesOf('unique', x);
  // Of a Map, -0 is 0, and NaN equals NaN.
  const places = new Map<number, number>();
  for (const value of data) places.set(value, 0);
  const values = Float64Array.from(places.keys()).sort();
  values.forEach((value, i) => void places.set(value, i));
  const counts = new Uint32Array(values.length);
  const inverse = Uint32Array.from(data, (value) => {
    const place = places.get(value) as number;
    counts[place] = (counts[place] as number) + 1;
    return place;
  });
  const { device, shape, dtype } = x;
  return {
    values: tensor(device, values, [values.length], dtype),
    inverse: tensor(device, inverse, shape),
    counts: tensor(device, counts),
  };
}

/**
 * The indices of all elements that are true, or not 0 (NaN is not), in order: u32 `[n, rank]`. PyTorch's `nonzero`, NumPy's `argwhere`. It reads `x`,
 * as {@link unique}.
 *
 * ```ts
 * await readU32(await nonzero(tensor(device, [[0, 5], [7, 0]]))); // [0, 1, 1, 0]
 * ```
 */
export async function nonzero(x: Tensor): Promise<Tensor> {
  const data = await valuesOf('nonzero', x);
  const rank = x.shape.length;
  const found: number[] = [];
  data.forEach((value, i) => {
    if (value === 0) return;
    let rest = i;
    const at = new Array<number>(rank);
    for (let axis = rank - 1; axis >= 0; axis--) {
      const length = x.shape[axis] as number;
      at[axis] = rest % length;
      rest = Math.floor(rest / length);
    }
    found.push(...at);
  });
  const places = Uint32Array.from(found);
  const count = rank === 0 ? Number(data[0] !== 0) : places.length / rank;
  return tensor(x.device, places, [count, rank]);
}

async function valuesOf(op: string, x: Tensor): Promise<HostArray> {
  checkTensors(op, { x });
  const [values] = await readAll([x]);
  return values as HostArray;
}
