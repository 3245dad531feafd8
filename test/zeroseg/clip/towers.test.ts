import { expect, it } from 'vitest';
import { freeParameters } from '../../../src/nn/layers/module.ts';
import type { StoredTensor } from '../../../src/nn/safetensors/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { loadClipVision } from '../../../src/zeroseg/clip-files/load.ts';
import { clipConfig } from '../../../src/zeroseg/clip-files/tensor-sizes.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** An image tower of one layer in OpenAI's names: width 32, 2 × 2 patches of 4 pixels, MLPs 74 wide. */
const [WIDTH, HIDDEN, PATCH, OUT] = [32, 74, 4, 6];
const shapes: Record<string, number[]> = {
  'visual.class_embedding': [WIDTH],
  'visual.conv1.weight': [WIDTH, 3, PATCH, PATCH],
  'visual.positional_embedding': [5, WIDTH],
  'visual.ln_pre.weight': [WIDTH],
  'visual.ln_pre.bias': [WIDTH],
  'visual.ln_post.weight': [WIDTH],
  'visual.ln_post.bias': [WIDTH],
  'visual.proj': [WIDTH, OUT],
  'visual.transformer.resblocks.0.ln_1.weight': [WIDTH],
  'visual.transformer.resblocks.0.ln_1.bias': [WIDTH],
  'visual.transformer.resblocks.0.ln_2.weight': [WIDTH],
  'visual.transformer.resblocks.0.ln_2.bias': [WIDTH],
  'visual.transformer.resblocks.0.attn.in_proj_weight': [3 * WIDTH, WIDTH],
  'visual.transformer.resblocks.0.attn.in_proj_bias': [3 * WIDTH],
  'visual.transformer.resblocks.0.attn.out_proj.weight': [WIDTH, WIDTH],
  'visual.transformer.resblocks.0.attn.out_proj.bias': [WIDTH],
  'visual.transformer.resblocks.0.mlp.c_fc.weight': [HIDDEN, WIDTH],
  'visual.transformer.resblocks.0.mlp.c_fc.bias': [HIDDEN],
  'visual.transformer.resblocks.0.mlp.c_proj.weight': [WIDTH, HIDDEN],
  'visual.transformer.resblocks.0.mlp.c_proj.bias': [WIDTH],
};
const random = seeded(11);
const values = new Map(
  Object.entries(shapes).map(([name, shape]) => {
    const n = shape.reduce((a, b) => a * b);
    const base = name.includes('ln_') && name.endsWith('weight') ? 1 : 0;
    return [name, Float32Array.from({ length: n }, () => base + 0.3 * normal(random))];
  }),
);
const pixels = Float32Array.from({ length: 3 * 64 }, () => normal(random));

const stored = (names: (name: string) => [string, (data: Float32Array) => Float32Array, number[]][]) => {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, data] of values) {
    for (const [theirs, part, shape] of names(name)) {
      const bytes = new Uint8Array(part(data).slice().buffer);
      tensors.set(theirs, { file: 'F', name: theirs, dtype: 'F32', shape, bytes });
    }
  }
  return tensors;
};
const openAi = stored((name) => [[name, (data) => data, shapes[name] as number[]]]);
/** The same tower in Hugging Face's names. */
const huggingFace = stored((name) => {
  const shape = shapes[name] as number[];
  const at = 'vision_model.encoder.layers.0';
  const kind = name.slice(name.lastIndexOf(/in_proj/.test(name) ? '_' : '.') + 1);
  if (name.includes('in_proj')) {
    return ['q', 'k', 'v'].map((p, i) => {
      const rows = [WIDTH, ...shape.slice(1)];
      const n = rows.reduce((a, b) => a * b);
      return [`${at}.self_attn.${p}_proj.${kind}`, (data) => data.subarray(i * n, (i + 1) * n), rows];
    });
  }
  if (name === 'visual.proj') {
    const turn = (data: Float32Array) =>
      Float32Array.from(data, (_, i) => data[(i % WIDTH) * OUT + Math.floor(i / WIDTH)] as number);
    return [['visual_projection.weight', turn, [OUT, WIDTH]]];
  }
  const theirs = name
    .replace('visual.class_embedding', 'vision_model.embeddings.class_embedding')
    .replace('visual.conv1', 'vision_model.embeddings.patch_embedding')
    .replace('visual.positional_embedding', 'vision_model.embeddings.position_embedding.weight')
    .replace('visual.ln_pre', 'vision_model.pre_layrnorm')
    .replace('visual.ln_post', 'vision_model.post_layernorm')
    .replace('visual.transformer.resblocks.0', at)
    .replace(/\.ln_([12])/, '.layer_norm$1')
    .replace('attn.out_proj', 'self_attn.out_proj')
    .replace('mlp.c_fc', 'mlp.fc1')
    .replace('mlp.c_proj', 'mlp.fc2');
  return [[theirs, (data) => data, shape]];
});

const acts: Record<string, (x: number) => number> = {
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(0, x),
};

