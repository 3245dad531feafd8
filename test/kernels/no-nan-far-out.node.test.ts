import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { readAll } from '../../src/tensor/run/read.ts';
import { fromHalf } from '../../src/tensor/values/half.ts';
import * as ops from '../support/all-ops.ts';
import { useDevice } from '../support/device.ts';

// Values and both derivatives of pointwise ops are numbers, or infinite, wherever the op has a value: at all normal numbers of f16, and of f32 at
// sixteen of each exponent. Products of parts that overflow, and of ∞ and 0, are NaN in silence.

type Unary = (x: Tensor) => Tensor;
const everywhere = () => true;
const aboveZero = (x: number) => x > 0;
const inside = (x: number) => Math.abs(x) < 1;

const unary: Readonly<Record<string, readonly [Unary, (x: number) => boolean]>> = {
  abs: [ops.abs, everywhere],
  acos: [ops.acos, inside],
  addScalar: [(x) => ops.addScalar(x, 1), everywhere],
  asin: [ops.asin, inside],
  atan: [ops.atan, everywhere],
  atan2: [(x) => ops.atan2(x, 1), everywhere],
  'atan2 of a number': [(x) => ops.atan2(1, x), everywhere],
  celu: [ops.celu, everywhere],
  clamp: [(x) => ops.clamp(x, -1, 1), everywhere],
  cos: [ops.cos, everywhere],
  cosh: [ops.cosh, (x) => Math.abs(x) < 80],
  div: [(x) => ops.div(x, 3), everywhere],
  'div of a number': [(x) => ops.div(3, x), everywhere],
  'div of 0': [(x) => ops.div(ops.zerosLike(x), x), everywhere],
  elu: [ops.elu, everywhere],
  erf: [ops.erf, everywhere],
  exp: [ops.exp, everywhere],
  exp2: [ops.exp2, everywhere],
  expm1: [ops.expm1, everywhere],
  gelu: [ops.gelu, everywhere],
  'gelu by tanh': [(x) => ops.gelu(x, 'tanh'), everywhere],
  'gelu, quick': [(x) => ops.gelu(x, 'quick'), everywhere],
  hardsigmoid: [ops.hardsigmoid, everywhere],
  hardswish: [ops.hardswish, everywhere],
  hypot: [(x) => ops.hypot(x, 1), everywhere],
  leakyRelu: [ops.leakyRelu, everywhere],
  log: [ops.log, aboveZero],
  log10: [ops.log10, aboveZero],
  log1p: [ops.log1p, (x) => x > -1],
  log2: [ops.log2, aboveZero],
  logaddexp: [(x) => ops.logaddexp(x, 1), everywhere],
  logSigmoid: [ops.logSigmoid, everywhere],
  maximum: [(x) => ops.maximum(x, 1), everywhere],
  mish: [ops.mish, everywhere],
  mul: [(x) => ops.mul(x, 3), everywhere],
  neg: [ops.neg, everywhere],
  'pow to a number': [(x) => ops.pow(x, 3), everywhere],
  'pow, squared': [(x) => ops.pow(x, 2), everywhere],
  'pow, a root': [(x) => ops.pow(x, 0.5), aboveZero],
  'pow of a number': [(x) => ops.pow(0.5, x), everywhere],
  prelu: [(x) => ops.prelu(x, 0.25), everywhere],
  reciprocal: [ops.reciprocal, everywhere],
  relu: [ops.relu, everywhere],
  remainder: [(x) => ops.remainder(x, 3), everywhere],
  rsqrt: [ops.rsqrt, aboveZero],
  scale: [(x) => ops.scale(x, 2), everywhere],
  selu: [ops.selu, everywhere],
  sigmoid: [ops.sigmoid, everywhere],
  silu: [ops.silu, everywhere],
  sin: [ops.sin, everywhere],
  sinh: [ops.sinh, everywhere],
  softplus: [ops.softplus, everywhere],
  softsign: [ops.softsign, everywhere],
  sqrt: [ops.sqrt, aboveZero],
  square: [ops.square, everywhere],
  tan: [ops.tan, everywhere],
  tanh: [ops.tanh, everywhere],
};

const normalHalves = [...fromHalf(Uint16Array.from({ length: 0x10000 }, (_, i) => i))].filter(
  (x) => Number.isFinite(x) && Math.abs(x) >= 2 ** -14,
);
const floats = Array.from({ length: 254 * 16 }, (_, i) =>
  Math.fround((1 + (i % 16) / 16) * 2 ** (Math.floor(i / 16) - 126)),
);
const values = { f16: normalHalves, f32: [...floats, ...floats.map((x) => -x)] };

describe.each(['f32', 'f16'] as const)('of %s', (dtype) => {
  const device = useDevice();
  it.for(Object.entries(unary))('%s', async ([, [op, isDefined]], { skip }) => {
    skip(dtype === 'f16' && !device.current.features.has('shader-f16'), 'the adapter has no f16');
    const given = values[dtype].filter(isDefined);
    const x = ops.cast(tensor(device.current, given), dtype);
    const y = op(x);
    const ones = ops.onesLike(x);
    const [dx] = gradients(y, [x], ones) as [Tensor];
    const [ddx] = gradients(dx, [x], ones) as [Tensor];
    const read = await readAll([y, dx, ddx]);
    const found = read.map((got) => given.filter((_, i) => Number.isNaN(got[i])));
    expect(found.map((xs) => [xs.length, ...xs.slice(0, 3)])).toEqual([[0], [0], [0]]);
  });
});
