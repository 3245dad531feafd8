import { expect } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import * as ops from '../../src/kernels/index.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { collect } from '../../src/tensor/run/lifetimes.ts';
import { readAll } from '../../src/tensor/run/read.ts';
import { fromHalf, toHalf } from '../../src/tensor/values/half.ts';
import { argument, hostTensor, tensorsOf } from './calls.ts';
import {
  type Case,
  casesOf,
  difference,
  made,
  numberOf,
  type OpCases,
  ranges,
  type Value,
  type Values,
} from './cases.ts';

type Op = (...args: unknown[]) => unknown;
const public_ = ops as unknown as Readonly<Record<string, Op>>;

const groups = ['pointwise', 'reductions', 'layout', 'products', 'dtypes'];

/** The cases of all ops, by group. */
export const judged: readonly (readonly [group: string, ops: Readonly<Record<string, OpCases>>])[] = groups.map(
  (group) => [group, casesOf<OpCases>(group)] as const,
);

/** Losses, which are f32 of f16, too. */
const losses = [
  'mse',
  'l1',
  'crossEntropy',
  'huber',
  'binaryCrossEntropyWithLogits',
  'klDivergence',
  'cosineEmbeddingLoss',
  'nllLoss',
  'gaussianNll',
  'tripletMarginLoss',
];

/** Inputs that are f32 beside f16. */
const wideInputs: Readonly<Record<string, number>> = { rotaryEmbedding: 1 };

export interface Mode {
  /** What the f32 of the cases are here. */
  readonly float: 'f32' | 'f16';
  /** What is compared: values and gradients, or gradients of gradients. */
  readonly order: 1 | 2;
}

interface Judging extends Mode {
  readonly tolerance: OpCases['tolerance'];
  /** Leaves out cases, after an op's first, that would compile a kernel of their own; not of those that are made on demand. */
  readonly kernels?: KnownKernels;
}

/** Kernels that were compiled, of all ops. Compiling them takes most of the time. */
export class KnownKernels {
  readonly #numbers = new Map<Kernel, number>();
  readonly #known = new Set<string>();
  #admitted = 0;
  #asked = 0;

  /** The part of the cases so far that was admitted. */
  get share(): number {
    return this.#admitted / this.#asked;
  }

