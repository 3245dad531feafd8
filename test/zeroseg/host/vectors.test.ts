import { describe, expect, it } from 'vitest';
import { median } from '../../../src/tensor/values/median.ts';
import { meanOf } from '../../../src/zeroseg/host/statistics.ts';
import { argmax, argmaxColumns, dot, entropy, largest, softmax } from '../../../src/zeroseg/host/vectors.ts';

describe('vectors', () => {
  it('the largest, the first on ties', () => {
    expect(argmax([1, 3, 3, 2])).toBe(1);
    expect(largest([1, 3, 3, 2], 3)).toEqual([1, 2, 3]);
  });

  it('the largest of each column, also of a map inside of others', () => {
    expect([...argmaxColumns([9, 9, 9, 1, 5, 2, 4, 5, 3], 2, 3, 3)]).toEqual([1, 0, 1]);
  });

  it('a dot product of parts', () => {
    expect(dot([1, 2, 3], [4, 5, 6])).toBe(32);
    expect(dot([0, 1, 2], [9, 3, 4], 2, 1, 1)).toBe(11);
  });

  it('softmax over what is kept, also of large values', () => {
    expect([...softmax([1000, 1000, 5])]).toEqual([0.5, 0.5, 0]);
    expect([...softmax([0, 7, 0], 3, (i) => i !== 1)]).toEqual([0.5, 0, 0.5]);
  });

  it('entropy in nats; what is certain has none', () => {
    expect(entropy([0.5, 0.5])).toBeCloseTo(Math.log(2), 12);
    expect(entropy([0, 1])).toBe(0);
  });
});

describe('statistics', () => {
  it('the mean of what is there', () => {
    expect([meanOf([1, null, 4]), meanOf([null])]).toEqual([2.5, null]);
  });

  it('the middle, of an even number that of two', () => {
    expect([median([9, 1, 5]), median([4, 1, 9, 2]), median([])]).toEqual([5, 3, Number.NaN]);
  });
});
