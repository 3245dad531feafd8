import { describe, expect, it } from 'vitest';
import { learningRate, scaledRate } from '../../../src/nn/optimizer/schedule.ts';

describe('learningRate', () => {
  // The rates of the reference, for 1.5e-4 at 4096 images, 20 of 80 epochs of warm-up.
  it.each([
    [0, 0],
    [0.5, 5.9999999999999995e-5],
    [10, 0.0012],
    [20, 0.0024],
    [20.25, 0.002399897193088808],
    [50, 0.0012000000000000001],
    [79.99, 1.644934028988132e-10],
    [80, 0],
    [90, 0],
  ])('epoch %d', (epoch, wanted) => {
    const lr = learningRate({ epoch, base: 1.5e-4, batch: 4096, warmup: 20, epochs: 80 });
    expect(Math.abs(lr - wanted)).toBeLessThanOrEqual(1e-12 * 0.0024);
  });

  it('ends at the lowest rate', () => {
    const rest = { base: 1e-3, batch: 256, warmup: 0, epochs: 10, min: 1e-5 };
    expect(learningRate({ ...rest, epoch: 0 })).toBeCloseTo(1e-3, 12);
    expect(learningRate({ ...rest, epoch: 5 })).toBeCloseTo((1e-3 + 1e-5) / 2, 12);
    expect(learningRate({ ...rest, epoch: 10 })).toBeCloseTo(1e-5, 12);
  });

  it('may be all warm-up', () => {
    const rest = { base: 1, batch: 256, warmup: 20, epochs: 1 };
    expect(learningRate({ ...rest, epoch: 0.5 })).toBe(0.025);
    expect(scaledRate(1.5e-4, 4096)).toBeCloseTo(2.4e-3, 15);
  });

  it.each(['epoch', 'base', 'batch', 'warmup', 'epochs', 'min'])('refuses nonsense as %s', (name) => {
    const good = { epoch: 1, base: 1, batch: 256, warmup: 2, epochs: 10, min: 0 };
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, '1', null]) {
      expect(() => learningRate({ ...good, [name]: value })).toThrow(
        new RegExp(`^learningRate: ${name} must be a finite number`),
      );
    }
    expect(Number.isFinite(learningRate({ ...good, [name]: 1 }))).toBe(true);
  });
});
