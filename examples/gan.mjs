// GAN with gradient penalty: a generator learns to make points of a circle, from a critic whose slope at real points is held small.

import {
  Adam,
  add,
  buildModule,
  gradients,
  Linear,
  leakyRelu,
  mean,
  mul,
  newWeights,
  openDevice,
  parameters,
  random,
  randomNormal,
  read,
  Sequential,
  softplus,
  square,
  step,
  sum,
} from '@zeroseg/core';

// 1. The data: points on a circle of radius 1.

const batch = 64;
function draw(seed) {
  const next = random(seed);
  return Float32Array.from(
    Array.from({ length: batch }, () => 2 * Math.PI * next()).flatMap((angle) => [Math.cos(angle), Math.sin(angle)]),
  );
}

// 2. Two networks. The generator makes points [x, y] of noise; the critic gives each point a score, high for real ones.

const device = await openDevice();
const network = (seed, outputs) =>
  buildModule(
    newWeights(device, seed),
    (w) =>
      new Sequential(
        new Linear(w.in(0), 2, 48),
        leakyRelu,
        new Linear(w.in(2), 48, 48),
        leakyRelu,
        new Linear(w.in(4), 48, outputs),
      ),
  );
const [generator, critic] = [await network(1, 2), await network(2, 1)];
const optimizers = [generator, critic].map((model) => new Adam(device, parameters(model), { beta1: 0.5, beta2: 0.99 }));
const [forGenerator, forCritic] = optimizers;
const key = { shape: [2], dtype: 'u32' };
const hyper = [forCritic.hyperparameterCount];

// 3. The critic's step: real points shall be scored above 0, made ones below, and the score shall not be steep at real points (R1,
//    https://arxiv.org/abs/1801.04406), which lets the two settle. That slope is a gradient, a tensor like any other: it is part of the
//    loss, and is differentiated once more.

const noise = (k, count) => randomNormal(k, [count, 2], 0);
const teachCritic = await step(device, { real: [batch, 2], key, hyper }, ({ real, key: k, hyper: h }) => {
  const scores = critic.forward(real);
  const [slope] = gradients(sum(scores), [real]);
  const penalty = mean(sum(square(slope), { axes: 1 }));
  const made = critic.forward(generator.forward(noise(k, batch)));
  const loss = add(mean(softplus(mul(scores, -1))), mean(softplus(made)));
  forCritic.update(gradients(add(loss, mul(penalty, 0.1)), forCritic.parameters), h);
  return { loss, penalty };
});

// 4. The generator's step: its points shall be scored higher.

const teachGenerator = await step(device, { key, hyper }, ({ key: k, hyper: h }) => {
  const scores = critic.forward(generator.forward(noise(k, batch)));
  forGenerator.update(gradients(mean(softplus(mul(scores, -1))), forGenerator.parameters), h);
});

const rounds = 320;
for (let t = 1; t <= rounds; t++) {
  const rate = 0.004 * Math.min(1, 2 - (2 * t) / rounds);
  const told = teachCritic({ real: draw(t), key: [1, t], hyper: forCritic.hyperparameters(t, rate) });
  teachGenerator({ key: [2, t], hyper: forGenerator.hyperparameters(t, rate) });
  if (t % 32 === 0) {
    const [loss, penalty] = [(await read(told.loss))[0], (await read(told.penalty))[0]];
    console.log(`round ${t}  loss ${loss.toFixed(3)}  penalty ${penalty.toFixed(3)}`);
  }
}

// 5. New points: how many lie on the circle?

const count = 400;
const make = await step(device, { key }, ({ key: k }) => generator.forward(noise(k, count)));
const points = await read(make({ key: [3, 1] }));
const [wide, high] = [48, 22];
const picture = Array.from({ length: high }, () => Array(wide).fill(' '));
let close = 0;
for (let i = 0; i < count; i++) {
  const [x, y] = [points[2 * i], points[2 * i + 1]];
  if (Math.abs(Math.hypot(x, y) - 1) < 0.2) close++;
  const [column, row] = [Math.floor((x / 1.6 + 1) * (wide / 2)), Math.floor((1 - y / 1.6) * (high / 2))];
  if (picture[row]?.[column]) picture[row][column] = '*';
}
console.log(picture.map((row) => row.join('')).join('\n'));
export const near = close / count;
console.log(`${(100 * near).toFixed(0)} % of ${count} new points lie on the circle (closer than 0.2)`);
device.dispose();
