import { describe, expect, it } from 'vitest';
import { tensor } from '../../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../../src/tensor/run/read.ts';
import { viewCount, viewRows } from '../../../../src/zeroseg/image/grid-views.ts';
import { resolveConfig, tinyConfig } from '../../../../src/zeroseg/model/config.ts';
import type { ZeroSegConfig } from '../../../../src/zeroseg/model/config-groups.ts';
import { losses, lossTerms, weightedTerms, weightOf } from '../../../../src/zeroseg/model/losses/losses.ts';
import { groupingStatistics } from '../../../../src/zeroseg/training/grouping-statistics.ts';
import { close, seeded } from '../../../support/check-op.ts';
import { useDevice } from '../../../support/device.ts';

const device = useDevice();

const [BATCH, SEGMENTS, WIDTH] = [2, 3, 5];
/** Grids in every kind of order: 1 first, in the middle, last, alone, twice, nowhere. */
const orders: readonly (readonly number[])[] = [
  [1],
  [1, 2],
  [1, 2, 3, 4],
  [2, 1, 3],
  [3, 1],
  [3, 2, 1],
  [4, 1, 2],
  [2, 1, 3, 1],
  [1, 1, 2],
  [2],
  [3, 2],
  [2, 2],
  // Overlapping ones: no matter of these losses.
  [1, 2, 8 / 3],
  [2, 8 / 3, 1],
  [1.5, 3, 1],
  [1.5],
];

const numbers = (seed: number, n: number) => {
  const random = seeded(seed);
  return Float32Array.from({ length: n }, () => 2 * random() - 1);
};

/** The grid of each view, in order. */
const gridOf = (grids: readonly number[]) => grids.flatMap((k) => new Array<number>(viewCount([k])).fill(k));

interface Inputs {
  readonly segments: Float32Array;
  readonly global: Float32Array;
  readonly views: Float32Array;
}

function inputsOf(grids: readonly number[]): Inputs {
  const views = numbers(7, BATCH * viewCount(grids) * WIDTH);
  return { segments: numbers(1, BATCH * SEGMENTS * WIDTH), global: numbers(2, BATCH * WIDTH), views };
}

/** Section 8 in float64, word by word: matching never sees the whole image, and `first` sees nothing else. */
function reference({ grids, distill_views }: ZeroSegConfig, { segments, global, views }: Inputs) {
  const of = gridOf(grids);
  const local = of.flatMap((k, j) => (k === 1 || !Number.isInteger(k) ? [] : [j]));
  const seen = distill_views === 'all' ? of.flatMap((k, j) => (Number.isInteger(k) ? [j] : [])) : [of.indexOf(1)];
  const l1 = (a: Float32Array, at: number, b: number, j: number) => {
    let sum = 0;
    for (let c = 0; c < WIDTH; c++) {
      sum += Math.abs((a[at * WIDTH + c] as number) - (views[(b * of.length + j) * WIDTH + c] as number)) / WIDTH;
    }
    return sum;
  };
  let [distill, match] = [0, 0];
  const index: number[] = [];
  for (let b = 0; b < BATCH; b++) {
    for (const j of seen) distill += l1(global, b, b, j) / (BATCH * seen.length);
    for (let i = 0; i < SEGMENTS && local.length > 0; i++) {
      const distances = local.map((j) => l1(segments, b * SEGMENTS + i, b, j));
      const min = Math.min(...distances);
      match += min / BATCH;
      index.push(distances.indexOf(min));
    }
  }
  return { distill, match, index, local: local.length };
}

function compute(
  config: ZeroSegConfig,
  { segments, global, views }: Inputs,
  trace?: (name: string, t: Tensor) => void,
) {
  const on = (data: Float32Array, shape: number[]) => tensor(device.current, data, shape);
  const assigns = [numbers(3, BATCH * 4 * 16), numbers(4, BATCH * SEGMENTS * 4)].map((v) => v.map(Math.abs));
  return losses(
    config,
    {
      image: on(numbers(5, BATCH * 3 * 64), [BATCH, 3, 8, 8]),
      pred: on(numbers(6, BATCH * 16 * 12), [BATCH, 16, 12]),
      mask: tensor(
        device.current,
        Float32Array.from({ length: BATCH * 16 }, (_, i) => i % 2),
        [BATCH, 16],
      ),
      segments: on(segments, [BATCH, SEGMENTS, WIDTH]),
      global: on(global, [BATCH, WIDTH]),
      views: on(views, [BATCH, views.length / (BATCH * WIDTH), WIDTH]),
      assigns: [on(assigns[0] as Float32Array, [BATCH, 4, 16]), on(assigns[1] as Float32Array, [BATCH, SEGMENTS, 4])],
      idsRestore: tensor(
        device.current,
        Uint32Array.from({ length: BATCH * 16 }, (_, i) => i % 16),
        [BATCH, 16],
      ),
    },
    trace,
  );
}

const base = { image: 8, patch: 2, clip_dim: WIDTH, output_groups: [4, SEGMENTS], w_compose: 1 };
const configOf = (changes: Partial<ZeroSegConfig>) => resolveConfig({ ...base, ...changes }, tinyConfig);

