import { describe, expect, it } from 'vitest';
import { CheckpointError, type StoredTensor } from '../../../src/nn/safetensors/index.ts';
import { clipSettings } from '../../../src/zeroseg/clip-files/settings.ts';
import { clipConfig } from '../../../src/zeroseg/clip-files/tensor-sizes.ts';
import { groupVitSettings } from '../../../src/zeroseg/groupvit/settings.ts';

type Json = Record<string, unknown>;

/** The message, or what was read. */
function read(settings: unknown): { message?: string; found?: ReturnType<typeof clipSettings> } {
  try {
    return { found: clipSettings(settings, 'F') };
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return { message: (error as Error).message };
  }
}

const hf = (vision: Json, text: Json = {}, top: Json = {}) => ({
  model_type: 'clip',
  vision_config: { hidden_size: 768, ...vision },
  text_config: { hidden_size: 512, ...text },
  ...top,
});
const open = (vision: Json = {}, text: Json = {}, model: Json = {}, preprocess_cfg: Json = {}) => ({
  model_cfg: {
    embed_dim: 8,
    vision_cfg: { width: 64, layers: 1, ...vision },
    text_cfg: { width: 64, ...text },
    ...model,
  },
  preprocess_cfg,
});

describe('activations', () => {
  const published = {
    quick_gelu: 'quick_gelu',
    gelu: 'gelu',
    gelu_python: 'gelu',
    gelu_new: 'gelu_tanh',
    gelu_fast: 'gelu_tanh',
    gelu_accurate: 'gelu_tanh',
    gelu_pytorch_tanh: 'gelu_tanh',
    relu: 'relu',
  };
  it.each(Object.entries(published))('hidden_act %s', (hidden_act, ours) => {
    const { found } = read(hf({ hidden_act }));
    expect([found?.vision.activation, found?.text.activation]).toEqual([ours, 'quick_gelu']);
    expect(read(hf({}, { hidden_act })).found?.text.activation).toBe(ours);
  });

  const others =
    'gelu_10 laplace leaky_relu linear mish relu2 relu6 sigmoid silu swish tanh prelu constructor toString';
  it.each(others.split(' '))('hidden_act %s is refused by name', (hidden_act) => {
    for (const [settings, at] of [
      [hf({ hidden_act }), 'vision_config'],
      [hf({}, { hidden_act }), 'text_config'],
    ] as const) {
      expect(read(settings).message).toBe(
        `F: '${at}.hidden_act' is "${hidden_act}"; of activations, ${Object.keys(published).join(', ')} are computed here`,
      );
    }
  });

  it('of open_clip: GELU with erf, quick_gelu for both towers, tanh by keyword', () => {
    const of = (settings: unknown) => {
      const { found } = read(settings);
      return [found?.vision.activation, found?.text.activation];
    };
    expect(of(open())).toEqual(['gelu', 'gelu']);
    expect(of(open({}, {}, { quick_gelu: true }))).toEqual(['quick_gelu', 'quick_gelu']);
    expect(of(open({}, {}, { quick_gelu: false, force_quick_gelu: true }))).toEqual(['quick_gelu', 'quick_gelu']);
    expect(of(open({ act_kwargs: { approximate: 'tanh' } }))).toEqual(['gelu_tanh', 'gelu']);
    expect(of(open({}, { act_kwargs: { approximate: 'tanh' } }))).toEqual(['gelu', 'gelu_tanh']);
    expect(of(open({ act_kwargs: { approximate: 'none' } }, { act_kwargs: {} }))).toEqual(['gelu', 'gelu']);
    expect(read(open({ act_kwargs: { approximate: 'tanh' } }, {}, { quick_gelu: true })).message).toMatch(/act_kwargs/);
    expect(read(open({ act_kwargs: { inplace: true } })).message).toMatch(/act_kwargs/);
  });
});

/** Where a key is, a value that changes nothing or is honoured, and values that are not computed here. */
type KeyCase = readonly [key: string, taken: readonly unknown[], refused: readonly unknown[]];

