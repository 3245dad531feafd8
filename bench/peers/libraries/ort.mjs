import { devices } from '../meter.mjs';
import { layerNormEps } from '../workloads.mjs';
import { model } from './onnx.mjs';

/**
 * onnxruntime-web: forward only. Every workload is a model whose inputs and outputs stay on the GPU.
 *
 * @param {object} [variant]
 * @param {boolean} [variant.older] The provider that is written in TypeScript (JSEP), instead of the one in C++.
 * @param {boolean} [variant.fused] Attention as one operator (`MultiHeadAttention`) instead of five.
 */
export async function open(_, { older = false, fused = false } = {}) {
  const ort = await (older ? import('onnxruntime-web/all') : import('onnxruntime-web/webgpu'));
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  acceptSharedMemory();
  return {
    label: `onnxruntime-web ${ort.env.versions.web}${older ? ', older provider' : ''}${fused ? ', fused attention' : ''}`,
    prepare: (workload, inputs) => prepare(ort, fused, workload, inputs),
  };
}

/** Dawn for Node refuses what browsers take, and what both providers give: shared memory. */
function acceptSharedMemory() {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...range) {
    const view = data instanceof SharedArrayBuffer ? new Uint8Array(data) : data;
    if (!(view.buffer instanceof SharedArrayBuffer)) return writeBuffer.call(this, buffer, offset, data, ...range);
    const [from = 0, count = view.length - from] = range;
    return writeBuffer.call(this, buffer, offset, view.slice(from, from + count));
  };
}

async function prepare(ort, fused, { kind, shapes, sizes }, values) {
  const graph = graphs[`${kind}${fused ? 'Fused' : ''}`]?.({ shapes, sizes, values });
  if (!graph) return undefined;
  const inputs = Object.fromEntries(Object.entries(shapes).filter(([name]) => !graph.constants[name]));
  const session = await ort.InferenceSession.create(model({ inputs, ...graph }), {
    executionProviders: ['webgpu'],
    preferredOutputLocation: 'gpu-buffer',
    graphOptimizationLevel: 'all',
  });
  // Opened with the session.
  const device = await devices.at(-1);
  const feeds = {};
  for (const [name, shape] of Object.entries(inputs)) {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const buffer = device.createBuffer({ size: values[name].byteLength, usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, values[name]);
    feeds[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims: shape });
  }
  return {
    run: () => session.run(feeds),
    read: async (results) => {
      const found = {};
      for (const [name, tensor] of Object.entries(results)) found[name] = await tensor.getData();
      return found;
    },
    free: (results) => {
      for (const tensor of Object.values(results)) tensor.dispose();
    },
  };
}

const simple = (op, inputs, shape, attributes = {}, domain = '') => ({
  outputs: { y: shape },
  constants: {},
  nodes: [{ op, inputs, outputs: ['y'], attributes, domain }],
});

const graphs = {
  matmul: ({ shapes: { a, b } }) => simple('MatMul', ['a', 'b'], [...a.slice(0, -1), b.at(-1)]),
  softmax: ({ shapes: { x } }) => simple('Softmax', ['x'], x),
  layerNorm: ({ shapes: { x } }) =>
    simple('LayerNormalization', ['x', 'weight', 'bias'], x, { axis: -1, epsilon: layerNormEps }),
  gelu: ({ shapes: { x } }) => simple('Gelu', ['x'], x, {}, 'com.microsoft'),
  add: ({ shapes: { a } }) => simple('Add', ['a', 'b'], a),
  sum: () => simple('ReduceSum', ['x'], [], { keepdims: 0 }),
  transpose: ({ shapes: { x } }) => simple('Transpose', ['x'], [...x].reverse(), { perm: [1, 0] }),

  attention({ shapes }) {
    const writer = new Graph();
    attention(writer, 'q', 'k', 'v', shapes.q.at(-1), 'y');
    return writer.done({ y: shapes.q });
  },

  /** The fused operator wants `[B, N, H · D]`: the transposes are part of it, as in a model that has heads in front. */
  attentionFused({ shapes: { q: shape } }) {
    const [batch, heads, tokens, width] = shape;
    const writer = new Graph();
    const flat = ['q', 'k', 'v'].map((name) => {
      const rows = writer.add('Transpose', [name], { perm: [0, 2, 1, 3] });
      return writer.reshape(rows, [batch, tokens, heads * width]);
    });
    const attended = writer.add('MultiHeadAttention', flat, { num_heads: heads }, undefined, 'com.microsoft');
    const split = writer.reshape(attended, [batch, tokens, heads, width]);
    writer.add('Transpose', [split], { perm: [0, 2, 1, 3] }, 'y');
    return writer.done({ y: shape });
  },

  block: (given) => block(given, false),
  blockFused: (given) => block(given, true),
};