describe('grids in any order', () => {
  for (const grids of orders) {
    for (const distill_views of ['all', 'first'] as const) {
      const name = `${grids.join(', ')}, distilled to ${distill_views}`;
      if (distill_views === 'first' && !grids.includes(1)) {
        it(`${name}: refused`, () => {
          expect(() => configOf({ grids, distill_views })).toThrowError(
            `configuration: 'distill_views' first is the view of the whole image; 'grids' [${grids.join(', ')}] has no 1`,
          );
        });
        continue;
      }
      it(name, async () => {
        const config = configOf({ grids, distill_views });
        const inputs = inputsOf(grids);
        const want = reference(config, inputs);
        const seen = new Map<string, Tensor>();
        const found = compute(config, inputs, (key, t) => seen.set(key, t));
        const [distill, match] = await readAll([found.terms['distill'], found.terms['match']] as Tensor[]);
        close(distill as Float32Array, [want.distill], 1e-6, 'distill');
        close(match as Float32Array, [want.match], 1e-6, 'match');
        expect(seen.get('match_distance')?.shape).toEqual(want.local ? [BATCH, SEGMENTS, want.local] : undefined);
        const [index] = found.matchIndex ? await readAll([found.matchIndex]) : [[]];
        expect([...(index as ArrayLike<number> as Uint32Array)]).toEqual(want.index);

        // The statistics count the same views, by the same numbers.
        const first = new Float32Array(BATCH * 2).fill(1);
        const { nearest } = groupingStatistics([{ first, second: first, nearest: want.index }], {
          groups: [1, 2],
          members: 2,
          withCls: false,
          grids,
        });
        const localGrid = gridOf(grids).filter((k) => k > 1 && Number.isInteger(k));
        const fraction = (k: number) => want.index.filter((j) => localGrid[j] === k).length / want.index.length;
        expect(nearest).toEqual(Object.fromEntries(localGrid.map((k) => [`${k}x${k}`, fraction(k)])));
      });
    }
  }

  it('changes nothing but the order of the views', async () => {
    const [one, other] = [
      [1, 2, 3, 4],
      [3, 1, 4, 2],
    ] as const;
    const inputs = inputsOf(one);
    const starts = new Map(one.map((k, g) => [k as number, viewCount(one.slice(0, g + 1)) - k * k]));
    const rows = other.flatMap((k) => Array.from({ length: k * k }, (_, i) => (starts.get(k) as number) + i));
    const views = new Float32Array(inputs.views.length);
    for (let b = 0; b < BATCH; b++) {
      rows.forEach((row, j) => {
        const from = (b * rows.length + row) * WIDTH;
        views.set(inputs.views.subarray(from, from + WIDTH), (b * rows.length + j) * WIDTH);
      });
    }
    for (const distill_views of ['all', 'first'] as const) {
      const a = compute(configOf({ grids: one, distill_views }), inputs);
      const b = compute(configOf({ grids: other, distill_views }), { ...inputs, views });
      const values = await readAll(lossTerms.flatMap(({ name }) => [a.terms[name], b.terms[name]] as Tensor[]));
      lossTerms.forEach(({ name }, i) => {
        close(values[2 * i] as Float32Array, values[2 * i + 1] as Float32Array, 1e-6, `${name}, ${distill_views}`);
      });
    }
  });

  it('has views for all grids, and no others', () => {
    const config = configOf({ grids: [1, 2] });
    expect(() => compute(config, inputsOf([1, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: losses: grids 1, 2 have 5 views; got 10; got views [2, 10, 5]]`,
    );
  });

  it('finds the whole and the parts', () => {
    for (const grids of orders) {
      const of = gridOf(grids);
      const { whole, local } = viewRows(grids);
      expect(whole ?? -1).toBe(of.indexOf(1));
      const rows = local.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
      expect(rows).toEqual(of.flatMap((k, j) => (k === 1 || !Number.isInteger(k) ? [] : [j])));
    }
  });
});

describe('weighted terms', () => {
  const weights = [
    {},
    { w_rec: 0.1, w_dist: 2, w_match: 0.5, w_compose: 8 },
    { w_rec: 0, w_compose: 3 },
    { w_dist: 0, w_match: 0, w_compose: 0 },
    { w_rec: 0, w_dist: 0, w_match: 0, w_compose: 0 },
  ];
  it.each(weights)('%o sum to the loss', async (given) => {
    const config = configOf({ ...given, grids: [2, 1] });
    const found = compute(config, inputsOf([2, 1]));
    const all = await readAll([found.total, ...lossTerms.map(({ name }) => found.terms[name] as Tensor)]);
    const [total, ...values] = all.map((one) => (one as Float32Array)[0] as number);
    const terms = Object.fromEntries(lossTerms.map(({ name }, i) => [name, values[i]])) as Parameters<
      typeof weightedTerms
    >[1];
    const weighted = weightedTerms(config, terms);
    expect(weighted.map(({ name }) => name)).toEqual(
      lossTerms.filter((term) => weightOf(config, term) > 0).map(({ name }) => name),
    );
    const sum = weighted.reduce((all, { value }) => all + value, 0);
    expect(Math.abs(sum - (total as number))).toBeLessThanOrEqual(1e-6 * Math.abs(sum));
  });
});
