import { expect, it } from 'vitest';
import { firstRepeated } from '../../../src/zeroseg/host/first-repeated.ts';

it('finds the first item that was there before', () => {
  expect(firstRepeated(['cat', 'dog', 'owl', 'dog', 'cat'])).toBe('dog');
  expect(firstRepeated(['cat', 'dog'])).toBe(undefined);
  expect(firstRepeated([])).toBe(undefined);
});
