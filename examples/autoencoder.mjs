// Convolutional autoencoder: pictures of 256 pixels are squeezed into 8 numbers, and drawn again from those.

import {
  AdamW,
  buildModule,
  Conv2d,
  convTranspose2d,
  flatten,
  gelu,
  gradients,
  heNormal,
  Linear,
  mse,
  newWeights,
  openDevice,
  parameters,
  random,
  read,
  reshape,
  step,
  zeros,
} from '@zeroseg/core';

// 1. The data: a disc, a box or a ring somewhere, of some size and shade, in 16 × 16 pixels.

const side = 16;
function draw(count, seed) {
  const next = random(seed);
  const images = new Float32Array(count * side * side);
  for (let n = 0; n < count; n++) {
    const [kind, shade] = [Math.floor(3 * next()), 0.5 + 0.5 * next()];
    const [cx, cy, radius] = [5 + 6 * next(), 5 + 6 * next(), 3 + 2 * next()];
    for (let i = 0; i < side * side; i++) {
      const [x, y] = [(i % side) - cx, Math.floor(i / side) - cy];
      const distance = kind === 1 ? Math.max(Math.abs(x), Math.abs(y)) : Math.hypot(x, y);
      const depth = kind === 2 ? 1.2 - Math.abs(distance - radius + 1) : radius - distance; // below 0 is outside
      images[n * side * side + i] = shade * Math.min(1, Math.max(0, depth));
    }
  }
  return images;
}

// 2. The model. Strided convolutions make pictures smaller, transposed ones make them larger again.

const codes = 8;

class Autoencoder {
  constructor(weights) {
    this.down1 = new Conv2d(weights.in('down1'), 1, 8, { side: 4, stride: 2, padding: 1 });
    this.down2 = new Conv2d(weights.in('down2'), 8, 16, { side: 4, stride: 2, padding: 1 });
    this.encode = new Linear(weights.in('encode'), 4 * 4 * 16, codes);
    this.decode = new Linear(weights.in('decode'), codes, 4 * 4 * 16);
    // There is an op for the transposed convolution, and a layer is no more than its parameters:
    const up = (name, from, to) => ({
      weight: weights.in(name).parameter('weight', [from, to, 4, 4], heNormal),
      bias: weights.in(name).parameter('bias', [to], zeros),
    });
    this.up1 = up('up1', 16, 8);
    this.up2 = up('up2', 8, 1);
  }

  code(images) {
    const small = gelu(this.down2.forward(gelu(this.down1.forward(images)))); // [B, 16, 16, 1] → [B, 8, 8, 8] → [B, 4, 4, 16]
    return this.encode.forward(flatten(small, 1)); //                                                           → [B, 8]
  }

  draw(code) {
    const [batch] = code.shape;
    const small = reshape(this.decode.forward(code, { activation: 'gelu' }), [batch, 4, 4, 16]);
    const options = { stride: 2, padding: 1 };
    const middle = gelu(convTranspose2d(small, this.up1.weight, { bias: this.up1.bias, ...options })); // → [B, 8, 8, 8]
    return convTranspose2d(middle, this.up2.weight, { bias: this.up2.bias, ...options }); //                → [B, 16, 16, 1]
  }
}

// 3. Training: what comes out shall be what went in.

const device = await openDevice();
const model = await buildModule(newWeights(device, 1), (weights) => new Autoencoder(weights));
const batch = 16;
const optimizer = new AdamW(device, parameters(model), { weightDecay: 0 });
const train = await step(
  device,
  { images: [batch, side, side, 1], hyper: [optimizer.hyperparameterCount] },
  ({ images, hyper }) => {
    const loss = mse(model.draw(model.code(images)), images);
    optimizer.update(gradients(loss, optimizer.parameters), hyper);
    return loss;
  },
);
const steps = 110;
for (let t = 1; t <= steps; t++) {
  const loss = train({
    images: draw(batch, t),
    hyper: optimizer.hyperparameters(t, 0.008 * Math.min(1, 2 - (2 * t) / steps)),
  });
  if (t % 11 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toFixed(4)}`);
}

// 4. Unseen pictures, and what is drawn of their 8 numbers.

const redraw = await step(device, { images: [batch, side, side, 1] }, ({ images }) => model.draw(model.code(images)));
const unseen = draw(batch, 1_000_000);
const drawn = await read(redraw({ images: unseen }));
const line = (images, n, y) =>
  [...images.subarray((n * side + y) * side, (n * side + y + 1) * side)]
    .map((value) => ' .:+#@'[Math.max(0, Math.min(5, Math.floor(6 * value)))].repeat(2))
    .join('');
for (let n = 0; n < 2; n++) {
  for (let y = 0; y < side; y++) console.log(`${line(unseen, n, y)}|${line(drawn, n, y)}`);
  console.log('-'.repeat(4 * side));
}
const meanSquare = (values) => values.reduce((sum, value) => sum + value * value, 0) / values.length;
const average = unseen.reduce((sum, value) => sum + value, 0) / unseen.length;
/** Of the variance of the pixels, how much is explained: 1 would be perfect. */
export const explained =
  1 - meanSquare(unseen.map((value, i) => value - drawn[i])) / meanSquare(unseen.map((value) => value - average));
console.log(`${codes} numbers explain ${(100 * explained).toFixed(1)} % of what differs in ${side * side} pixels`);
device.dispose();