/** By its series: enough for what is met here. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** The tower in float64. */
function reference(heads: number, act: (x: number) => number, eps: number): number[] {
  const of = (name: string) => values.get(`visual.${name}`) as Float32Array;
  const linear = (x: number[], weight: Float32Array, bias?: Float32Array) =>
    Array.from({ length: weight.length / x.length }, (_, o) =>
      x.reduce((sum, v, i) => sum + v * (weight[o * x.length + i] as number), bias?.[o] ?? 0),
    );
  const norm = (x: number[], name: string) => {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    const [w, b] = [of(`${name}.weight`), of(`${name}.bias`)];
    return x.map((v, i) => ((v - mean) / Math.sqrt(variance + eps)) * (w[i] as number) + (b[i] as number));
  };
  const patches = [0, 1, 2, 3].map((p) =>
    Array.from({ length: 48 }, (_, i) => {
      const [c, y, x] = [Math.floor(i / 16), Math.floor(i / 4) % 4, i % 4];
      return pixels[c * 64 + (4 * (p >> 1) + y) * 8 + 4 * (p & 1) + x] as number;
    }),
  );
  let rows = [[...of('class_embedding')], ...patches.map((p) => linear(p, of('conv1.weight')))].map((row, t) =>
    norm(
      row.map((v, c) => v + (of('positional_embedding')[t * WIDTH + c] as number)),
      'ln_pre',
    ),
  );
  const b = 'transformer.resblocks.0';
  const qkv = rows.map((row) =>
    linear(norm(row, `${b}.ln_1`), of(`${b}.attn.in_proj_weight`), of(`${b}.attn.in_proj_bias`)),
  );
  const d = WIDTH / heads;
  rows = rows.map((row, t) => {
    const joined = Array.from({ length: heads }, (_, h) => {
      const part = (all: number[], from: number) => all.slice(from * WIDTH + h * d, from * WIDTH + (h + 1) * d);
      const q = part(qkv[t] as number[], 0);
      const e = qkv.map((k) =>
        Math.exp(part(k, 1).reduce((sum, v, i) => sum + v * (q[i] as number), 0) / Math.sqrt(d)),
      );
      const all = e.reduce((x, y) => x + y);
      return Array.from({ length: d }, (_, i) =>
        qkv.reduce((sum, k, j) => sum + ((e[j] as number) / all) * (part(k, 2)[i] as number), 0),
      );
    }).flat();
    const attended = linear(joined, of(`${b}.attn.out_proj.weight`), of(`${b}.attn.out_proj.bias`)).map(
      (v, c) => v + (row[c] as number),
    );
    const hidden = linear(norm(attended, `${b}.ln_2`), of(`${b}.mlp.c_fc.weight`), of(`${b}.mlp.c_fc.bias`)).map(act);
    return linear(hidden, of(`${b}.mlp.c_proj.weight`), of(`${b}.mlp.c_proj.bias`)).map(
      (v, c) => v + (attended[c] as number),
    );
  });
  const last = norm(rows[0] as number[], 'ln_post');
  return Array.from({ length: OUT }, (_, o) =>
    last.reduce((sum, v, i) => sum + v * (of('proj')[i * OUT + o] as number), 0),
  );
}

const open = (vision: object, model: object = {}) => ({
  model_cfg: { ...model, vision_cfg: { width: WIDTH, mlp_ratio: 2.32, ...vision }, text_cfg: {} },
});
const hf = (vision: object) => ({
  model_type: 'clip',
  vision_config: { num_attention_heads: 4, intermediate_size: HIDDEN, ...vision },
});

const cases = [
  ['open_clip', openAi, open({ head_width: 8 }), 4, 'gelu', 1e-5],
  ['open_clip, quick_gelu', openAi, open({ head_width: 16 }, { quick_gelu: true }), 2, 'quick_gelu', 1e-5],
  [
    'open_clip, tanh, eps',
    openAi,
    open({ head_width: 32, act_kwargs: { approximate: 'tanh' }, norm_kwargs: { eps: 0.1 } }),
    1,
    'tanh',
    0.1,
  ],
  ['quick_gelu', huggingFace, hf({ hidden_act: 'quick_gelu' }), 4, 'quick_gelu', 1e-5],
  ['gelu', huggingFace, hf({ hidden_act: 'gelu' }), 4, 'gelu', 1e-5],
  ['gelu_new', huggingFace, hf({ hidden_act: 'gelu_new', num_attention_heads: 8 }), 8, 'tanh', 1e-5],
  ['gelu_pytorch_tanh', huggingFace, hf({ hidden_act: 'gelu_pytorch_tanh' }), 4, 'tanh', 1e-5],
  ['relu, eps', huggingFace, hf({ hidden_act: 'relu', layer_norm_eps: 0.1 }), 4, 'relu', 0.1],
  ['by default', huggingFace, hf({}), 4, 'quick_gelu', 1e-5],
] as const;

it.each(cases)('features as the settings say, in float64: %s', async (_, tensors, settings, heads, act, eps) => {
  const config = clipConfig(tensors, 'F', settings);
  expect(config.vision).toMatchObject({ width: WIDTH, heads, layers: 1, hidden: HIDDEN });
  const vision = await loadClipVision(device.current, tensors, 'F', config);
  const got = await read(vision.forward(tensor(device.current, pixels, [1, 3, 8, 8])));
  close(got, reference(heads, acts[act] as (x: number) => number, eps), 2e-6, 'features');
  freeParameters(vision);
});

it('the settings matter: no two of them give the same', () => {
  const seen = new Set(cases.map(([, , , heads, act, eps]) => `${heads} ${act} ${eps}`));
  const features = [...seen].map((key) => {
    const [heads, act, eps] = key.split(' ') as [string, string, string];
    return reference(Number(heads), acts[act] as (x: number) => number, Number(eps));
  });
  features.forEach((a, i) => {
    for (const b of features.slice(0, i))
      expect(Math.max(...a.map((v, c) => Math.abs(v - (b[c] as number))))).toBeGreaterThan(1e-4);
  });
});