/** All `[B, H, N, D]`. */
function attention(writer, q, k, v, width, output) {
  const turned = writer.add('Transpose', [k], { perm: [0, 1, 3, 2] });
  const scaled = writer.add('Mul', [q, writer.scalar(1 / Math.sqrt(width))]);
  const weights = writer.add('Softmax', [writer.add('MatMul', [scaled, turned])], { axis: -1 });
  return writer.add('MatMul', [weights, v], {}, output);
}

function block({ shapes, sizes, values }, fused) {
  const { batch, tokens, dim, heads, eps } = sizes;
  const writer = new Graph();
  for (const [name, shape] of Object.entries(shapes)) {
    if (name !== 'x') writer.constants[name] = { shape, values: values[name] };
  }
  const norm = (x, name) =>
    writer.add('LayerNormalization', [x, `${name}.weight`, `${name}.bias`], { axis: -1, epsilon: eps });
  const linear = (x, name) => writer.add('Add', [writer.add('MatMul', [x, `${name}.weight`]), `${name}.bias`]);

  const qkv = linear(norm('x', 'norm1'), 'attn.qkv');
  let attended;
  if (fused) {
    const parts = writer.split(qkv, 2, 3);
    attended = writer.add('MultiHeadAttention', parts, { num_heads: heads }, undefined, 'com.microsoft');
  } else {
    const split = writer.reshape(qkv, [batch, tokens, 3, heads, dim / heads]);
    const turned = writer.add('Transpose', [split], { perm: [2, 0, 3, 1, 4] });
    const parts = writer.split(turned, 0, 3).map((part) => writer.reshape(part, [batch, heads, tokens, dim / heads]));
    const y = writer.add('Transpose', [attention(writer, ...parts, dim / heads)], { perm: [0, 2, 1, 3] });
    attended = writer.reshape(y, [batch, tokens, dim]);
  }
  const x1 = writer.add('Add', ['x', linear(attended, 'attn.proj')]);
  const hidden = writer.add('Gelu', [linear(norm(x1, 'norm2'), 'mlp.fc1')], {}, undefined, 'com.microsoft');
  writer.add('Add', [x1, linear(hidden, 'mlp.fc2')], {}, 'y');
  return writer.done({ y: shapes.x });
}

/** Nodes in order, with names for what is between them. */
class Graph {
  constants = {};
  nodes = [];

  add(op, inputs, attributes = {}, output = this.#name(), domain = '') {
    this.nodes.push({ op, inputs, outputs: [output], attributes, domain });
    return output;
  }

  reshape(x, shape) {
    const name = this.#name();
    this.constants[name] = { shape: [shape.length], values: BigInt64Array.from(shape, BigInt) };
    return this.add('Reshape', [x, name]);
  }

  split(x, axis, count) {
    const outputs = Array.from({ length: count }, () => this.#name());
    this.nodes.push({ op: 'Split', inputs: [x], outputs, attributes: { axis, num_outputs: count } });
    return outputs;
  }

  scalar(value) {
    const name = this.#name();
    this.constants[name] = { shape: [], values: Float32Array.of(value) };
    return name;
  }

  done(outputs) {
    return { outputs, constants: this.constants, nodes: this.nodes };
  }

  #name() {
    return `t${this.#names++}`;
  }

  #names = 0;
}