const openClipVision: readonly KeyCase[] = [
  ['ls_init_value', [null], [1e-5]],
  ['patch_dropout', [0, 0.5], []],
  ['attentional_pool', [false, null], [true, 'parallel']],
  ['attn_pooler_queries', [256], []],
  ['attn_pooler_heads', [8], []],
  ['no_ln_pre', [false], [true]],
  ['pos_embed_type', ['learnable', 'sin_cos_2d'], ['rope', 'none']],
  ['final_ln_after_pool', [true, false], []],
  ['pool_type', ['tok'], ['avg', 'none', 'map']],
  ['output_tokens', [true], []],
  ['act_kwargs', [null, {}], [{ negative_slope: 1 }, 'tanh']],
  ['norm_kwargs', [null, {}, { eps: 1e-6 }], [{ eps: 0 }, { eps: '1e-6' }, { bias: false }, { other: 1 }]],
  ['block_type', [null, 'default'], ['custom']],
  ['qk_norm', [false], [true]],
  ['scaled_cosine_attn', [false], [true]],
  ['scale_heads', [false], [true]],
  ['scale_attn_inner', [false], [true]],
  ['scale_attn', [false], [true]],
  ['scale_fc', [false], [true]],
  ['input_patchnorm', [false], [true]],
  ['global_average_pool', [false], [true]],
  ['timm_model_name', [null, ''], ['vit_base_patch16_siglip_224']],
  ['timm_pool', ['avg'], []],
  ['layers', [1], [[3, 4, 6, 3], 0, 1.5]],
  ['patch_size', [16, [16, 16]], [[16, 8], -1]],
  ['image_size', [224, [224, 224]], [[224, 196]]],
  ['head_width', [64, 32], [0, 'wide']],
  ['mlp_ratio', [4, 4.9231], [0, -1]],
  ['a_key_of_tomorrow', [], [true, 0, 'x', null]],
  ['constructor', [], [1]],
];
const openClipText: readonly KeyCase[] = [
  ['heads', [8], [0, 'many']],
  ['pad_id', [1], []],
  ['eos_id', [2], []],
  ['embed_cls', [false], [true]],
  ['no_causal_mask', [false], [true]],
  ['pool_type', ['argmax'], ['first', 'last', 'eos', 'none']],
  ['proj_type', ['linear', null], ['none']],
  ['proj_bias', [false], [true]],
  ['text_mask', ['first'], ['syntax', 'random', 'simple']],
  ['bert_tokenizer', [false], [true]],
  ['tokenizer_kwargs', [null, {}], [{ clean: 'canonicalize' }]],
  ['hf_tokenizer_name', [null, ''], ['timm/ViT-B-16-SigLIP']],
  ['hf_model_name', [null, ''], ['roberta-base']],
  ['norm_kwargs', [{ eps: 1e-6 }], [{ eps: -1 }]],
  ['ls_init_value', [null], [0.1]],
  ['a_key_of_tomorrow', [], [true]],
];
const openClipModel: readonly KeyCase[] = [
  ['custom_text', [true, false], []],
  ['init_logit_bias', [-10], []],
  ['multimodal_cfg', [], [{ width: 512 }]],
  ['cast_dtype', ['fp16'], []],
  ['a_key_of_tomorrow', [], [1]],
];
const openClipPixels: readonly KeyCase[] = [
  ['interpolation', ['bicubic'], ['bilinear', 'random', 'nearest']],
  ['resize_mode', ['shortest'], ['squash', 'longest']],
  ['mean', [[0.5, 0.5, 0.5]], [0.5, [0.5], ['a', 'b', 'c']]],
  [
    'std',
    [[0.5, 0.5, 0.5]],
    [
      [0.5, 0, 0.5],
      [1, 2],
    ],
  ],
  ['mode', ['RGB'], ['L']],
  ['fill_color', [0], []],
  ['a_key_of_tomorrow', [], [1]],
];
const hfTower: readonly KeyCase[] = [
  ['num_attention_heads', [12, 8], [0, 1.5, '12']],
  ['layer_norm_eps', [1e-6], [0, -1, '1e-5']],
  ['num_channels', [3], [1, 4]],
  ['attention_dropout', [0.1], []],
  ['dropout', [0.1], []],
  ['initializer_range', [0.02], []],
  ['projection_dim', [512], []],
  ['pruned_heads', [{}], [{ 0: [1] }]],
  ['quantization_config', [null], [{ bits: 4 }]],
  ['is_decoder', [false], [true]],
  ['model_type', [], ['siglip_vision_model', 'chinese_clip_text_model']],
  ['a_key_of_tomorrow', [], [true]],
];
const hfTop: readonly KeyCase[] = [
  ['logit_scale_init_value', [2.6592], []],
  ['torch_dtype', ['float16'], []],
  ['model_type', ['clip'], ['siglip', 'chinese_clip', 'altclip', 'clipseg', 'clip_tomorrow']],
  ['quantization_config', [], [{ quant_method: 'fp8' }]],
  ['a_key_of_tomorrow', [], [true]],
];
const preprocessor: readonly KeyCase[] = [
  ['resample', [3], [2, 0]],
  ['do_normalize', [true], [false]],
  ['do_rescale', [true], [false]],
  ['rescale_factor', [1 / 255], [1]],
  ['image_mean', [[0.5, 0.5, 0.5]], [0.5]],
  ['image_std', [[0.5, 0.5, 0.5]], [[1, 1, -1]]],
];
const tables: Readonly<Record<string, readonly [cases: readonly KeyCase[], settings: (with_: Json) => unknown]>> = {
  vision_cfg: [openClipVision, (json) => open(json)],
  text_cfg: [openClipText, (json) => open({}, json)],
  model_cfg: [openClipModel, (json) => open({}, {}, json)],
  preprocess_cfg: [openClipPixels, (json) => open({}, {}, {}, json)],
  vision_config: [hfTower, (json) => hf(json)],
  text_config: [hfTower.filter(([key]) => key !== 'num_channels'), (json) => hf({}, json)],
  'config.json': [hfTop, (json) => hf({}, {}, json)],
  preprocessor_config: [preprocessor, (json) => hf({}, {}, { preprocessor: json })],
};

