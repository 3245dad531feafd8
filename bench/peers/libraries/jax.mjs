import { adam, layerNormEps } from '../workloads.mjs';

/** jax-js: every workload is one function under `jit`. An array is used up where it is passed, unless `.ref` keeps it. */
export async function open() {
  const jax = await import('@jax-js/jax');
  const backends = await jax.init('webgpu');
  if (!backends.includes('webgpu')) throw new Error('the WebGPU backend of jax-js did not start');
  jax.defaultDevice('webgpu');
  return {
    label: 'jax-js (jit)',
    prepare: (workload, inputs) => prepare(jax, workload, inputs),
  };
}

async function prepare(jax, { kind, shapes, sizes }, inputs) {
  const { numpy: np, tree } = jax;
  const arrays = {};
  for (const [name, shape] of Object.entries(shapes)) arrays[name] = np.array(inputs[name]).reshape(shape);
  await jax.blockUntilReady(arrays);
  if (kind === 'eager') return prepareEager(jax, arrays);
  const run = kind.startsWith('block') ? ofBlock(jax, kind, sizes, arrays) : ofOperation(jax, kind, arrays);
  return {
    run,
    // Launches are sent off where the first result is waited for.
    wait: (results) => jax.blockUntilReady(Object.values(results)[0]),
    read: async (results) => {
      const values = {};
      for (const [name, array] of Object.entries(results)) values[name] = await array.ref.data();
      return values;
    },
    free: (results) => {
      for (const [name, array] of Object.entries(results)) if (!name.startsWith('new ')) tree.dispose(array);
    },
  };
}

/** Without `jit`, as one tries things out. */
function prepareEager({ nn }, { a, b }) {
  return {
    run: () => ({ y: nn.relu(a.ref.mul(b.ref).add(a.ref)) }),
    wait: async (results) => {
      results.y = await results.y.data();
    },
    read: async (results) => results,
    free: () => {},
  };
}

function ofOperation(jax, kind, arrays) {
  const compiled = jax.jit((values) => bodies[kind](jax, values));
  return () => compiled(jax.tree.ref(arrays));
}

const bodies = {
  matmul: ({ numpy: np }, { a, b }) => ({ y: np.matmul(a, b) }),
  softmax: ({ nn }, { x }) => ({ y: nn.softmax(x) }),
  layerNorm: (jax, { x, weight, bias }) => ({ y: layerNorm(jax, x, weight, bias) }),
  layerNormBackward: (jax, { x, weight, bias, dy }) => {
    const [y, pull] = jax.vjp((...values) => layerNorm(jax, ...values), [x, weight, bias]);
    const [dx, dweight, dbias] = pull(dy);
    pull.dispose();
    return { y, dx, dweight, dbias };
  },
  gelu: ({ nn }, { x }) => ({ y: nn.gelu(x, { approximate: false }) }),
  add: ({ numpy: np }, { a, b }) => ({ y: np.add(a, b) }),
  sum: ({ numpy: np }, { x }) => ({ y: np.sum(x) }),
  transpose: ({ numpy: np }, { x }) => ({ y: np.transpose(x) }),
  attention: (jax, { q, k, v }) => ({ y: attention(jax, q, k, v) }),
  attentionBackward: (jax, { q, k, v, dy }) => {
    const [y, pull] = jax.vjp((...values) => attention(jax, ...values), [q, k, v]);
    const [dq, dk, dv] = pull(dy);
    pull.dispose();
    return { y, dq, dk, dv };
  },
};

function layerNorm({ nn }, x, weight, bias) {
  return nn.standardize(x, -1, { epsilon: layerNormEps }).mul(weight).add(bias);
}

/** All `[B, H, N, D]`. */
function attention({ numpy: np, nn }, q, k, v) {
  const scale = 1 / Math.sqrt(q.shape.at(-1));
  const scores = np.matmul(q, np.matrixTranspose(k)).mul(scale);
  return np.matmul(nn.softmax(scores, -1), v);
}

function ofBlock(jax, kind, { batch, tokens, dim, heads }, { x, ...weights }) {
  const { numpy: np, nn, tree } = jax;
  const rows = batch * tokens;
  const forward = (w, values) => {
    const linear = (input, name) => np.matmul(input, w[`${name}.weight`]).add(w[`${name}.bias`]);
    const norm = (input, name) => layerNorm(jax, input, w[`${name}.weight`], w[`${name}.bias`]);
    const input = values.reshape([rows, dim]);
    const qkv = linear(norm(input.ref, 'norm1'), 'attn.qkv').reshape([batch, tokens, 3, heads, dim / heads]);
    // nn.dotProductAttention would do, but parses its equations with what Node 20 does not have yet.
    const parts = np.transpose(qkv, [2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((part) => (part < 2 ? parts.ref : parts).slice(part));
    const attended = np.transpose(attention(jax, q, k, v), [0, 2, 1, 3]).reshape([rows, dim]);
    const x1 = input.add(linear(attended, 'attn.proj'));
    const hidden = nn.gelu(linear(norm(x1.ref, 'norm2'), 'mlp.fc1'), { approximate: false });
    return x1.add(linear(hidden, 'mlp.fc2'));
  };
  const lossOf = (w, values) => np.mean(np.square(forward(w, values)));

  if (kind === 'block') {
    const compiled = jax.jit((w, values) => ({ y: forward(w, values) }));
    return () => compiled(tree.ref(weights), x.ref);
  }
  if (kind === 'blockBackward') {
    const compiled = jax.jit((w, values) => {
      const [loss, gradients] = jax.valueAndGrad(lossOf)(w, values);
      return { loss, ...Object.fromEntries(Object.entries(gradients).map(([name, g]) => [`d ${name}`, g])) };
    });
    return () => compiled(tree.ref(weights), x.ref);
  }
  return ofTraining(jax, lossOf, weights, x);
}

/** AdamW written out, so that `jit` sees the whole step: that is faster than an optimizer of its own after it. */
function ofTraining(jax, lossOf, weights, x) {
  const { numpy: np, tree } = jax;
  const names = Object.keys(weights);
  const { lr, beta1, beta2, eps } = adam;
  const compiled = jax.jit((w, m, v, rates, values) => {
    const [loss, gradients] = jax.valueAndGrad(lossOf)(tree.ref(w), values);
    const [next, nextM, nextV] = [{}, {}, {}];
    const rate = rates.ref.slice(0);
    const root = rates.slice(1);
    for (const name of names) {
      const g = gradients[name];
      nextM[name] = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      nextV[name] = v[name].mul(beta2).add(np.square(g).mul(1 - beta2));
      const step = rate.ref.mul(nextM[name].ref).div(np.sqrt(nextV[name].ref).mul(root.ref).add(eps));
      next[name] = w[name].sub(step);
    }
    tree.dispose([rate, root]);
    return { loss, next, nextM, nextV };
  });
  const zeros = () => Object.fromEntries(names.map((name) => [name, np.zeros(weights[name].shape)]));
  let state = { w: weights, m: zeros(), v: zeros() };
  let t = 0;
  return () => {
    t++;
    const rates = np.array(new Float32Array([lr / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t)]));
    const { loss, next, nextM, nextV } = compiled(state.w, state.m, state.v, rates, x.ref);
    state = { w: next, m: nextM, v: nextV };
    return { loss, ...Object.fromEntries(names.map((name) => [`new ${name}`, next[name]])) };
  };
}
