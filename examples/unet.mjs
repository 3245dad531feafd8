// A U-Net: an image is made small and large again, and every pixel is told whether it is of a ring or of a square.

import {
  AdamW,
  argmax,
  BatchNorm,
  buildModule,
  Conv2d,
  ConvTranspose2d,
  concat,
  crossEntropy,
  gradients,
  maxPool2d,
  newWeights,
  oneCycleRate,
  openDevice,
  random,
  read,
  readU32,
  relu,
  Sequential,
  step,
  trainable,
} from '@zeroseg/core';

// 1. The images: two things, light on dark, in noise; only the form tells what a thing is.

const [side, batch, classes] = [16, 8, 3];
const inside = [
  undefined,
  (x, y) => Math.abs(Math.hypot(x, y) - 0.75) < 0.25, //           1: a ring
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.85, //          2: a square
];
const pick = random(11);

function draw() {
  const images = Float32Array.from({ length: batch * side * side }, () => 0.4 * (pick() - 0.5));
  const labels = new Uint32Array(batch * side * side);
  for (let at = 0; at < 2 * batch; at++) {
    const kind = 1 + Math.floor(2 * pick());
    const radius = 3 + pick();
    // One in the upper half, one in the lower.
    const [row, column] = [4 + 8 * (at % 2), 4 + 8 * pick()];
    const light = 0.5 + pick();
    for (let i = 0; i < side * side; i++) {
      const [y, x] = [(Math.floor(i / side) + 0.5 - row) / radius, ((i % side) + 0.5 - column) / radius];
      if (!inside[kind](x, y)) continue;
      const pixel = (at >> 1) * side * side + i;
      labels[pixel] = kind;
      images[pixel] += light;
    }
  }
  return { images, labels };
}

// 2. The model: what the way down saw at each size is joined to what the way up makes of it.

const two = (weights, inputs, outputs) =>
  new Sequential(
    new Conv2d(weights.in(0), inputs, outputs, { side: 3, padding: 1 }),
    new BatchNorm(weights.in(1), outputs),
    relu,
    new Conv2d(weights.in(3), outputs, outputs, { side: 3, padding: 1 }),
    new BatchNorm(weights.in(4), outputs),
    relu,
  );

class UNet {
  constructor(weights, width = 8) {
    this.down1 = two(weights.in('down1'), 1, width);
    this.down2 = two(weights.in('down2'), width, 2 * width);
    this.middle = two(weights.in('middle'), 2 * width, 4 * width);
    this.grow2 = new ConvTranspose2d(weights.in('grow2'), 4 * width, 2 * width, { side: 2, stride: 2 });
    this.up2 = two(weights.in('up2'), 4 * width, 2 * width);
    this.grow1 = new ConvTranspose2d(weights.in('grow1'), 2 * width, width, { side: 2, stride: 2 });
    this.up1 = two(weights.in('up1'), 2 * width, width);
    this.head = new Conv2d(weights.in('head'), width, classes, { side: 1 });
  }

  /** Images [B, H, W, 1] → scores [B, H, W, classes]; `run` calls a part, in training or not. */
  through(x, run) {
    const large = run(this.down1, x);
    const half = run(this.down2, maxPool2d(large, 2));
    const small = run(this.middle, maxPool2d(half, 2));
    const half2 = run(this.up2, concat([half, this.grow2.forward(small)], -1));
    return this.head.forward(run(this.up1, concat([large, this.grow1.forward(half2)], -1)));
  }
  forward(x) {
    return this.through(x, (part, y) => part.forward(y));
  }
  forwardInTraining(x, key) {
    return this.through(x, (part, y) => part.forwardInTraining(y, key));
  }
}

const device = await openDevice();
const model = await buildModule(newWeights(device, 2), (weights) => new UNet(weights));

// 3. Training: a class for every pixel.

const optimizer = new AdamW(device, trainable(model), { weightDecay: 0.01 });
const inputs = {
  images: [batch, side, side, 1],
  labels: { shape: [batch, side, side], dtype: 'u32' },
  key: { shape: [2], dtype: 'u32' },
  hyper: [optimizer.hyperparameterCount],
};
const train = await step(device, inputs, ({ images, labels, key, hyper }) => {
  const loss = crossEntropy(model.forwardInTraining(images, key), labels);
  optimizer.update(gradients(loss, optimizer.parameters), hyper);
  return loss;
});
const steps = 45;
const rate = oneCycleRate(0.03, steps);
for (let t = 1; t <= steps; t++) {
  const loss = train({ ...draw(), key: [1, t], hyper: optimizer.hyperparameters(t, rate(t)) });
  if (t % 10 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toFixed(3)}`);
}

// 4. New images: the overlap of what is found with what is there, for each class.

const segment = await step(device, { images: inputs.images }, ({ images }) => argmax(model.forward(images), -1));
const [both, either] = [new Float64Array(classes), new Float64Array(classes)];
let shown;
for (let i = 0; i < 8; i++) {
  const { images, labels } = draw();
  const found = await readU32(segment({ images }));
  found.forEach((c, pixel) => {
    if (c === labels[pixel]) both[c]++;
    else either[labels[pixel]]++;
    either[c]++;
  });
  shown = { found, labels };
}
const pictureOf = (labels, row) => [...labels.subarray(row * side, (row + 1) * side)].map((c) => ' o#'[c]).join('');
for (let row = 0; row < side; row++) console.log(`${pictureOf(shown.labels, row)}  |  ${pictureOf(shown.found, row)}`);
const overlaps = [...both].map((n, c) => n / either[c]);
export const overlap = overlaps.reduce((sum, one) => sum + one) / classes;
console.log(`mean IoU ${overlap.toFixed(3)}: ${overlaps.map((one) => one.toFixed(2)).join(' ')}`);
device.dispose();
