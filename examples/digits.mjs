// Digits: a small network learns to read digits, which this file draws itself.

import {
  AdamW,
  argmax,
  buildModule,
  crossEntropy,
  gradients,
  Linear,
  newWeights,
  openDevice,
  parameters,
  random,
  read,
  readU32,
  step,
} from '@zeroseg/core';

// 1. The data: digits of 3 × 5 dots, twice as large, somewhere in a picture of 12 × 12 pixels, in noise.

const dots = [
  '111101101101111', // 0
  '010110010010111', // 1
  '111001111100111', // 2
  '111001111001111', // 3
  '101101111001001', // 4
  '111100111001111', // 5
  '111100111101111', // 6
  '111001010010010', // 7
  '111101111101111', // 8
  '111101111001111', // 9
];
const side = 12;

/** `count` pictures, [count, 144], and what they show. The same seed draws the same ones. */
function draw(count, seed) {
  const next = random(seed); //                           a generator of numbers in [0, 1), the same everywhere
  const upTo = (n) => Math.floor(next() * n);
  const images = new Float32Array(count * side * side);
  const labels = new Uint32Array(count);
  for (let n = 0; n < count; n++) {
    const image = images.subarray(n * side * side, (n + 1) * side * side);
    for (let i = 0; i < image.length; i++) image[i] = 0.4 * next();
    labels[n] = upTo(10);
    const [left, top, ink] = [upTo(side - 5), upTo(side - 9), 0.5 + 0.5 * next()];
    for (let i = 0; i < 60; i++) {
      const [x, y] = [i % 6, Math.floor(i / 6)];
      const isInk = dots[labels[n]][3 * Math.floor(y / 2) + Math.floor(x / 2)] === '1';
      if (isInk) image[(top + y) * side + left + x] += ink;
    }
  }
  return { images, labels };
}

// 2. The model: a class whose fields are layers. A picture is a row of 144 numbers.

class Reader {
  constructor(weights) {
    this.hidden = new Linear(weights.in('hidden'), side * side, 96);
    this.out = new Linear(weights.in('out'), 96, 10);
  }

  forward(images) {
    const features = this.hidden.forward(images, { activation: 'relu' }); // [B, 144] → [B, 96], in one launch
    return this.out.forward(features); //                                            → [B, 10], a score for each digit
  }
}

const device = await openDevice();
const model = await buildModule(newWeights(device, 1), (weights) => new Reader(weights));

// 3. Training: a step is recorded once, and runs for each batch. What changes from call to call is an input.

const batch = 64;
const optimizer = new AdamW(device, parameters(model));
const inputs = {
  images: [batch, side * side],
  labels: { shape: [batch], dtype: 'u32' },
  hyper: [optimizer.hyperparameterCount],
};
const train = await step(device, inputs, ({ images, labels, hyper }) => {
  const loss = crossEntropy(model.forward(images), labels);
  optimizer.update(gradients(loss, optimizer.parameters), hyper);
  return loss;
});

const steps = 200;
for (let t = 1; t <= steps; t++) {
  const rate = 0.01 * Math.min(1, 2 - (2 * t) / steps); //                full at first, then down to 0
  const loss = train({ ...draw(batch, t), hyper: optimizer.hyperparameters(t, rate) });
  if (t % 20 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toFixed(3)}`);
}

// 4. The test: pictures that were never seen.

const count = 512;
const predict = await step(device, { images: [count, side * side] }, ({ images }) => argmax(model.forward(images)));
const unseen = draw(count, 1_000_000);
const predicted = await readU32(predict({ images: unseen.images }));
const right = predicted.filter((digit, n) => digit === unseen.labels[n]).length;

for (let n = 0; n < 2; n++) {
  const shades = [...unseen.images.subarray(n * side * side, (n + 1) * side * side)].map(
    (v) => ' .:+#@'[Math.min(5, Math.floor(4 * v))],
  );
  for (let y = 0; y < side; y++)
    console.log(
      shades
        .slice(y * side, (y + 1) * side)
        .map((shade) => shade + shade)
        .join(''),
    );
  console.log(`^ this is a ${unseen.labels[n]}; the model says ${predicted[n]}`);
}
export const accuracy = right / count;
console.log(`${(100 * accuracy).toFixed(1)} % of ${count} unseen digits are read correctly`);
device.dispose();
