import type { Work } from '../../cli/src/bench/work.ts';
import { type Rates, secondsOf } from '../../cli/src/plan/rates.ts';

const none: Work = { products: 0, smallProducts: 0, attention: 0, optimizer: 0, other: 0, launches: 0 };

/** Seconds for each FLOP, byte and launch: what a processor might take. */
export const madeUpRates: Rates = {
  products: 2e-11,
  smallProducts: 4e-11,
  attention: 5e-11,
  optimizer: 1e-10,
  other: 3e-10,
  launches: 2e-5,
};

/** A benchmark as `zeroseg bench --json` writes it, of a device on which work takes just what `rates` say: twice that of the wall clock, and of two cores. */
export function benchmarkOf(rates: Rates): object {
  const row = (name: string, done: Partial<Work>) => {
    const work = { ...none, ...done };
    const ms = 1e3 * secondsOf(work, rates);
    return { name, gpuMs: null, least: { ms: ms / 2, processorMs: ms }, work };
  };
  return {
    ...{ version: '1', adapter: 'llvmpipe of a test', software: true, clock: 'processor', features: ['subgroups'] },
    device: {
      adapter: {
        ...{ vendor: 'mesa', architecture: '', device: '', description: 'llvmpipe of a test' },
        ...{ subgroupMinSize: 8, subgroupMaxSize: 8, isFallbackAdapter: false },
      },
      limits: { maxBufferSize: 2 ** 30, maxStorageBufferBindingSize: 2 ** 27, minStorageBufferOffsetAlignment: 16 },
    },
    // Twice what work reaches.
    limits: { dispatchUs: 5, perMs: { flops: 5e-4 / rates.products, bytes: 5e-4 / rates.other } },
    rows: [
      row('matmul', { products: 2e9, launches: 1 }),
      row('attention', { attention: 1e9, other: 1e6, launches: 2 }),
      row('layerNorm', { other: 1e8, launches: 1 }),
      row('AdamW', { optimizer: 3e8, launches: 3 }),
      row('ZeroSeg small, training step', {
        smallProducts: 3e9,
        attention: 2e8,
        optimizer: 1e7,
        other: 5e7,
        launches: 480,
      }),
      row('ZeroSeg smaller, training step', {
        smallProducts: 1e8,
        attention: 1e8,
        optimizer: 3e7,
        other: 2e7,
        launches: 500,
      }),
    ],
  };
}
