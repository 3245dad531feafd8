import { describe, expect, it } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import * as ops from '../../src/kernels/index.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { readAll } from '../../src/tensor/run/read.ts';
import { useDevice } from '../support/device.ts';
import { argument, hostTensor, tensorsOf } from './calls.ts';
import { type Case, casesOf, difference, type OpCases, type Values } from './cases.ts';

// NumPy and PyTorch judge every op that they have too: README.md says how the cases are made.

type Op = (...args: unknown[]) => unknown;
const public_ = ops as unknown as Readonly<Record<string, Op>>;

const groups = ['pointwise', 'reductions', 'layout', 'products', 'dtypes'];

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

const judged = groups.map((group) => [group, casesOf<OpCases>(group)] as const);

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
          const faults = await faultsOf(device.current, name, entry);
          if (faults.length > 0) {
            throw new Error(`${name}: ${faults.length} faults, first:\n${faults.slice(0, 4).join('\n')}`);
          }
        });
      }
    });
  }
});

/** Records all cases of an op, reads them at once, and compares. */
async function faultsOf(device: Device, name: string, { tolerance, relative, cases }: OpCases): Promise<string[]> {
  const faults: string[] = [];
  const asked: Tensor[] = [];
  const checks: ((read: readonly ArrayLike<number>[]) => void)[] = [];
  for (const [number, one] of cases.entries()) {
    const at = `case ${number}: ${name}(${shown(one)})`;
    try {
      const inputs = one.inputs.map((x) => hostTensor(device, x));
      const made = (public_[name] as Op)(...one.args.map((arg) => argument(arg, inputs, device)));
      const results = tensorsOf(made instanceof Promise ? await made : made);
      if (one.throws !== undefined) {
        faults.push(`${at} throws nothing, expected '${one.throws}'`);
        continue;
      }
      const wanted = one.results ?? [];
      expect(results.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
        wanted.map(({ shape, dtype = 'f32' }) => ({ shape, dtype })),
      );
      results.forEach((y, i) => {
        const place = asked.push(y) - 1;
        checks.push((read) => {
          const fault = difference(read[place] as Float32Array, wanted[i]?.data ?? [], tolerance.value, relative.value);
          if (fault) faults.push(`${at}: result ${i}: ${fault}`);
        });
      });
      if (!one.dys || !one.gradients) continue;
      const floats = results.filter(({ dtype }) => dtype === 'f32');
      const dys = one.dys.map((data, i) => hostTensor(device, { shape: (floats[i] as Tensor).shape, data }));
      const wrt = inputs.filter(({ dtype }, i) => dtype === 'f32' && !one.inputs[i]?.constant);
      gradients(floats, wrt, dys).forEach((dx, i) => {
        expect([dx.shape, dx.dtype]).toEqual([wrt[i]?.shape, 'f32']);
        const place = asked.push(dx) - 1;
        const want = one.gradients?.[i] ?? [];
        checks.push((read) => {
          const fault = difference(read[place] as Float32Array, want, tolerance.gradient, relative.gradient);
          if (fault) faults.push(`${at}: gradient ${i}: ${fault}`);
        });
      });
    } catch (error) {
      const { message } = error as Error;
      if (one.throws === undefined || !message.includes(one.throws)) faults.push(`${at}: ${message}`);
    }
  }
  const read = await readAll(asked);
  for (const check of checks) check(read);
  return faults;
}

/** The call as a reader sees it: `[2,3], {"axes":0}`. */
function shown({ args, inputs }: Case): string {
  const text = JSON.stringify(args).slice(1, -1);
  return text.replaceAll(/\{"input":(\d+)\}/g, (_, i) => {
    const { shape, data } = inputs[Number(i)] as Values;
    return `[${shape}] of ${data.slice(0, 12).join(' ')}${data.length > 12 ? ' …' : ''}`;
  });
}
