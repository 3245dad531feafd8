import { differentiable, dispatch, empty, gradients, kernel, mul, openDevice, read, scale, square, sum, tensor } from '@zeroseg/core';
import type { Tensor } from '@zeroseg/core';

const cubeKernel = kernel({
  name: 'cube',
  bind: { x: 'read T', y: 'write T' },
  params: { n: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /* wgsl */ `
    @compute @workgroup_size(WG)
    fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) l: u32) {
      let i = flatGroup(g, groups) * WG + l;
      if (i < params.n) { y[i] = x[i] * x[i] * x[i]; }
    }`,
});

/** `y = x³`, with the gradient `dx = 3 x² dy`. */
function cube(x: Tensor): Tensor {
  const y = empty(x);
  dispatch(cubeKernel, { x, y }, { n: x.size });
  return differentiable(y, [x], (dy) => [scale(mul(dy, square(x)), 3)]);
}

const device = await openDevice();
const x = tensor(device, [1, 2, 3], [3]);
const [dx] = gradients(sum(cube(x)), [x]);
console.log(...(await read(cube(x))), ...(await read(dx))); // 1 8 27 3 12 27
device.dispose();