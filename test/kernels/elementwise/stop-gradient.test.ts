import { expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { stopGradient, straightThrough } from '../../../src/kernels/elementwise/stop-gradient.ts';
import { scale, sign, square } from '../../../src/kernels/elementwise/unary.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const values = Float32Array.of(-2, 0.5, 3);

it('stopGradient: the values of x, and none of its gradient', async () => {
  const x = tensor(device.current, values, [3]);
  const [dx] = gradients(sum(mul(x, stopGradient(x))), [x]);
  expect([...(await read(mul(x, stopGradient(x))))]).toEqual([4, 0.25, 9]);
  expect([...(await read(dx))]).toEqual([-2, 0.5, 3]);
});

it('stopGradient: what is upstream gets zeros', async () => {
  const x = tensor(device.current, values, [3]);
  const [dx] = gradients(sum(stopGradient(square(x))), [x]);
  expect([...(await read(dx))]).toEqual([0, 0, 0]);
});

it('straightThrough: values of the one, gradient of the other', async () => {
  const x = tensor(device.current, values, [3]);
  const w = tensor(device.current, Float32Array.of(1, 1, 1), [3]);
  const hard = straightThrough(mul(sign(x), w), scale(x, 5));
  const dy = tensor(device.current, Float32Array.of(1, 10, 100), [3]);
  const [dx, dw] = gradients(hard, [x, w], dy);
  expect([...(await read(hard))]).toEqual([-1, 1, 1]);
  expect([...(await read(dx))]).toEqual([5, 50, 500]);
  expect([...(await read(dw))]).toEqual([0, 0, 0]);
});

it('straightThrough: says what does not fit', () => {
  const x = tensor(device.current, values, [3]);
  const other = tensor(device.current, Float32Array.of(1, 2), [2]);
  expect(() => straightThrough(x, other)).toThrow(/straightThrough.*one shape.*value \[3\].*surrogate \[2\]/s);
  expect(() => straightThrough(x, tensor(device.current, Uint32Array.of(1, 2, 3), [3]))).toThrow(/f32 and u32/);
});
