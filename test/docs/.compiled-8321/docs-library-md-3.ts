import { AdamW, gradients, linear, mean, openDevice, parameter, read, square, step, sub, tensor } from '@zeroseg/core';

const device = await openDevice();
const x = tensor(device, [0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
const w = parameter(device, [1, 2], new Float32Array([0.5, -0.5]));

const y = linear(x, w); //                              forward: nothing runs yet …
console.log(...(await read(y))); //                     … until it is read: 0 -0.5 0.5 0
const [dw] = gradients(mean(square(y)), [w]); //        gradient
console.log(...(await read(dw))); //                    0.25 -0.25

const optimizer = new AdamW(device, new Map([['w', w]]), { weightDecay: 0 });
const train = await step(device, { wanted: [4, 1], rates: [optimizer.rateCount] }, ({ wanted, rates }) => {
  const loss = mean(square(sub(linear(x, w), wanted)));
  optimizer.update(gradients(loss, [w]), rates);
  return loss;
});
let loss = y;
for (let t = 1; t <= 200; t++) loss = train({ wanted: [0, 3, 2, 5], rates: optimizer.rates(t, 0.1) });
console.log(...(await read(loss)), ...(await read(w))); // about 0, and 2 3
device.dispose();