import { AdamW, buildModule, gradients, Linear, mse, newWeights, openDevice, parameters, read, step } from '@zeroseg/core';
import type { Tensor, Weights } from '@zeroseg/core';

class Classifier {
  readonly hidden: Linear;
  readonly out: Linear;
  constructor(weights: Weights) {
    this.hidden = new Linear(weights.in('hidden'), 2, 16);
    this.out = new Linear(weights.in('out'), 16, 1);
  }
  forward(x: Tensor): Tensor {
    return this.out.forward(this.hidden.forward(x, { activation: 'gelu' })); // one launch each
  }
}

const device = await openDevice();
const model = await buildModule(newWeights(device, 7), (weights) => new Classifier(weights));
const trained = parameters(model); // a Map: hidden.weight, hidden.bias, out.weight, out.bias
const optimizer = new AdamW(device, trained, { weightDecay: 0 });
const train = await step(device, { x: [4, 2], y: [4, 1], rates: [optimizer.rateCount] }, ({ x, y, rates }) => {
  const loss = mse(model.forward(x), y);
  optimizer.update(gradients(loss, [...trained.values()]), rates);
  return loss;
});
const [x, y] = [[0, 0, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0]];
let loss = train({ x, y, rates: optimizer.rates(1, 0.02) });
for (let t = 2; t <= 200; t++) loss = train({ x, y, rates: optimizer.rates(t, 0.02) });
console.log(...(await read(loss))); // below 0.01
device.dispose();