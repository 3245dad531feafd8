import { adam, layerNormEps } from '../workloads.mjs';

/** The library, `zeroseg` being what its package exports: every workload is a step that is replayed. */
export async function open({ adapter, zeroseg }) {
  const device = await zeroseg.openDevice({ ...(adapter ? { adapter } : {}), notice: null });
  return {
    label: '@zeroseg/core',
    adapter: device.name,
    software: device.isSoftware,
    prepare: (workload, inputs) => prepare(zeroseg, device, workload, inputs),
  };
}

async function prepare(zeroseg, device, { kind, shapes, sizes }, inputs) {
  const { step, readAll } = zeroseg;
  const given = (name) => zeroseg.variable(device, shapes[name], inputs[name]);
  if (kind.startsWith('block')) return prepareBlock(zeroseg, device, kind, sizes, given('x'), { inputs, shapes });
  const tensors = Object.fromEntries(Object.keys(shapes).map((name) => [name, given(name)]));
  if (kind === 'eager') return prepareEager(zeroseg, tensors);
  const replay = await step(device, {}, () => bodies[kind](zeroseg, tensors));
  return {
    run: () => replay({}),
    read: async (results) => {
      const values = await readAll(Object.values(results));
      return Object.fromEntries(Object.keys(results).map((name, i) => [name, values[i]]));
    },
    free: () => {},
  };
}

/** Without a step, as one tries things out. */
function prepareEager({ add, mul, read, relu }, { a, b }) {
  return {
    run: () => ({ y: relu(add(mul(a, b), a)) }),
    wait: async (results) => {
      results.y = await read(results.y);
    },
    read: async (results) => results,
    free: () => {},
  };
}

const bodies = {
  matmul: ({ matmul }, { a, b }) => ({ y: matmul(a, b) }),
  softmax: ({ softmax }, { x }) => ({ y: softmax(x) }),
  layerNorm: ({ layerNorm }, { x, weight, bias }) => ({ y: layerNorm(x, weight, bias, layerNormEps) }),
  layerNormBackward: ({ layerNorm, gradients }, { x, weight, bias, dy }) => {
    const y = layerNorm(x, weight, bias, layerNormEps);
    const [dx, dweight, dbias] = gradients(y, [x, weight, bias], dy);
    return { y, dx, dweight, dbias };
  },
  gelu: ({ gelu }, { x }) => ({ y: gelu(x) }),
  add: ({ add }, { a, b }) => ({ y: add(a, b) }),
  sum: ({ sum }, { x }) => ({ y: sum(x) }),
  transpose: ({ permute }, { x }) => ({ y: permute(x, [1, 0]) }),
  attention: ({ attention }, { q, k, v }) => ({ y: attention(q, k, v) }),
  attentionBackward: ({ attention, gradients }, { q, k, v, dy }) => {
    const y = attention(q, k, v);
    const [dq, dk, dv] = gradients(y, [q, k, v], dy);
    return { y, dq, dk, dv };
  },
};

async function prepareBlock(zeroseg, device, kind, sizes, x, { inputs, shapes }) {
  const { AdamW, Block, gradients, mean, parameters, readAll, square, step, weightsFrom, xavierUniform } = zeroseg;
  const weights = weightsFrom(device, (name) => toOurs(inputs[name], shapes[name]));
  const { dim, heads, hidden, eps } = sizes;
  const block = new Block(weights, { dim, heads, hidden, eps, init: xavierUniform });
  const names = [...parameters(block).keys()];
  const loss = () => mean(square(block.forward(x)));

  let replay;
  let run = () => replay({});
  let tensors = (results) => results;
  if (kind === 'block') {
    replay = await step(device, {}, () => ({ y: block.forward(x) }));
  } else if (kind === 'blockBackward') {
    replay = await step(device, {}, () => {
      const scalar = loss();
      const found = gradients(scalar, [...parameters(block).values()]);
      return { loss: scalar, ...Object.fromEntries(names.map((name, i) => [`d ${name}`, found[i]])) };
    });
  } else {
    const { lr, ...rest } = adam;
    const optimizer = new AdamW(device, parameters(block), { ...rest, weightDecay: 0 });
    replay = await step(device, { hyper: [optimizer.hyperparameterCount] }, ({ hyper }) => {
      const scalar = loss();
      optimizer.update(gradients(scalar, optimizer.parameters), hyper);
      return { loss: scalar };
    });
    let t = 0;
    run = () => replay({ hyper: optimizer.hyperparameters(++t, lr) });
    tensors = (results) => ({
      ...results,
      ...Object.fromEntries([...parameters(block)].map(([name, tensor]) => [`new ${name}`, tensor])),
    });
  }
  return {
    run,
    read: async (results) => {
      const all = tensors(results);
      const values = await readAll(Object.values(all));
      const back = (name, value) => fromOurs(value, shapes[name.split(' ').at(-1)]);
      return Object.fromEntries(Object.keys(all).map((name, i) => [name, back(name, values[i])]));
    },
    free: () => {},
  };
}

/** Weights of linear layers are `[in, out]` in the workloads and `[out, in]` here. */
function toOurs(values, shape) {
  return shape?.length === 2 ? transpose(values, ...shape) : values;
}

function fromOurs(values, shape) {
  return shape?.length === 2 ? transpose(values, shape[1], shape[0]) : values;
}

function transpose(values, rows, cols) {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) result[j * rows + i] = values[i * cols + j];
  return result;
}