describe('every key is honoured, changes nothing, or is refused by its name', () => {
  for (const [where, [cases, settings]] of Object.entries(tables)) {
    it.each(cases)(`${where}: %s`, (key, taken, refused) => {
      for (const value of taken)
        expect(read(settings({ [key]: value })).message, JSON.stringify(value)).toBeUndefined();
      for (const value of refused) {
        expect(read(settings({ [key]: value })).message, JSON.stringify(value)).toMatch(
          new RegExp(`^F: '[^']*${key}[^']*'`),
        );
      }
    });
  }

  it('of GroupViT too', () => {
    const settings =
      (vision: Json, text: Json = {}, top: Json = {}) =>
      () =>
        groupVitSettings({ model_type: 'groupvit', vision_config: vision, text_config: text, ...top }, 'F');
    expect(
      settings({ hidden_act: 'gelu', assign_eps: 1, layer_norm_eps: 1e-6 }, { hidden_act: 'quick_gelu' })(),
    ).toMatchObject({
      vision: { eps: 1e-6, defaultHeads: 6 },
      text: { eps: 1e-5, defaultHeads: 4 },
    });
    for (const [key, value] of [
      ['hidden_act', 'relu'],
      ['assign_eps', 2],
      ['num_channels', 1],
      ['layer_norm_eps', 0],
      ['a_key_of_tomorrow', 1],
    ] as const) {
      expect(settings({ [key]: value }), key).toThrow(`'vision_config.${key}'`);
    }
    expect(settings({}, { hidden_act: 'gelu' })).toThrow(`'text_config.hidden_act'`);
    expect(settings({}, {}, { model_type: 'clip' })).toThrow(`'model_type'`);
  });
});

