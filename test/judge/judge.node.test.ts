import { describe, expect, it } from 'vitest';
import * as ops from '../../src/kernels/index.ts';
import { useDevice } from '../support/device.ts';
import { judge, judged } from './judging.ts';

// NumPy and PyTorch judge every op that they have too: README.md says how the cases are made.

/** What neither has, or has no values to compare. */
const without: Readonly<Record<string, string>> = {
  assign: 'is no function of values',
  dropout: 'has numbers of its own',
  interpolatePositions: 'is of this library',
  mlp: 'is two linear',
  patchNormalize: 'is of this library',
  patchify: 'is of this library',
  randomBernoulli: 'has numbers of its own',
  randomCategorical: 'has numbers of its own',
  randomGumbel: 'has numbers of its own',
  randomInteger: 'has numbers of its own',
  randomNormal: 'has numbers of its own',
  randomPermutation: 'has numbers of its own',
  randomUniform: 'has numbers of its own',
  stopGradient: 'has no value of its own',
  straightThrough: 'has no value of its own',
  tune: 'is no op',
  unpatchify: 'is of this library',
};

describe('judged by NumPy and PyTorch', () => {
  const device = useDevice();

  it('has cases of every public op', () => {
    const known = new Set([...judged.flatMap(([, cases]) => Object.keys(cases)), ...Object.keys(without)]);
    expect(Object.keys(ops).filter((name) => !known.has(name))).toEqual([]);
  });

  for (const [group, cases] of judged) {
    describe(group, () => {
      for (const [name, entry] of Object.entries(cases)) {
        it(`${name}: ${entry.cases.length} cases`, async () => {
          const mode = { float: 'f32', order: 1, tolerance: entry.tolerance } as const;
          const { faults } = await judge(device.current, name, entry, mode);
          expect(faults).toEqual([]);
        });
      }
    });
  }
});
