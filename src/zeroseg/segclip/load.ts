import type { Device } from '../../gpu/index.ts';
import { buildModule, weightsFrom } from '../../nn/layers/index.ts';
import { CheckpointError, type WeightTensor } from '../../nn/safetensors/index.ts';
import { formatShape, sameShape } from '../../tensor/values/index.ts';
import { checkTowers, numbered } from '../checkpoints/index.ts';
import type { ClipConfig, ClipText } from '../clip/index.ts';
import { clipConfig, loadClipText } from '../clip-files/index.ts';
import { type SegClipConfig, SegClipVision } from './segclip.ts';

type Stored = ReadonlyMap<string, WeightTensor>;

const clip = 'clip.';
const visual = `${clip}visual.`;
const grouping = `${visual}transformer.semantic_layer2.`;

/** Whether a file holds a SegCLIP, by its authors' names. */
export function isSegClip(stored: Stored): boolean {
  return stored.has(`${grouping}semantic_center`);
}

/**
 * The sizes of a SegCLIP checkpoint, from its tensors. What its decoders were trained by is not read.
 *
 * @throws CheckpointError when the file holds none.
 */
export function segClipConfig(stored: Stored, file: string): SegClipConfig {
  const shape = (name: string): readonly number[] => {
    const found = stored.get(name);
    if (!found) throw new CheckpointError(file, `holds no SegCLIP: there is no tensor '${name}'`);
    return found.shape;
  };
  const [width = 0, , patch = 0] = shape(`${visual}conv1.weight`);
  const [positions = 0] = shape(`${visual}positional_embedding`);
  const [, each = 0] = shape(`${grouping}k_conv.weight`);
  const sizes: SegClipConfig = {
    width,
    heads: width / each,
    patch,
    grid: Math.round(Math.sqrt(positions - 1)),
    groups: shape(`${grouping}semantic_center`)[0] as number,
    first: numbered(stored, `${visual}transformer.layers0.`),
    second: numbered(stored, `${visual}transformer.layers2.`),
    cross: numbered(stored, `${grouping}cross_att.`),
    dim: shape(`${visual}proj`)[1] as number,
    layer_norm_eps: 1e-5,
  };
  const { heads, grid, first, cross, dim } = sizes;
  checkTowers({ vision: { width, heads, patch, layers: first + sizes.second }, projection: dim }, file);
  if (!(Number.isInteger(heads) && heads > 0 && grid ** 2 + 1 === positions && patch > 0 && first > 0 && cross > 0)) {
    throw new CheckpointError(
      file,
      `its sizes fit no SegCLIP: width ${width}, ${heads} heads, ${positions} positions, patches of ${patch}`,
    );
  }
  return sizes;
}

/** The image tower of a checkpoint, on the GPU. @throws CheckpointError when a tensor is missing or has another shape. */
export async function loadSegClipVision(
  device: Device,
  stored: Stored,
  file: string,
  config: SegClipConfig,
): Promise<SegClipVision> {
  const weights = weightsFrom(device, (ours, shape) => {
    const name = publishedName(ours);
    const found = stored.get(name);
    if (!found) throw new CheckpointError(file, `has no tensor '${name}'`);
    // The projection is stored input × output.
    const wanted = ours === 'projection.weight' ? [...shape].reverse() : shape;
    if (!sameShape(found.shape, wanted)) {
      throw new CheckpointError(
        file,
        `tensor '${name}' is ${formatShape(found.shape)}; expected ${formatShape(wanted)}`,
      );
    }
    const [rows = 0, cols = 0] = wanted;
    const make = (parts: readonly Float32Array[]) =>
      ours === 'projection.weight' ? turned(parts[0] as Float32Array, rows, cols) : (parts[0] as Float32Array);
    return { tensors: [found], make };
  });
  return buildModule(weights, (from) => new SegClipVision(from, config));
}

/**
 * The text tower of a SegCLIP: a CLIP's without its image tower, by OpenAI's names.
 *
 * @throws CheckpointError when the file has none.
 */
export function segClipText(stored: Stored, file: string): { readonly tensors: Stored; readonly config: ClipConfig } {
  const tensors = new Map<string, WeightTensor>();
  for (const [name, tensor] of stored) {
    if (name.startsWith(clip) && !name.startsWith(visual)) tensors.set(name.slice(clip.length), tensor);
  }
  if (!tensors.has('token_embedding.weight')) {
    throw new CheckpointError(
      file,
      `has no text tower: there is no tensor '${clip}token_embedding.weight'; words need a file of the whole model`,
    );
  }
  return { tensors, config: clipConfig(tensors, file) };
}

/** The text tower of a checkpoint, on the GPU: what {@link segClipText} found. */
export function loadSegClipText(
  device: Device,
  { tensors, config }: ReturnType<typeof segClipText>,
  file: string,
): Promise<ClipText> {
  return loadClipText(device, tensors, file, config);
}

function turned(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c] as number;
  return out;
}

function publishedName(name: string): string {
  const [, part, block, rest = ''] = /^(first|second)\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (part) {
    const inBlock = attention(rest.replace(/^norm([12])/, 'ln_$1'));
    return `${visual}transformer.${part === 'first' ? 'layers0' : 'layers2'}.${block}.${inBlock}`;
  }
  if (name.startsWith('grouping.')) {
    const inside = name
      .slice('grouping.'.length)
      .replace(/^centres$/, 'semantic_center')
      .replace(/^out_ln\./, 'proj_o.ln.')
      .replace(/^fc([12])\./, 'proj_o.mlp.fc$1.')
      .replace(/^cross\.(\d+)\.(.+)$/, (_, i: string, inBlock: string) => `cross_att.${i}.${attention(inBlock)}`);
    return grouping + inside;
  }
  return (
    visual +
    name
      .replace('patch_embed.proj', 'conv1')
      .replace(/^positions$/, 'positional_embedding')
      .replace(/^norm_pre/, 'ln_pre')
      .replace(/^norm_post/, 'ln_post')
      .replace(/^projection\.weight$/, 'proj')
  );
}

function attention(name: string): string {
  return name
    .replace(/^attn\.qkv\.(weight|bias)$/, 'attn.in_proj_$1')
    .replace('attn.proj', 'attn.out_proj')
    .replace('mlp.fc1', 'mlp.c_fc')
    .replace('mlp.fc2', 'mlp.c_proj');
}