  /** Adds those that tensors need, unless one is new and none may be. Returns whether it did. */
  admit(tensors: readonly Tensor[], mayBeNew: boolean): boolean {
    const written = tensors.filter(({ size }) => size > 0);
    const keys = collect(written, []).map(({ kernel, element, constants }) => {
      if (!this.#numbers.has(kernel)) this.#numbers.set(kernel, this.#numbers.size);
      return `${this.#numbers.get(kernel)} ${element} ${JSON.stringify(constants)}`;
    });
    this.#asked++;
    if (!mayBeNew && keys.some((key) => !this.#known.has(key))) return false;
    this.#admitted++;
    for (const key of keys) this.#known.add(key);
    return true;
  }
}

/** Records the cases of an op, reads them at once, and compares. */
export async function judge(
  device: Device,
  name: string,
  entry: OpCases,
  { float, order, tolerance, kernels }: Judging,
): Promise<{ faults: string[]; judged: number }> {
  const faults: string[] = [];
  const asked: Tensor[] = [];
  const checks: ((read: readonly ArrayLike<number>[]) => void)[] = [];
  let judged = 0;
  for (const [number, one] of entry.cases.entries()) {
    if (!isFor(one, { float, order })) continue;
    const at = `case ${number}: ${name}(${shown(one)})`;
    try {
      const compared = await record(device, name, one, { float, order });
      if (one.throws !== undefined) {
        faults.push(`${at} throws nothing, expected '${one.throws}'`);
        continue;
      }
      const tensors = compared.map(({ got }) => got);
      if (kernels && !kernels.admit(tensors, judged === 0 || made !== undefined)) continue;
      judged++;
      for (const { got, want, kind, what } of compared) {
        const place = asked.push(got) - 1;
        checks.push((read) => {
          const range = ranges[got.dtype === 'f16' ? 'f16' : 'f32'];
          const isRelative = entry.relative[kind] && order === 1;
          const fault = difference(read[place] as Float32Array, want, tolerance[kind], isRelative, range);
          if (fault) faults.push(`${at}: ${what}: ${fault}`);
        });
      }
    } catch (error) {
      const { message } = error as Error;
      if (one.throws === undefined || !message.includes(one.throws)) faults.push(`${at}: ${message}`);
    }
  }
  const read = await readAll(asked);
  for (const check of checks) check(read);
  return { faults, judged };
}

interface Compared {
  readonly got: Tensor;
  readonly want: readonly Value[];
  readonly kind: 'value' | 'gradient';
  readonly what: string;
}

/** Calls the op and asks for its gradients. */
async function record(device: Device, name: string, one: Case, { float, order }: Mode): Promise<Compared[]> {
  const isOf = ({ dtype = 'f32' }: Values) => dtype === 'f32';
  const dtypeOf = (x: Values) => (isOf(x) ? float : x.dtype);
  const inputs = one.inputs.map((x, i) =>
    hostTensor(device, wideInputs[name] === i ? x : { ...x, dtype: dtypeOf(x) as string }),
  );
  const returned = (public_[name] as Op)(...one.args.map((arg) => argument(arg, inputs, device)));
  const results = tensorsOf(returned instanceof Promise ? await returned : returned);
  const wanted = one.results ?? [];
  if (one.throws !== undefined) return [];
  expect(results.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    wanted.map((y) => ({ shape: y.shape, dtype: losses.includes(name) ? 'f32' : dtypeOf(y) })),
  );
  const values = results.map((got, i): Compared => {
    return { got, want: wanted[i]?.data ?? [], kind: 'value', what: `result ${i}` };
  });
  if (!one.dys || !one.gradients) return values;
  const floats = results.filter((_, i) => isOf(wanted[i] as Values));
  const tensorLike = (like: Tensor, data: readonly Value[]) =>
    hostTensor(device, { shape: like.shape, data, dtype: like.dtype });
  const dys = one.dys.map((data, i) => tensorLike(floats[i] as Tensor, data));
  const wrt = inputs.filter((_, i) => isOf(one.inputs[i] as Values) && !one.inputs[i]?.constant);
  const first = gradients(floats, wrt, dys);
  expect(first.map(String)).toEqual(wrt.map(String));
  if (order === 1) {
    const firsts = first.map((got, i): Compared => {
      return { got, want: one.gradients?.[i] ?? [], kind: 'gradient', what: `gradient ${i}` };
    });
    return [...values, ...firsts];
  }
  const directions = (one.directions ?? []).map((data, i) => tensorLike(wrt[i] as Tensor, data));
  return gradients(first, [...wrt, ...dys], directions).map((got, i): Compared => {
    return { got, want: one.seconds?.[i] ?? [], kind: 'gradient', what: `second derivative ${i}` };
  });
}

/** Whether a case says something in a mode: in f16 only where that has all numbers of its inputs, and no result is beyond it. */
export function isFor(one: Case, { float, order }: Mode): boolean {
  if (order === 2 && !one.seconds) return false;
  if (float === 'f32') return true;
  const floats = one.inputs.filter(({ dtype = 'f32' }) => dtype === 'f32');
  if (one.throws !== undefined || floats.length === 0 || !floats.every(({ data }) => data.every(isHalf))) return false;
  const isIn = (value: Value) => !(Number.isFinite(numberOf(value)) && Math.abs(numberOf(value)) > ranges.f16.infinite);
  return (one.results ?? []).every(({ data, dtype = 'f32' }) => dtype !== 'f32' || data.every(isIn));
}

function isHalf(value: Value): boolean {
  const number = numberOf(value);
  return Object.is(fromHalf(toHalf(Float32Array.of(number)))[0], number);
}

/** The call as a reader sees it: `[2,3], {"axes":0}`. */
function shown({ args, inputs }: Case): string {
  const text = JSON.stringify(args).slice(1, -1);
  return text.replaceAll(/\{"input":(\d+)\}/g, (_, i) => {
    const { shape, data } = inputs[Number(i)] as Values;
    return `[${shape}] of ${data.slice(0, 12).join(' ')}${data.length > 12 ? ' …' : ''}`;
  });
}
