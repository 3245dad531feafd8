import { describe, expect, it } from 'vitest';
import { useDevice } from '../support/device.ts';
import type { OpCases } from './cases.ts';
import { isFor, judge, judged, KnownKernels } from './judging.ts';

// The judges' cases in f16, where that has all numbers of the inputs: what is computed of them in float64 stays the same.

/** Half of what lies between two neighbours, of a number of f16. */
const ROUNDING = 2 ** -11;

/** How many roundings a result or a gradient has, where these are not one (the result alone) or three. */
const roundings: Readonly<Record<string, Partial<OpCases['tolerance']>>> = {
  attention: { value: 4, gradient: 6 },
  // By ops, one after the other.
  batchNormEval: { value: 3 },
  glu: { value: 2 },
};

/** Ops that are left out, with the reason. */
const without: Readonly<Record<string, string>> = {
  qkvAttention: 'is attention of parts of a tensor; its kernels take a minute to compile on lavapipe',
};

const mode = { float: 'f16', order: 1 } as const;

describe('judged in f16', () => {
  const device = useDevice();
  const kernels = new KnownKernels();
  for (const [group, cases] of judged) {
    describe(group, () => {
      for (const [name, entry] of Object.entries(cases)) {
        if (name in without || !entry.cases.some((one) => isFor(one, mode))) continue;
        it(name, async ({ skip }) => {
          skip(!device.current.features.has('shader-f16'), 'this device has no f16');
          const { value = 1, gradient = 3 } = roundings[name] ?? {};
          const tolerance = {
            value: entry.tolerance.value + value * ROUNDING,
            gradient: entry.tolerance.gradient + gradient * ROUNDING,
          };
          const { faults, judged } = await judge(device.current, name, entry, { ...mode, tolerance, kernels });
          expect(faults).toEqual([]);
          expect(judged).toBeGreaterThan(0);
        });
      }
    });
  }

  // 0.586 as measured, on demand all: what falls below leaves out more than it did.
  it('has judged at least 57 of 100 cases', ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'this device has no f16');
    expect(kernels.share).toBeGreaterThan(0.57);
  });
});
