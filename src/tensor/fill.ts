import type { Device } from '../gpu/device.ts';
import { kernel } from '../gpu/kernel.ts';
import { dispatch, empty, emptyOn } from './record.ts';
import { checkShape, type Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** A tensor (f32) with the same value everywhere. It is made on the GPU, at every call of a step. */
export function fill(device: Device, shape: Shape, value: number): Tensor {
  checkShape('fill', shape);
  const y = emptyOn(device, shape);
  dispatch(fillKernel, { y }, { n: y.size, value });
  return y;
}

/** `a + b` of equal shapes: how gradients that meet are joined. The op for users is `add` in `src/kernels`. */
export function add(a: Tensor, b: Tensor): Tensor {
  const y = empty(a);
  dispatch(addKernel, { a, b, y }, { n: y.size });
  return y;
}

const grid = ({ n }: { n: number }, { WG }: { WG: number }): number[] => [Math.ceil(n / (4 * WG))];

// One invocation writes four neighbours.
const fillKernel = kernel({
  name: 'fill',
  bind: { y: 'write f32' },
  params: { n: 'u32', value: 'f32' },
  override: { WG: 64 },
  grid,
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = (flatGroup(g, size) * WG + l) * 4u;
  for (var i = first; i < min(first + 4u, params.n); i++) { y[i] = params.value; }
}`,
});

const addKernel = kernel({
  name: 'accumulate',
  bind: { a: 'read T', b: 'read T', y: 'write T' },
  params: { n: 'u32' },
  override: { WG: 64 },
  grid,
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = (flatGroup(g, size) * WG + l) * 4u;
  for (var i = first; i < min(first + 4u, params.n); i++) { y[i] = a[i] + b[i]; }
}`,
});