describe('what is honoured', () => {
  it('eps and heads of each tower, constants of pixels, the end of texts', () => {
    const { found } = read(
      open(
        { head_width: 16, norm_kwargs: { eps: 1e-6 } },
        { heads: 2 },
        {},
        { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
      ),
    );
    expect(found).toMatchObject({
      vision: { headWidth: 16, eps: 1e-6 },
      text: { heads: 2, eps: 1e-5 },
      mean: [0.1, 0.2, 0.3],
      std: [0.4, 0.5, 0.6],
    });
    const other = read(
      hf({ layer_norm_eps: 1e-6 }, { eos_token_id: 49407 }, { preprocessor: { image_mean: [0.5, 0.5, 0.5] } }),
    ).found;
    expect(other).toMatchObject({ vision: { eps: 1e-6 }, text: { eps: 1e-5, end: 49407 }, mean: [0.5, 0.5, 0.5] });
    // Written before 2023: 2 means the largest token.
    expect(read(hf({}, { eos_token_id: 2 })).found?.text.end).toBeUndefined();
  });

  it("the older spelling of Hugging Face's towers wins, with its defaults", () => {
    const { found } = read(
      hf({ hidden_act: 'gelu', num_attention_heads: 12 }, {}, { vision_config_dict: { num_attention_heads: 16 } }),
    );
    expect(found?.vision).toMatchObject({ heads: 16, activation: 'quick_gelu' });
  });

  it('one tower alone, as CLIPVisionModelWithProjection and CLIPTextModel save it', () => {
    const vision = read({
      model_type: 'clip_vision_model',
      hidden_size: 1280,
      num_attention_heads: 16,
      hidden_act: 'gelu',
      projection_dim: 1024,
    });
    expect(vision.found?.vision).toMatchObject({ heads: 16, activation: 'gelu' });
    const text = read({
      model_type: 'clip_text_model',
      hidden_size: 1024,
      num_attention_heads: 16,
      hidden_act: 'gelu',
      eos_token_id: 2,
    });
    expect(text.found?.text).toMatchObject({ heads: 16, activation: 'gelu' });
  });
});

describe('settings against tensors', () => {
  const tensor = (name: string, ...shape: number[]): [string, StoredTensor] => [
    name,
    { file: 'F', name, dtype: 'F32', shape, bytes: new Uint8Array() },
  ];
  const tensors = (width = 128, hidden = 512) =>
    new Map([
      tensor('visual.class_embedding', width),
      tensor('visual.conv1.weight', width, 3, 4, 4),
      tensor('visual.positional_embedding', 5, width),
      tensor('visual.transformer.resblocks.0.mlp.c_fc.weight', hidden, width),
      tensor('visual.proj', width, 8),
      tensor('token_embedding.weight', 50, 64),
      tensor('positional_embedding', 9, 64),
      tensor('transformer.resblocks.0.mlp.c_fc.weight', 256, 64),
      tensor('text_projection', 64, 8),
    ]);
  const config = (settings: unknown, stored = tensors()) => clipConfig(stored, 'F', settings);
  const fitting = (vision: Json = {}, text: Json = {}, model: Json = {}) =>
    open(
      { width: 128, layers: 1, patch_size: 4, image_size: 8, head_width: 32, ...vision },
      { heads: 2, ...text },
      model,
    );

  it('head_width, heads and mlp_ratio', () => {
    expect(config(fitting())).toEqual({
      vision: { width: 128, heads: 4, layers: 1, patch: 4, image: 8 },
      text: { width: 64, heads: 2, layers: 1, vocab: 50, context: 9 },
      projection: 8,
      activation: 'gelu',
      layer_norm_eps: 1e-5,
    });
    // Rounded down, as open_clip does.
    expect(config(fitting({ mlp_ratio: 2.307 }), tensors(128, 295)).vision.hidden).toBe(295);
    expect(config(fitting({}, { norm_kwargs: { eps: 1e-6 }, act_kwargs: { approximate: 'tanh' } })).text).toMatchObject(
      {
        activation: 'gelu_tanh',
        layer_norm_eps: 1e-6,
      },
    );
  });

  it.each([
    ['vision_cfg.width', fitting({ width: 64 })],
    ['vision_cfg.layers', fitting({ layers: 2 })],
    ['vision_cfg.patch_size', fitting({ patch_size: 8 })],
    ['vision_cfg.image_size', fitting({ image_size: 12 })],
    ['vision_cfg.mlp_ratio', fitting({ mlp_ratio: 3 })],
    ['text_cfg.mlp_ratio', fitting({}, { mlp_ratio: 3 })],
    ['text_cfg.width', fitting({}, { width: 32 })],
    ['text_cfg.vocab_size', fitting({}, { vocab_size: 51 })],
    ['text_cfg.context_length', fitting({}, { context_length: 77 })],
    ['embed_dim', fitting({}, {}, { embed_dim: 9 })],
    ['heads', fitting({ head_width: 48 })],
    ['heads', hf({ hidden_size: 128, num_attention_heads: 3 })],
    ['num_attention_heads', hf({ hidden_size: 128 })],
    [
      'num_hidden_layers',
      hf({ hidden_size: 128, num_attention_heads: 2, num_hidden_layers: 12 }, { num_attention_heads: 1 }),
    ],
    [
      'intermediate_size',
      hf({ hidden_size: 128, num_attention_heads: 2, intermediate_size: 500 }, { num_attention_heads: 1 }),
    ],
  ])('%s of another model is refused', (key, settings) => {
    expect(() => config(settings)).toThrow(key);
  });

  it('tensors under module. and text. are found', () => {
    const custom = [...tensors()].map(([name, t]): [string, StoredTensor] => [
      `module.${name.startsWith('visual.') ? '' : 'text.'}${name}`,
      t,
    ]);
    expect(config(fitting({}, {}, { custom_text: true }), new Map(custom))).toEqual(config(fitting()));
    const twice = new Map([...tensors(), tensor('text.token_embedding.weight', 50, 64)]);
    expect(() => config(fitting(), twice)).toThrow(`has the tensor 'token_embedding.weight' twice`);
  });

  it.each([
    'visual.transformer.resblocks.0.ls_1.gamma',
    'visual.attn_pool.query',
    'visual.trunk.blocks.0.norm1.weight',
    'transformer.resblocks.0.attn.ln_inner.weight',
    'text.cls_emb',
    'text_projection.bias',
    'visual.conv1.bias',
  ])('the tensor %s is of another model', (name) => {
    const stored = new Map([...tensors(), tensor(name, 4)]);
    expect(() => config(fitting(), stored)).toThrow(`has the tensor '${name}', which no CLIP has`);
  });

  it('leftovers and tensors of others are passed over', () => {
    const stored = new Map([
      ...tensors(),
      tensor('attn_mask', 9, 9),
      tensor('logit_bias', 1),
      tensor('classifier.weight', 3),
    ]);
    expect(config(fitting(), stored)).toEqual(config(fitting()));
  });

  it('a layer that is missing', () => {
    const stored = new Map([...tensors(), tensor('visual.transformer.resblocks.2.ln_1.weight', 128)]);
    expect(() => config(fitting(), stored)).toThrow(`has no layer 'visual.transformer.resblocks.1', and later ones`);
  });
});
