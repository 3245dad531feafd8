/** Finds a vision transformer in a file, whatever its authors call its tensors and put in front of them. */
import { join } from '../../nn/layers/index.ts';
import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { numbered } from './sizes.ts';

/** A weight of ours as a file has it. */
export interface VitWeight {
  /** Joined along the first axis: q, k and v into qkv. */
  readonly tensors: readonly WeightTensor[];
  /** Makes our values of theirs. */
  make(parts: readonly Float32Array[]): Float32Array;
}

/** A vision transformer in a file, by timm's names: `cls_token`, `pos_embed`, `patch_embed.proj`, `blocks.N…`, `norm`. */
export interface VitFile {
  /** What it is, for people: `MAE`, `DINOv2 with 4 registers`. */
  readonly kind: string;
  /** What stands in front of the names of its tensors: `module.base_encoder.`. */
  readonly prefix: string;
  readonly layout: VitLayout;
  /** Layer scale (`ls1`, `ls2`) is multiplied into the products before it, which changes nothing that is computed. */
  readonly weights: ReadonlyMap<string, VitWeight>;
  /** Tensors of the file that are no part of the encoder: heads, decoders, other encoders. */
  readonly ignored: readonly string[];
}

export type VitLayout = 'timm' | 'huggingface' | 'clip' | 'openai';

type Tensors = ReadonlyMap<string, WeightTensor>;

/** Where a file of each layout has its encoder: what comes before these names is the prefix. */
const roots: readonly (readonly [VitLayout, RegExp])[] = [
  ['clip', /^(.*?vision_model\.)embeddings\.(?:class_embedding|stem\.\d+\..*)$/],
  ['huggingface', /^(.*?)embeddings\.(?:patch_embeddings\.projection\.weight|cls_token)$/],
  ['openai', /^(.*?visual\.)class_embedding$/],
  ['timm', /^((?:.*?\.)?)(?:patch_embed\.proj\.weight|cls_token)$/],
];

/**
 * The encoder of a file, or undefined where there is none. Of several, that which its authors publish: a teacher before its student,
 * MoCo's base encoder before its momentum encoder.
 *
 * @throws CheckpointError when the encoder has tensors that no transformer has which is computed here.
 */
export function findVit(stored: Tensors, file: string): VitFile | undefined {
  const found = new Map<string, VitLayout>();
  for (const name of stored.keys()) {
    for (const [layout, root] of roots) {
      const prefix = root.exec(name)?.[1];
      if (prefix === undefined) continue;
      if (!found.has(prefix)) found.set(prefix, layout);
      break;
    }
  }
  const rank = (prefix: string): number =>
    /teacher|base_encoder/.test(prefix) ? 0 : /student|momentum/.test(prefix) ? 2 : 1;
  const [best] = [...found].sort(([a], [b]) => rank(a) - rank(b) || a.length - b.length);
  return best && vitOf(stored, file, ...best);
}

