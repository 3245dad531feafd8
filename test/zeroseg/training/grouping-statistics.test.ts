import { describe, expect, it } from 'vitest';
import { groupingStatistics } from '../../../src/zeroseg/training/grouping-statistics.ts';

const sizes = { groups: [2, 2], members: 3, withCls: false, grids: [1, 2, 3] } as const;

describe('groupingStatistics', () => {
  it('counts groups and segments in use, entropy and grids, as means over images', () => {
    // The first image uses both groups, which end in one segment; the second uses one group, and cannot tell in stage two.
    const first = [1, 0, 1, 0, 1, 0, 1, 1, 0.5, 0, 0, 0.5];
    const second = [1, 1, 0, 0, 0.5, 0.5, 0.5, 0.5];
    const watched = groupingStatistics([{ first, second, nearest: [0, 3, 4, 12] }], sizes);
    expect(watched).toEqual({
      groupsFirst: 1.5,
      groups: 1,
      entropyFirst: Math.log(2) / 6,
      entropySecond: Math.log(2) / 2,
      nearest: { '2x2': 0.5, '3x3': 0.5 },
    });
  });

  it('gives the same for a batch and for its micro-batches', () => {
    const [a, b] = [
      [0.2, 0.7, 0.4, 0.8, 0.3, 0.6],
      [0.9, 0.1, 0.5, 0.1, 0.9, 0.5],
    ];
    const [c, d] = [
      [0.6, 0.3, 0.4, 0.7],
      [0.1, 0.8, 0.9, 0.2],
    ];
    const whole = groupingStatistics([{ first: [...a, ...b], second: [...c, ...d], nearest: [0, 1, 5, 5] }], sizes);
    const parts = groupingStatistics(
      [
        { first: a, second: c, nearest: [0, 1] },
        { first: b, second: d, nearest: [5, 5] },
      ],
      sizes,
    );
    expect(parts.groups).toBe(whole.groups);
    expect(parts.entropyFirst).toBeCloseTo(whole.entropyFirst, 12);
    expect(parts.nearest).toEqual({ '2x2': 0.5, '3x3': 0.5 });
  });

  it('leaves the class token out of the groups, and grids where there is no local view', () => {
    // Only the class token, which is the first member, goes to the second group.
    const watched = groupingStatistics([{ first: [0, 1, 1, 1, 0, 0], second: [1, 0, 0, 1] }], {
      ...sizes,
      withCls: true,
    });
    expect(watched).toEqual({ groupsFirst: 1, groups: 1, entropyFirst: 0, entropySecond: 0, nearest: {} });
  });

  it('refuses a view that there is not', () => {
    const values = { first: [1, 1, 1, 0, 0, 0], second: [1, 1, 0, 0], nearest: [13] };
    expect(() => groupingStatistics([values], sizes)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: groupingStatistics: view 13 is none of the 13 local ones]`,
    );
  });
});
