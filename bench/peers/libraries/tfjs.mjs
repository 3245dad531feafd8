import { adam, layerNormEps } from '../workloads.mjs';

/** TensorFlow.js on its WebGPU backend; every workload is written with its operations, the fused ones where it has them. */
export async function open() {
  const tf = await import('@tensorflow/tfjs');
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('the WebGPU backend of TensorFlow.js did not start');
  const backend = tf.backend();
  return {
    label: `TensorFlow.js ${tf.version_core}`,
    prepare: (workload, inputs) => prepare(tf, backend, workload, inputs),
  };
}

async function prepare(tf, backend, { kind, shapes, sizes }, inputs) {
  const tensors = {};
  for (const [name, shape] of Object.entries(shapes)) tensors[name] = tf.tensor(inputs[name], shape);
  if (kind === 'eager') return prepareEager(tf, tensors);
  const run = kind.startsWith('block') ? ofBlock(tf, kind, sizes, tensors) : () => bodies[kind](tf, tensors);
  return {
    run: () => {
      const results = tf.tidy(run);
      // Dispatches wait in a batch until something reads: this is what reading does first.
      backend.endComputePassEncoder();
      backend.submitQueue();
      return results;
    },
    read: async (results) => {
      const values = {};
      for (const [name, tensor] of Object.entries(results)) values[name] = await tensor.data();
      return values;
    },
    free: (results) => {
      for (const tensor of Object.values(results)) if (!(tensor instanceof tf.Variable)) tensor.dispose();
    },
  };
}

/** As one tries things out: a read sends off what was dispatched. */
function prepareEager(tf, { a, b }) {
  return {
    run: () => ({ y: tf.tidy(() => tf.relu(tf.add(tf.mul(a, b), a))) }),
    wait: async (results) => {
      const { y } = results;
      results.y = await y.data();
      y.dispose();
    },
    read: async (results) => results,
    free: () => {},
  };
}

const bodies = {
  matmul: (tf, { a, b }) => ({ y: tf.matMul(a, b) }),
  softmax: (tf, { x }) => ({ y: tf.softmax(x) }),
  layerNorm: (tf, { x, weight, bias }) => ({ y: layerNorm(tf, x, weight, bias) }),
  layerNormBackward: (tf, { x, weight, bias, dy }) => {
    let y;
    const forward = (...values) => (y = tf.keep(layerNorm(tf, ...values)));
    const [dx, dweight, dbias] = tf.grads(forward)([x, weight, bias], dy);
    return { y, dx, dweight, dbias };
  },
  gelu: (_, { x }) => ({ y: gelu(x) }),
  add: (tf, { a, b }) => ({ y: tf.add(a, b) }),
  sum: (tf, { x }) => ({ y: tf.sum(x) }),
  transpose: (tf, { x }) => ({ y: tf.transpose(x) }),
  attention: (tf, { q, k, v }) => ({ y: attention(tf, q, k, v) }),
  attentionBackward: (tf, { q, k, v, dy }) => {
    let y;
    const forward = (...values) => (y = tf.keep(attention(tf, ...values)));
    const [dq, dk, dv] = tf.grads(forward)([q, k, v], dy);
    return { y, dq, dk, dv };
  },
};

function layerNorm(tf, x, weight, bias) {
  const { mean, variance } = tf.moments(x, -1, true);
  return x.sub(mean).mul(variance.add(layerNormEps).rsqrt()).mul(weight).add(bias);
}

function gelu(x) {
  return x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
}

function attention(tf, q, k, v) {
  const scores = tf.matMul(q, k, false, true).mul(1 / Math.sqrt(q.shape.at(-1)));
  return tf.matMul(tf.softmax(scores), v);
}

function ofBlock(tf, kind, { batch, tokens, dim, heads }, { x, ...weights }) {
  const variables = Object.fromEntries(Object.entries(weights).map(([name, values]) => [name, tf.variable(values)]));
  const rows = batch * tokens;
  const norm = (values, name) => layerNorm(tf, values, variables[`${name}.weight`], variables[`${name}.bias`]);
  const linear = (a, name) => tf.fused.matMul({ a, b: variables[`${name}.weight`], bias: variables[`${name}.bias`] });
  const forward = () => {
    const input = x.reshape([rows, dim]);
    const qkv = linear(norm(input, 'norm1'), 'attn.qkv').reshape([batch, tokens, 3, heads, dim / heads]);
    const [q, k, v] = qkv.transpose([2, 0, 3, 1, 4]).unstack(0);
    const attended = attention(tf, q, k, v).transpose([0, 2, 1, 3]).reshape([rows, dim]);
    const x1 = input.add(linear(attended, 'attn.proj'));
    return x1.add(linear(gelu(linear(norm(x1, 'norm2'), 'mlp.fc1')), 'mlp.fc2'));
  };
  const lossOf = () => forward().square().mean();
  if (kind === 'block') return () => ({ y: forward() });
  const list = Object.values(variables);
  if (kind === 'blockBackward') {
    return () => {
      const { value, grads } = tf.variableGrads(lossOf, list);
      const named = Object.entries(variables).map(([name, { name: id }]) => [`d ${name}`, grads[id]]);
      return { loss: value, ...Object.fromEntries(named) };
    };
  }
  const optimizer = tf.train.adam(adam.lr, adam.beta1, adam.beta2, adam.eps);
  return () => {
    const loss = optimizer.minimize(lossOf, true, list);
    return { loss, ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [`new ${name}`, value])) };
  };
}
