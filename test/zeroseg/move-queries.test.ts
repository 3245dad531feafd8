import { expect, it } from 'vitest';
import { read } from '../../src/tensor/read.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { moveQueries } from '../../src/zeroseg/move-queries.ts';
import { checkOp, type Ref, ref } from '../support/check-op.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const FACTOR = 4;

function unit(row: Float64Array): Float64Array {
  const length = Math.hypot(...row);
  return row.map((value) => value / length);
}

/** Queries and logits by loops over one image after the other. */
function reference(rounds: number, wanted: 'queries' | 'logits') {
  return ([queries, keys]: readonly Ref[]): Ref => {
    const [batch = 0, groups = 0, width = 0] = (queries as Ref).shape;
    const members = (keys as Ref).shape[1] as number;
    const out: number[] = [];
    for (let b = 0; b < batch; b++) {
      const rowsOf = ({ data }: Ref, count: number) =>
        Array.from({ length: count }, (_, i) => unit(data.slice((b * count + i) * width, (b * count + i + 1) * width)));
      let q = rowsOf(queries as Ref, groups);
      const k = rowsOf(keys as Ref, members);
      const cosines = () =>
        q.map((one) => k.map((key) => FACTOR * one.reduce((sum, value, c) => sum + value * (key[c] as number), 0)));
      for (let round = 0; round < rounds; round++) {
        const shares = cosines().map((row) => row.map(Math.exp));
        const totals = k.map((_, n) => shares.reduce((sum, row) => sum + (row[n] as number), 0));
        q = shares.map((row) => {
          const mean = new Float64Array(width);
          row.forEach((share, n) => {
            for (let c = 0; c < width; c++) mean[c]! += (share / (totals[n] as number)) * (k[n]![c] as number);
          });
          return unit(mean);
        });
      }
      if (wanted === 'logits') out.push(...cosines().flat());
      else for (const row of q) out.push(...row.map((value) => Math.sqrt(width) * value));
    }
    return ref(wanted === 'logits' ? [batch, groups, members] : [batch, groups, width], out);
  };
}

for (const rounds of [0, 1, 3]) {
  for (const wanted of ['queries', 'logits'] as const) {
    checkOp(
      `moveQueries, ${rounds} rounds, ${wanted}`,
      (queries, keys) => moveQueries(queries, keys, { scale: FACTOR, rounds })[wanted],
      {
        reference: reference(rounds, wanted),
        cases: [
          [
            [1, 2, 4],
            [1, 3, 4],
          ],
          [
            [3, 5, 12],
            [3, 33, 12],
          ],
        ],
        tolerance: { forward: 1e-5, gradient: 2e-4 },
      },
    );
  }
}

it('parts what the queries as given would leave together', async () => {
  // Two bundles of keys; both queries lie beside the first.
  const keys = tensor(device.current, Float32Array.of(1, 0.1, 1, -0.1, -0.9, 1, -1, 0.9), [1, 4, 2]);
  const queries = tensor(device.current, Float32Array.of(1, 0.2, 1, 0.9), [1, 2, 2]);
  const winners = async (rounds: number): Promise<number[]> => {
    const logits = await read(moveQueries(queries, keys, { scale: 8, rounds }).logits);
    return [0, 1, 2, 3].map((n) => Number((logits[4 + n] as number) > (logits[n] as number)));
  };
  expect(await winners(3)).toEqual([0, 0, 1, 1]);
});

it('says which shapes do not fit', () => {
  const of = (...shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b)), shape);
  expect(() => moveQueries(of(1, 2, 4), of(1, 3, 5), { scale: 1, rounds: 1 })).toThrow(/moveQueries.*keys/s);
});
