// An op of your own: a kernel in WGSL with its gradient, checked against differences, then used to fit a curve.

import {
  Adam,
  differentiable,
  dispatch,
  empty,
  gradients,
  kernel,
  mean,
  openDevice,
  parameter,
  read,
  square,
  step,
  sub,
  sum,
  tensor,
} from '@zeroseg/core';

// 1. The kernels. Bindings and parameters are declared, and the library writes their WGSL: `x[i]`, `y[i]` and `params.n` are
//    simply there. `T` is the element type of the tensors, f32 or f16. One thread computes one element.

const grid = ({ n }, { WG }) => [Math.ceil(n / WG)]; // how many workgroups
const eachElement = (line) => /* wgsl */ `
  @compute @workgroup_size(WG)
  fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) l: u32) {
    let i = flatGroup(g, groups) * WG + l;     // large grids wrap into rows: flatGroup counts through them
    if (i < params.n) { ${line} }              // the last workgroup may be too large
  }`;

// Snake (https://arxiv.org/abs/2006.08195): y = x + sin²(a x) / a, an activation that can learn what repeats itself.
const snakeForward = kernel({
  name: 'snake',
  bind: { x: 'read T', a: 'read T', y: 'write T' },
  params: { n: 'u32' },
  override: { WG: 64 },
  grid,
  wgsl: eachElement('let s = sin(a[0] * x[i]); y[i] = x[i] + s * s / a[0];'),
});

// dy/dx = 1 + sin(2 a x);  dy/da = x sin(2 a x) / a − sin²(a x) / a², summed over all elements afterwards.
const snakeBackward = kernel({
  name: 'snake-backward',
  bind: { x: 'read T', a: 'read T', dy: 'read T', dx: 'write T', parts: 'write T' },
  params: { n: 'u32' },
  override: { WG: 64 },
  grid,
  wgsl: eachElement(`
    let s = sin(a[0] * x[i]);
    let twice = sin(2.0 * a[0] * x[i]);
    dx[i] = dy[i] * (1.0 + twice);
    parts[i] = dy[i] * (x[i] * twice / a[0] - s * s / (a[0] * a[0]));`),
});

// 2. The op: make the result, record the launch, and say how gradients flow. It is now an op like any other.

function snake(x, a) {
  const y = empty(x);
  dispatch(snakeForward, { x, a, y }, { n: x.size });
  return differentiable(y, [x, a], (dy) => {
    const [dx, parts] = [empty(x), empty(x)];
    dispatch(snakeBackward, { x, a, dy, dx, parts }, { n: x.size });
    return [dx, sum(parts)];
  });
}

// 3. Is the gradient right? Compare with (f(v + ε) − f(v − ε)) / 2ε, for every number that goes in.

const device = await openDevice();
const [point, rate] = [[-1.5, -0.2, 0, 0.7, 2], 1.3];
const f = async (values, a) => (await read(sum(snake(tensor(device, values), tensor(device, a)))))[0];
const [x, a] = [tensor(device, point), tensor(device, rate)];
const [dx, da] = gradients(sum(snake(x, a)), [x, a]);
const found = [...(await read(dx)), ...(await read(da))];
const eps = 1e-2;
const nudged = (i, by) => point.map((v, j) => (i === j ? v + by : v));
export let worst = 0;
for (let i = 0; i <= point.length; i++) {
  const isRate = i === point.length;
  const [up, down] = isRate
    ? [await f(point, rate + eps), await f(point, rate - eps)]
    : [await f(nudged(i, eps), rate), await f(nudged(i, -eps), rate)];
  worst = Math.max(worst, Math.abs(found[i] - (up - down) / (2 * eps)));
}
console.log(`largest difference between gradient and finite differences: ${worst.toExponential(1)}`);

// 4. Use it: which rate makes this curve? The data is snake with a = 2; we start at 1.5.

const xs = Float32Array.from({ length: 200 }, (_, i) => i / 50 - 2);
const wanted = xs.map((v) => v + Math.sin(2 * v) ** 2 / 2);
const learned = parameter(device, [], [1.5]);
const optimizer = new Adam(device, new Map([['a', learned]]));
const train = await step(device, { x: [200], wanted: [200], hyper: [optimizer.hyperparameterCount] }, (given) => {
  const loss = mean(square(sub(snake(given.x, learned), given.wanted)));
  optimizer.update(gradients(loss, [learned]), given.hyper);
  return loss;
});
for (let t = 1; t <= 200; t++) {
  const loss = train({ x: xs, wanted, hyper: optimizer.hyperparameters(t, 0.02) });
  if (t % 50 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toExponential(2)}`);
}
export const learnedRate = (await read(learned))[0];
console.log(`learned a = ${learnedRate.toFixed(3)}; the curve was made with 2`);
device.dispose();
