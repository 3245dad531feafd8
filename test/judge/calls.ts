import type { Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import { Tensor } from '../../src/tensor/graph/tensor.ts';
import type { DType } from '../../src/tensor/values/dtype.ts';
import { numberOf, type Values } from './cases.ts';

export function hostTensor(device: Device, { shape, data, dtype }: Values): Tensor {
  const numbers = data.map(numberOf);
  return tensor(device, numbers, shape, (dtype ?? 'f32') as DType);
}

/** An argument with tensors, the device, and numbers that JSON does not hold in their places. */
export function argument(value: unknown, inputs: readonly Tensor[], device: Device): unknown {
  if (value === 'inf' || value === '-inf' || value === '-0' || value === 'nan') return numberOf(value);
  if (Array.isArray(value)) return value.map((one) => argument(one, inputs, device));
  if (value === null) return undefined;
  if (typeof value !== 'object') return value;
  if ('input' in value) return inputs[value.input as number];
  if ('device' in value) return device;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, argument(one, inputs, device)]));
}

/** A result, a list of them, or an object of them. */
export function tensorsOf(made: unknown): readonly Tensor[] {
  return made instanceof Tensor ? [made] : (Object.values(made as object) as Tensor[]);
}
