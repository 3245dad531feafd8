import { gradients, linear, mean, openDevice, parameter, read, square, tensor } from '@zeroseg/core';

const device = await openDevice();
const x = tensor(device, [0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
const w = parameter(device, [1, 2], new Float32Array([0.5, -0.5]));
const y = linear(x, w); // nothing runs until it is read
const [dw] = gradients(mean(square(y)), [w]);
console.log(...(await read(y)), ...(await read(dw))); // 0 -0.5 0.5 0, and 0.25 -0.25
device.dispose();