function vitOf(stored: Tensors, file: string, prefix: string, layout: VitLayout): VitFile {
  const parts = new Map<string, WeightTensor[]>();
  const ignored: string[] = [];
  for (const [name, tensor] of stored) {
    const ours = name.startsWith(prefix) ? rename[layout](name.slice(prefix.length)) : undefined;
    if (ours === undefined) {
      if (name.startsWith(prefix)) refuseStrange(name.slice(prefix.length), name, file);
      ignored.push(name);
      continue;
    }
    const [, as, part] = /^(.+?)(?:#(\d))?$/.exec(ours) as unknown as [string, string, string | undefined];
    const list = parts.get(as) ?? [];
    if (list[Number(part ?? 0)]) throw new CheckpointError(file, `has '${as}' of its encoder twice, also as '${name}'`);
    list[Number(part ?? 0)] = tensor;
    parts.set(as, list);
  }
  const kind = kindOf({ stored, prefix, layout, parts });
  const weights = new Map<string, VitWeight>();
  for (const [name, tensors] of parts) {
    if (/\.ls[12]$/.test(name)) continue;
    const [, block, product] = /^(blocks\.\d+)\.(attn\.proj|mlp\.fc2)\./.exec(name) ?? [];
    const scale = block === undefined ? undefined : parts.get(`${block}.${product === 'mlp.fc2' ? 'ls2' : 'ls1'}`)?.[0];
    weights.set(name, weightOf(tensors, scale));
  }
  return { kind, prefix, layout, weights, ignored };
}

function weightOf(tensors: readonly WeightTensor[], scale: WeightTensor | undefined): VitWeight {
  if (!scale) return { tensors, make: join };
  return {
    tensors: [...tensors, scale],
    make: (values) => {
      const [weight, gamma] = [join(values.slice(0, -1)), values.at(-1) as Float32Array];
      const width = weight.length / gamma.length;
      return weight.map((value, i) => value * (gamma[Math.floor(i / width)] as number));
    },
  };
}

/** Shapes of a weight's own tensors, without that of a layer scale that is multiplied into it. */
export function ownTensors({ tensors }: VitWeight): readonly WeightTensor[] {
  return tensors.filter(({ name }) => !/(ls[12]\.gamma|gamma_[12]|lambda1)$/.test(name));
}

/** Our name of a tensor, `#0` to `#2` behind it for a third of it; undefined for what is no part of an encoder. */
const rename: Readonly<Record<VitLayout, (rest: string) => string | undefined>> = {
  timm(rest) {
    const block = /^blocks\.(?:\d+\.)?(\d+)\.(.+)$/.exec(rest);
    if (block) return inBlock(block, { 'ls1.gamma': 'ls1', gamma_1: 'ls1', 'ls2.gamma': 'ls2', gamma_2: 'ls2' });
    if (/^(reg_token|register_tokens)$/.test(rest)) return 'registers';
    return /^(cls_token|dist_token|pos_embed|(patch_embed\.proj|norm|norm_pre)\.(weight|bias)|stem\..+)$/.test(rest)
      ? rest
      : undefined;
  },
  huggingface(rest) {
    const block = /^encoder\.layer\.(\d+)\.(.+)$/.exec(rest);
    if (block) {
      return inBlock(block, {
        layernorm_before: 'norm1',
        layernorm_after: 'norm2',
        'attention.attention.query': 'attn.qkv#0',
        'attention.attention.key': 'attn.qkv#1',
        'attention.attention.value': 'attn.qkv#2',
        'attention.output.dense': 'attn.proj',
        'intermediate.dense': 'mlp.fc1',
        'output.dense': 'mlp.fc2',
        'layer_scale1.lambda1': 'ls1',
        'layer_scale2.lambda1': 'ls2',
      });
    }
    const direct: Readonly<Record<string, string>> = {
      'embeddings.cls_token': 'cls_token',
      'embeddings.distillation_token': 'dist_token',
      'embeddings.register_tokens': 'registers',
      'embeddings.position_embeddings': 'pos_embed',
      'embeddings.patch_embeddings.projection.weight': 'patch_embed.proj.weight',
      'embeddings.patch_embeddings.projection.bias': 'patch_embed.proj.bias',
      'layernorm.weight': 'norm.weight',
      'layernorm.bias': 'norm.bias',
    };
    return Object.hasOwn(direct, rest) ? direct[rest] : undefined;
  },
  clip(rest) {
    const block = /^encoder\.layers\.(\d+)\.(.+)$/.exec(rest);
    if (block) {
      return inBlock(block, {
        layer_norm1: 'norm1',
        layer_norm2: 'norm2',
        'self_attn.q_proj': 'attn.qkv#0',
        'self_attn.k_proj': 'attn.qkv#1',
        'self_attn.v_proj': 'attn.qkv#2',
        'self_attn.out_proj': 'attn.proj',
      });
    }
    if (rest.startsWith('embeddings.stem.')) return rest.slice('embeddings.'.length);
    const direct: Readonly<Record<string, string>> = {
      'embeddings.class_embedding': 'cls_token',
      'embeddings.position_embedding.weight': 'pos_embed',
      'embeddings.patch_embedding.weight': 'patch_embed.proj.weight',
      'pre_layrnorm.weight': 'norm_pre.weight',
      'pre_layrnorm.bias': 'norm_pre.bias',
      'post_layernorm.weight': 'norm.weight',
      'post_layernorm.bias': 'norm.bias',
    };
    return Object.hasOwn(direct, rest) ? direct[rest] : undefined;
  },
  openai(rest) {
    const block = /^transformer\.resblocks\.(\d+)\.(.+)$/.exec(rest);
    if (block) {
      return inBlock(block, {
        ln_1: 'norm1',
        ln_2: 'norm2',
        'attn.in_proj_weight': 'attn.qkv.weight',
        'attn.in_proj_bias': 'attn.qkv.bias',
        'attn.out_proj': 'attn.proj',
        'mlp.c_fc': 'mlp.fc1',
        'mlp.c_proj': 'mlp.fc2',
      });
    }
    const direct: Readonly<Record<string, string>> = {
      class_embedding: 'cls_token',
      positional_embedding: 'pos_embed',
      'conv1.weight': 'patch_embed.proj.weight',
      'ln_pre.weight': 'norm_pre.weight',
      'ln_pre.bias': 'norm_pre.bias',
      'ln_post.weight': 'norm.weight',
      'ln_post.bias': 'norm.bias',
    };
    return Object.hasOwn(direct, rest) ? direct[rest] : undefined;
  },
};

/** What every block has here. */
const ofBlock = /^((norm[12]|attn\.(qkv|proj)|mlp\.fc[12])(#\d)?\.(weight|bias)|ls[12])$/;

function inBlock([, number, rest = '']: RegExpExecArray, theirs: Readonly<Record<string, string>>): string | undefined {
  const [, stem = rest, kind = ''] = /^(.+)(\.(?:weight|bias))$/.exec(rest) ?? [];
  const whole = Object.hasOwn(theirs, rest) ? theirs[rest] : undefined;
  const inside = whole ?? `${Object.hasOwn(theirs, stem) ? theirs[stem] : stem}${kind}`;
  if (!ofBlock.test(inside)) return undefined;
  const [, third] = /(#\d)/.exec(inside) ?? [];
  return `blocks.${number}.${inside.replace(/#\d/, '')}${third ?? ''}`;
}

/** What would change the encoder's numbers, were it left out. Buffers, heads and pooling are none of this. */
const ofEncoder =
  /^(blocks|encoder\.layers?|transformer\.resblocks|patch_embed|embeddings|norm_pre|rope|rel_pos|relative_position)\b/;
const harmless = /(position_ids|mask_token|num_batches_tracked|relative_position_index)$/;

function refuseStrange(rest: string, name: string, file: string): void {
  if (!ofEncoder.test(rest) || harmless.test(rest)) return;
  const swiglu = /mlp\.(w12|weights_in|w3)/.test(rest) ? ' (a gated MLP, as in DINOv2’s largest)' : '';
  throw new CheckpointError(
    file,
    `has the tensor '${name}'${swiglu}, which no vision transformer has that is computed here: this is another model`,
  );
}

interface Found {
  readonly stored: Tensors;
  readonly prefix: string;
  readonly layout: VitLayout;
  readonly parts: ReadonlyMap<string, readonly WeightTensor[]>;
}

function kindOf({ stored, prefix, layout, parts }: Found): string {
  const registers = parts.get('registers')?.[0]?.shape.at(-2);
  const rows = (name: string) => stored.get(`${prefix}${name}`)?.shape[0];
  const classes = rows('head.weight') ?? stored.get('classifier.weight')?.shape[0];
  const withHead = classes === undefined ? '' : `, with a classifier of ${classes} classes`;
  if (layout === 'clip' || layout === 'openai') return 'image tower of a CLIP';
  if (prefix.includes('base_encoder')) return 'MoCo v3';
  if (numbered(stored, 'decoder_blocks.') > 0) return 'MAE, with its decoder';
  if (numbered(stored, 'decoder.decoder_layers.') > 0) return 'ViT-MAE of Hugging Face, with its decoder';
  if (parts.has('dist_token')) return `distilled DeiT${withHead}`;
  const isMasked = stored.has(`${prefix}mask_token`) || stored.has(`${prefix}embeddings.mask_token`);
  if (parts.has('blocks.0.ls1')) {
    const name = isMasked ? 'DINOv2' : 'vision transformer with layer scale';
    return `${name}${registers === undefined ? '' : ` with ${registers} registers`}${withHead}`;
  }
  if (/teacher|backbone|student/.test(prefix)) return 'DINO';
  const names = layout === 'huggingface' ? ' of Hugging Face' : '';
  return `vision transformer${names}${withHead}`;
}
