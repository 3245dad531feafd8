import type { Device } from '../../gpu/index.ts';
import type { Activation } from '../../kernels/elementwise/index.ts';
import type { PositionRule } from '../../kernels/layout/index.ts';
import { buildModule, weightsFrom } from '../../nn/layers/index.ts';
import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { formatShape, sameShape, size } from '../../tensor/values/index.ts';
import { checkTowers, findVit, numbered, ownTensors, type VitFile, type VitWeight } from '../checkpoints/index.ts';
import { type VitConfig, VitEncoder } from './vit-encoder.ts';

/** What a file of weights does not say. */
export interface VitOptions {
  /** Default: those of the published sizes, width / 64; 12 of MoCo v3's small one. */
  readonly heads?: number | undefined;
  /** Of the norms. Default: 1e-6; 1e-12 of Hugging Face's ViT, 1e-5 of CLIP's towers. */
  readonly eps?: number | undefined;
  /** Default: GELU; OpenAI's quick form of CLIP's towers. */
  readonly activation?: Activation | undefined;
  /** Default: `dino` of DINO, DINOv2 and MoCo v3, `antialias` of DINOv2 with registers, else `size`. */
  readonly positions?: PositionRule | undefined;
}

type Tensors = ReadonlyMap<string, WeightTensor>;

/**
 * The vision transformer of a file: of MAE, timm, DeiT (also distilled), DINO, DINOv2 (registers, layer scale), MoCo v3, Hugging Face's
 * ViT, ViT-MAE and DINOv2, and the image tower of a CLIP. Names are told by content, whatever stands in front of them.
 *
 * ```ts
 * const { tensors } = await openTorch(blobRanges(file), file.name);
 * const vit = await loadVit(device, tensors, file.name);
 * ```
 *
 * @throws CheckpointError that says what is there, and what is missing.
 */
export async function loadVit(
  device: Device,
  stored: Tensors,
  file: string,
  options: VitOptions = {},
): Promise<VitEncoder> {
  const found = need(stored, file);
  const config = vitConfig(found, file, options);
  const weights = weightsFrom(device, (name, shape) => {
    const weight = found.weights.get(name);
    if (!weight && name.endsWith('.attn.qkv.bias') && hasNo(found, '.attn.qkv.bias'))
      return new Float32Array(size(shape));
    if (!weight) throw lacks(found, name, file);
    const tensors = ownTensors(weight);
    const elements = tensors.reduce((sum, tensor) => sum + size(tensor.shape), 0);
    const isRight = tensors.length > 1 || sameShape(withoutOnes(tensors[0]?.shape), withoutOnes(shape));
    if (elements === size(shape) && isRight) return weight;
    throw new CheckpointError(
      file,
      `tensor '${tensors[0]?.name}' is ${formatShape(tensors[0]?.shape ?? [])}; expected ${formatShape(shape)}`,
    );
  });
  return buildModule(weights, (from) => new VitEncoder(from, config));
}

/**
 * What a file's vision transformer is, by its tensors.
 *
 * @throws CheckpointError when it is not complete, or no square table of positions is there.
 */
export function vitConfig(found: VitFile, file: string, options: VitOptions = {}): VitConfig {
  const shapeOf = (name: string): readonly number[] => firstOf(found, name, file).shape;
  const [dim = 0, channels = 0, patch = 0, across] = shapeOf('patch_embed.proj.weight');
  if (channels !== 3 || patch !== across) {
    throw new CheckpointError(
      file,
      `its patches are ${formatShape(shapeOf('patch_embed.proj.weight'))}; expected [width, 3, P, P]`,
    );
  }
  const depth = numbered(found.weights, 'blocks.');
  if (depth === 0) throw lacks(found, 'blocks.0.norm1.weight', file);
  const [hidden = 0] = shapeOf('blocks.0.mlp.fc1.weight');
  const has = (name: string): boolean => found.weights.has(name);
  const rows = shapeOf('pos_embed').at(-2) ?? 0;
  const side = Math.floor(Math.sqrt(rows));
  const placed = rows - side * side;
  const tokens = Number(has('cls_token')) + Number(has('dist_token'));
  if (side === 0 || placed > tokens) {
    throw new CheckpointError(
      file,
      `its positions are ${formatShape(shapeOf('pos_embed'))}; expected those of a square of patches, and of at most ${tokens} tokens before them`,
    );
  }
  const isClip = found.layout === 'clip' || found.layout === 'openai';
  const registers = has('registers') ? (shapeOf('registers').at(-2) ?? 0) : 0;
  const config = {
    width: dim,
    layers: depth,
    patch,
    image: side * patch,
    heads: options.heads ?? headsOf(found, dim, file),
  };
  checkTowers(config, file);
  if (dim % config.heads !== 0) {
    throw new CheckpointError(
      file,
      `its width of ${dim} is no multiple of ${config.heads} heads; give the number of heads`,
    );
  }
  return {
    dim,
    depth,
    heads: config.heads,
    hidden,
    patch,
    image: config.image,
    eps:
      options.eps ?? (isClip ? 1e-5 : found.layout === 'huggingface' && found.kind.startsWith('vision') ? 1e-12 : 1e-6),
    activation: options.activation ?? (isClip ? 'quick-gelu' : 'gelu'),
    cls: has('cls_token'),
    dist: has('dist_token'),
    registers,
    placed,
    patchBias: has('patch_embed.proj.bias'),
    normPre: has('norm_pre.weight'),
    positions: options.positions ?? positionRule(found.kind, registers),
  };
}

function positionRule(kind: string, registers: number): PositionRule {
  if (kind.startsWith('DINOv2') && registers > 0) return 'antialias';
  return /^(DINO|MoCo)/.test(kind) ? 'dino' : 'size';
}

function headsOf({ kind }: VitFile, dim: number, file: string): number {
  // MoCo v3 gives its small one as many heads as its base one.
  if (kind === 'MoCo v3' && dim === 384) return 12;
  if (dim % 64 === 0) return dim / 64;
  throw new CheckpointError(
    file,
    `its width of ${dim} is none of the published ones, whose heads are 64 wide; give the number of heads`,
  );
}

function need(stored: Tensors, file: string): VitFile {
  const found = findVit(stored, file);
  if (found) return found;
  throw new CheckpointError(
    file,
    'holds no vision transformer: neither patch_embed.proj.weight (timm, MAE, DeiT, DINO), nor embeddings.patch_embeddings (Hugging Face), nor the image tower of a CLIP is there',
  );
}

function firstOf(found: VitFile, name: string, file: string): WeightTensor {
  const tensor = (found.weights.get(name) as VitWeight | undefined)?.tensors[0];
  if (tensor) return tensor;
  throw lacks(found, name, file);
}

function lacks({ kind, prefix }: VitFile, name: string, file: string): CheckpointError {
  const where = prefix === '' ? '' : `, whose names begin with '${prefix}',`;
  return new CheckpointError(file, `its ${kind}${where} lacks '${name}': the file is not complete, or another model`);
}

function hasNo({ weights }: VitFile, ending: string): boolean {
  return ![...weights.keys()].some((name) => name.endsWith(ending));
}

function withoutOnes(shape: readonly number[] = []): readonly number[] {
  return shape.filter((one) => one !== 1);
}
