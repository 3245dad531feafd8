// Diffusion: a network learns to take noise away from points, and then makes new points of a heart out of noise alone.

import {
  AdamW,
  add,
  assign,
  buildModule,
  concat,
  cos,
  div,
  gradients,
  Linear,
  mse,
  mul,
  newWeights,
  openDevice,
  parameters,
  random,
  randomNormal,
  randomUniform,
  read,
  sin,
  step,
  sub,
  variable,
} from '@zeroseg/core';

// 1. The data: points [x, y] on a heart.

function heart(u) {
  const t = 2 * Math.PI * u;
  const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
  return [(16 * Math.sin(t) ** 3) / 12, (y + 2) / 12];
}
function draw(count, seed) {
  const next = random(seed);
  return Float32Array.from(Array.from({ length: count }, () => heart(next())).flat());
}

// 2. Noise of level s: x_s = cos(s π/2) · x + sin(s π/2) · noise. At 0 it is the data, at 1 nothing but noise. The network sees
//    x_s and s, and says what the noise was.

const device = await openDevice();
const angle = (level) => mul(level, Math.PI / 2);
const model = await buildModule(newWeights(device, 1), (weights) => ({
  first: new Linear(weights.in('first'), 7, 64),
  second: new Linear(weights.in('second'), 64, 64),
  third: new Linear(weights.in('third'), 64, 64),
  out: new Linear(weights.in('out'), 64, 2),
}));

/** x [B, 2], level [B, 1] → the noise [B, 2] */
function noiseIn(x, level) {
  let h = concat([x, sin(mul(x, 3)), level, sin(angle(level)), cos(angle(level))], 1);
  for (const layer of [model.first, model.second, model.third]) h = layer.forward(h, { activation: 'gelu' });
  return model.out.forward(h);
}

// 3. Training: random noise of a random level for each point. Random numbers are made on the GPU out of a key, which is an input:
//    another key, other numbers; the same key, the same again.

const batch = 128;
const optimizer = new AdamW(device, parameters(model), { weightDecay: 0 });
const inputs = { x: [batch, 2], key: { shape: [2], dtype: 'u32' }, hyper: [optimizer.hyperparameterCount] };
const train = await step(device, inputs, ({ x, key, hyper }) => {
  const level = randomUniform(key, [batch, 1], 0);
  const noise = randomNormal(key, [batch, 2], 1);
  const noisy = add(mul(cos(angle(level)), x), mul(sin(angle(level)), noise));
  const loss = mse(noiseIn(noisy, level), noise);
  optimizer.update(gradients(loss, optimizer.parameters), hyper);
  return loss;
});
const steps = 320;
for (let t = 1; t <= steps; t++) {
  const rate = 0.01 * Math.min(1, 1.5 * (1 - t / steps));
  const loss = train({ x: draw(batch, t), key: [7, t], hyper: optimizer.hyperparameters(t, rate) });
  if (t % 32 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toFixed(3)}`);
}

// 4. Making points: begin with noise, and take it away level by level. The points stay on the GPU in a variable, which the step
//    itself overwrites.

const count = 400;
const levels = 20;
const made = variable(device, [count, 2]);
const begin = await step(device, { key: { shape: [2], dtype: 'u32' } }, ({ key }) =>
  assign(made, randomNormal(key, [count, 2])),
);
const denoise = await step(device, { from: [count, 1], to: [1] }, ({ from, to }) => {
  const noise = noiseIn(made, from);
  const clean = div(sub(made, mul(sin(angle(from)), noise)), cos(angle(from)));
  return assign(made, add(mul(cos(angle(to)), clean), mul(sin(angle(to)), noise)));
});
begin({ key: [1, 2] });
for (let i = 0; i < levels; i++) {
  const [from, to] = [0.98 * (1 - i / levels), 0.98 * (1 - (i + 1) / levels)];
  denoise({ from: new Float32Array(count).fill(from), to: [to] });
}
const points = await read(made);

// 5. Are they on the heart? How far is each from the next place of it?

const curve = Array.from({ length: 500 }, (_, i) => heart(i / 499));
const distances = Array.from({ length: count }, (_, i) =>
  Math.min(...curve.map(([x, y]) => Math.hypot(points[2 * i] - x, points[2 * i + 1] - y))),
);
const [wide, high] = [56, 24];
const picture = Array.from({ length: high }, () => Array(wide).fill(' '));
for (let i = 0; i < count; i++) {
  const [column, row] = [
    Math.floor((points[2 * i] / 1.7 + 1) * (wide / 2)),
    Math.floor((1 - points[2 * i + 1] / 1.7) * (high / 2)),
  ];
  if (picture[row]?.[column]) picture[row][column] = '*';
}
console.log(picture.map((row) => row.join('')).join('\n'));
export const near = distances.filter((distance) => distance < 0.15).length / count;
console.log(`${(100 * near).toFixed(0)} % of ${count} new points lie on the heart (closer than 0.15)`);
device.dispose();
