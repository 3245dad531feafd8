import { expect, test } from 'vitest';
import { rounded } from '../../../src/zeroseg/host/index.ts';

test('fractions and scores have six digits, counts all of theirs', () => {
  const found = {
    fraction: 0.7504882812500001,
    tiny: 1.23456789e-9,
    pixels: 123456789,
    none: null,
    list: [1 / 3, 'a'],
  };
  expect(rounded(found)).toEqual({
    fraction: 0.750488,
    tiny: 1.23457e-9,
    pixels: 123456789,
    none: null,
    list: [0.333333, 'a'],
  });
});
