import * as reference from './reference.mjs';

/**
 * One thing that every library does.
 *
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} kind What libraries look up: one workload of a kind differs from another by its shapes only.
 * @property {Record<string, readonly number[]>} shapes Of the inputs.
 * @property {() => Record<string, Float32Array>} inputs The same numbers at every call.
 * @property {(inputs: Record<string, Float32Array>) => Expected[]} expected What the first runs must give.
 * @property {Goal} goal
 * @property {object} [sizes] Of a block.
 *
 * @typedef {{ least: number, aim: number }} Goal Times as fast as the fastest other library that is right.
 *
 * @typedef {Record<string, { count: number, indexes: Uint32Array, values: Float64Array, scale: number, tolerance: number }>}
 *   Expected Some elements of each output: the largest error over `scale` must be below `tolerance`.
 */

const twice = { least: 2, aim: 4 };
const equal = { least: 1, aim: 1 };
const attentionGoal = { least: 3, aim: 6 };

const sizes = { batch: 4, tokens: 197, dim: 384, heads: 6, hidden: 1536, eps: 1e-6 };
export const adam = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
export const layerNormEps = sizes.eps;

/** @type {readonly Workload[]} */
export const workloads = [
  matmul('matmul 512³', [], 512, 512, 512, twice),
  matmul('matmul 1024³', [], 1024, 1024, 1024, twice),
  matmul('matmul 788×768×3072', [], 788, 768, 3072, twice),
  matmul('batched 12×197×64×197', [12], 197, 64, 197, { least: 5, aim: 9 }),
  workload('softmax [2364, 197]', 'softmax', { x: [2364, 197] }, twice, ({ x }) => ({ y: reference.softmax(x, 197) })),
  workload('layer norm [788, 768]', 'layerNorm', normShapes(788, 768), twice, ({ x, weight, bias }) => ({
    y: reference.layerNorm(wide(x), weight, bias, layerNormEps).y,
  })),
  workload(
    'layer norm forward + backward',
    'layerNormBackward',
    { ...normShapes(788, 768), dy: [788, 768] },
    twice,
    ({ x, weight, bias, dy }) => {
      const { y, backward } = reference.layerNorm(wide(x), weight, bias, layerNormEps);
      return { y, ...backward(wide(dy)) };
    },
  ),
  workload('GELU [788, 3072]', 'gelu', { x: [788, 3072] }, equal, ({ x }) => ({ y: reference.gelu(x) })),
  workload('add [788, 3072]', 'add', { a: [788, 3072], b: [788, 3072] }, equal, ({ a, b }) => ({
    y: reference.add(wide(a), b),
  })),
  workload('sum of 4 M', 'sum', { x: [4 * 1024 * 1024] }, equal, ({ x }) => ({
    y: Float64Array.of(x.reduce((sum, value) => sum + value, 0)),
  })),
  workload('transpose 1024²', 'transpose', { x: [1024, 1024] }, equal, ({ x }) => ({
    y: reference.transpose(x, 1024, 1024),
  })),
  workload('three small ops and a read [64]', 'eager', { a: [64], b: [64] }, { least: 1, aim: 2 }, ({ a, b }) => ({
    y: wide(a).map((value, i) => Math.max(0, value * b[i] + value)),
  })),
  attention('attention forward', 'attention', ['q', 'k', 'v']),
  attention('attention forward + backward', 'attentionBackward', ['q', 'k', 'v', 'dy']),
  block('ViT block forward', 'block', twice, (x, weights) => [
    outputs({ y: reference.block(x, weights, sizes).y }, 1e-4),
  ]),
  block('ViT block forward + backward', 'blockBackward', { least: 2.5, aim: 5 }, (x, weights) => {
    const { loss, gradients } = lossAndGradients(x, weights);
    return [outputs({ loss: Float64Array.of(loss), ...named('d ', gradients) }, 1e-3)];
  }),
  block('ViT block training step', 'blockTraining', { least: 2.5, aim: 5 }, (x, weights) => {
    const first = lossAndGradients(x, weights);
    const updated = {};
    const expected = {};
    for (const [name, gradient] of Object.entries(first.gradients)) {
      // Adam's first step is lr · sign(gradient): a gradient that is all rounding (that of the keys' bias is 0) tells nothing.
      const least = Math.max(1e-8, 0.05 * rms(gradient));
      const indexes = sample(gradient.length).filter((i) => Math.abs(gradient[i]) > least);
      const values = weights[name].map((w, i) => w - (adam.lr * gradient[i]) / (Math.abs(gradient[i]) + adam.eps));
      updated[name] = values;
      expected[`new ${name}`] = output(values, { indexes, scale: adam.lr, tolerance: 1e-2 });
    }
    const second = lossOf(reference.block(x, updated, sizes).y);
    const scale = Math.abs(second - first.loss);
    return [
      { loss: output(Float64Array.of(first.loss), { scale, tolerance: 1e-2 }), ...expected },
      { loss: output(Float64Array.of(second), { scale, tolerance: 1e-2 }) },
    ];
  }),
];

