import { expect, it } from 'vitest';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { sphericalKMeans } from '../../../src/zeroseg/model/spherical-k-means.ts';
import { checkOp, type OpCase, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { referenceMedoids } from '../../support/medoids.ts';

const device = useDevice();
const FACTOR = 4;

function unit(row: Float64Array): Float64Array {
  const length = Math.hypot(...row);
  return row.map((value) => value / length);
}

const cosines = (q: Float64Array[], k: Float64Array[]) =>
  q.map((one) => k.map((key) => FACTOR * one.reduce((sum, value, c) => sum + value * (key[c] as number), 0)));

/** One round of k-means. */
function moved(q: Float64Array[], k: Float64Array[]): Float64Array[] {
  const fractions = cosines(q, k).map((row) => row.map(Math.exp));
  const totals = k.map((_, n) => fractions.reduce((sum, row) => sum + (row[n] as number), 0));
  return fractions.map((row) => {
    const mean = new Float64Array(q[0]!.length);
    row.forEach((fraction, n) => {
      mean.forEach((_, c) => {
        mean[c]! += (fraction / (totals[n] as number)) * (k[n]![c] as number);
      });
    });
    return unit(mean);
  });
}

/** Unit rows of image `b`. */
function rowsOf({ shape, data }: Ref, b: number): Float64Array[] {
  const [, count = 0, width = 0] = shape;
  return Array.from({ length: count }, (_, i) =>
    unit(data.slice((b * count + i) * width, (b * count + i + 1) * width)),
  );
}

/**
 * Queries and logits by loops over one image after the other. Differences of it give the gradient that is wanted: where the iterations
 * before the last arrive is found once, for the inputs of the first call, and moves only with the queries as given.
 */
function reference(iterations: number, wanted: 'queries' | 'logits') {
  const firstCalls = new WeakMap<OpCase, readonly Ref[]>();
  return (inputs: readonly Ref[], of: OpCase): Ref => {
    const first = firstCalls.get(of) ?? inputs;
    firstCalls.set(of, first);
    const [queries, keys] = inputs;
    const [batch = 0, groups = 0, width = 0] = (queries as Ref).shape;
    const members = (keys as Ref).shape[1] as number;
    const out: number[] = [];
    for (let b = 0; b < batch; b++) {
      const given = rowsOf(queries as Ref, b);
      const k = rowsOf(keys as Ref, b);
      const [givenFirst, kFirst] = first.map((x) => rowsOf(x, b)) as [Float64Array[], Float64Array[]];
      let q = givenFirst;
      for (let iteration = 1; iteration < iterations; iteration++) q = moved(q, kFirst);
      q = q.map((row, g) => row.map((value, c) => value + given[g]![c]! - givenFirst[g]![c]!));
      if (iterations > 0) q = moved(q, k);
      if (wanted === 'logits') out.push(...cosines(q, k).flat());
      else for (const row of q) out.push(...row.map((value) => Math.sqrt(width) * value));
    }
    return ref(wanted === 'logits' ? [batch, groups, members] : [batch, groups, width], out);
  };
}

/**
 * As above, from medoids: they, and where the iterations before the last arrive, are found once, for the inputs of the first call. The
 * given queries only say how many.
 */
function fromMedoids(iterations: number, wanted: 'queries' | 'logits') {
  const firstCalls = new WeakMap<OpCase, Float64Array[][]>();
  return ([queries, keys]: readonly Ref[], of: OpCase): Ref => {
    const [batch = 0, groups = 0, width = 0] = (queries as Ref).shape;
    const members = (keys as Ref).shape[1] as number;
    const images = Array.from({ length: batch }, (_, b) => rowsOf(keys as Ref, b));
    const arrived = firstCalls.get(of) ?? images.map((k) => repeated(iterations - 1, medoidRows(k, groups), k));
    firstCalls.set(of, arrived);
    const found = arrived.map((q, b) => repeated(Math.min(iterations, 1), q, images[b] as Float64Array[]));
    const out = found.flatMap((q, b) =>
      wanted === 'logits'
        ? cosines(q, images[b] as Float64Array[]).flat()
        : q.flatMap((row) => [...row].map((value) => Math.sqrt(width) * value)),
    );
    return ref(wanted === 'logits' ? [batch, groups, members] : [batch, groups, width], out);
  };
}

function repeated(iterations: number, q: Float64Array[], k: Float64Array[]): Float64Array[] {
  let result = q;
  for (let iteration = 0; iteration < iterations; iteration++) result = moved(result, k);
  return result;
}

function medoidRows(k: Float64Array[], count: number): Float64Array[] {
  const similarity = k.flatMap((a) => k.map((b) => a.reduce((sum, value, c) => sum + value * (b[c] as number), 0)));
  return referenceMedoids(similarity, count).map((m) => k[m] as Float64Array);
}

for (const [init, referenceFrom] of [
  ['queries', reference],
  ['medoids', fromMedoids],
] as const) {
  for (const iterations of [0, 1, 3]) {
    for (const wanted of ['queries', 'logits'] as const) {
      checkOp(
        `sphericalKMeans from ${init}, ${iterations} iterations, ${wanted}`,
        (queries, keys) => sphericalKMeans(queries, keys, { scale: FACTOR, iterations, init })[wanted],
        {
          reference: referenceFrom(iterations, wanted),
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
}

it('parts what the queries as given would leave together', async () => {
  // Two bundles of keys; both queries are nearer to the first.
  const keys = tensor(device.current, Float32Array.of(1, 0.1, 1, -0.1, -0.9, 1, -1, 0.9), [1, 4, 2]);
  const queries = tensor(device.current, Float32Array.of(1, -0.36, 1, -0.84), [1, 2, 2]);
  const winners = async (iterations: number): Promise<number[]> => {
    const logits = await read(sphericalKMeans(queries, keys, { scale: 8, iterations }).logits);
    return [0, 1, 2, 3].map((n) => Number((logits[4 + n] as number) > (logits[n] as number)));
  };
  expect(await winners(0)).toEqual([0, 0, 0, 0]);
  expect(await winners(3)).toEqual([0, 0, 1, 1]);
});

it('finds what is small where the queries as given do not', async () => {
  // Ten keys in a fan, and one across: all queries lie in the fan.
  const fan = Array.from({ length: 10 }, (_, i) => [Math.cos(i / 12), Math.sin(i / 12)]).flat();
  const keys = tensor(device.current, Float32Array.from([...fan, -0.6, 0.8]), [1, 11, 2]);
  const queries = tensor(device.current, Float32Array.from([1, 0, 0.9, 0.3]), [1, 2, 2]);
  const alone = async (init: 'queries' | 'medoids'): Promise<boolean> => {
    const logits = await read(sphericalKMeans(queries, keys, { scale: 8, iterations: 3, init }).logits);
    const winner = (n: number): boolean => (logits[11 + n] as number) > (logits[n] as number);
    return Array.from({ length: 10 }, (_, n) => n).every((n) => winner(n) !== winner(10));
  };
  expect(await alone('queries')).toBe(false);
  expect(await alone('medoids')).toBe(true);
});

it('says which shapes do not fit', () => {
  const of = (...shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b)), shape);
  expect(() => sphericalKMeans(of(1, 2, 4), of(1, 3, 5), { scale: 1, iterations: 1 })).toThrow(
    /sphericalKMeans.*keys/s,
  );
});