function matmul(name, batch, m, k, n, goal) {
  const shapes = { a: [...batch, m, k], b: [...batch, k, n] };
  const count = product(batch) * m * n;
  return {
    ...workload(name, 'matmul', shapes, goal, () => ({})),
    expected: ({ a, b }) => {
      const indexes = sample(count, 500);
      const values = new Float64Array(indexes.length);
      indexes.forEach((index, s) => {
        const [image, i, j] = [Math.floor(index / (m * n)), Math.floor(index / n) % m, index % n];
        for (let t = 0; t < k; t++) values[s] += a[(image * m + i) * k + t] * b[(image * k + t) * n + j];
      });
      return [{ y: { count, indexes, values, scale: rms(values), tolerance: 1e-4 } }];
    },
  };
}

function attention(name, kind, inputs) {
  const [batch, heads, tokens, width] = [2, 12, 197, 64];
  const shapes = Object.fromEntries(inputs.map((input) => [input, [batch, heads, tokens, width]]));
  return workload(`${name} B 2 H 12 N 197 D 64`, kind, shapes, attentionGoal, (values) => {
    const results = {};
    for (let h = 0; h < batch * heads; h++) {
      const head = Object.fromEntries(
        inputs.map((input) => [input, wide(values[input]).subarray(h * tokens * width, (h + 1) * tokens * width)]),
      );
      const { y, backward } = reference.attentionHead(head.q, head.k, head.v, tokens, width);
      for (const [output, part] of Object.entries({ y, ...(head.dy ? backward(head.dy) : {}) })) {
        results[output] ??= new Float64Array(values.q.length);
        results[output].set(part, h * tokens * width);
      }
    }
    return results;
  });
}

/** `expected` gets the input and the weights in float64. */
function block(name, kind, goal, expected) {
  const { batch, tokens, dim, hidden } = sizes;
  const linear = (inputs, outputs) => ({ weight: [inputs, outputs], bias: [outputs] });
  const norm = { weight: [dim], bias: [dim] };
  const modules = {
    norm1: norm,
    'attn.qkv': linear(dim, 3 * dim),
    'attn.proj': linear(dim, dim),
    norm2: norm,
    'mlp.fc1': linear(dim, hidden),
    'mlp.fc2': linear(hidden, dim),
  };
  const shapes = { x: [batch, tokens, dim] };
  for (const [module, fields] of Object.entries(modules)) {
    for (const [field, shape] of Object.entries(fields)) shapes[`${module}.${field}`] = shape;
  }
  return {
    ...workload(`${name} B 4 N 197 C 384 H 6 F 1536`, kind, shapes, goal, () => ({})),
    sizes,
    expected: ({ x, ...weights }) => {
      const doubled = Object.fromEntries(Object.entries(weights).map(([key, values]) => [key, wide(values)]));
      return expected(wide(x), doubled);
    },
  };
}

/** The loss of the block's workloads: the mean of the squares of its output. */
function lossOf(y) {
  return y.reduce((sum, value) => sum + value * value, 0) / y.length;
}

function lossAndGradients(x, weights) {
  const { y, backward } = reference.block(x, weights, sizes);
  return { loss: lossOf(y), gradients: backward(y.map((value) => (2 * value) / y.length)) };
}

/** @returns {Workload} */
function workload(name, kind, shapes, goal, results) {
  return {
    name,
    kind,
    shapes,
    goal,
    inputs: () => Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, numbers(kind, key, shape)])),
    expected: (inputs) => [outputs(results(inputs), 1e-4)],
  };
}

/** Normal numbers; uniform ones for the sum, so that it is not all cancellation; weights as a layer starts with. */
function numbers(kind, name, shape) {
  const uniform = random(`${kind} ${name} ${shape}`);
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const deviation = name.endsWith('weight') && shape.length === 2 ? Math.sqrt(1 / shape[0]) : 0.1;
  const draw = () => {
    if (kind === 'sum') return uniform();
    if (name.endsWith('weight') && shape.length === 1) return 1 + 0.1 * normal();
    if (name.endsWith('weight') || name.endsWith('bias')) return deviation * normal();
    return normal();
  };
  return Float32Array.from({ length: product(shape) }, draw);
}

/** Numbers in [0, 1) from a name (mulberry32 of its FNV-1a hash). */
function random(name) {
  let state = 0x811c9dc5;
  for (const letter of name) state = Math.imul(state ^ letter.codePointAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function outputs(results, tolerance) {
  return Object.fromEntries(Object.entries(results).map(([name, values]) => [name, output(values, { tolerance })]));
}

function output(values, { indexes = sample(values.length), scale = rms(values), tolerance }) {
  return { count: values.length, indexes, values: Float64Array.from(indexes, (i) => values[i]), scale, tolerance };
}

/** Indexes of at most `most` elements, the first and the last among them. */
function sample(count, most = 20_000) {
  if (count <= most) return Uint32Array.from({ length: count }, (_, i) => i);
  const uniform = random(`sample of ${count}`);
  return Uint32Array.from({ length: most }, (_, i) =>
    i === 0 ? 0 : i === 1 ? count - 1 : Math.floor(uniform() * count),
  );
}

function rms(values) {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

function wide(values) {
  return Float64Array.from(values);
}

function named(prefix, values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}

function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}

function normShapes(rows, cols) {
  return { x: [rows, cols], weight: [cols], bias: [cols] };
}
