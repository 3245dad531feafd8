import type { Device } from '../../gpu/index.ts';
import { join, random, resamplePositions, sinCosPositions, type Weights, weightsFrom } from '../../nn/layers/index.ts';
import { CheckpointError, readTensor, toFloat32, type WeightTensor } from '../../nn/safetensors/index.ts';
import { formatShape, type Shape, sameShape, size } from '../../tensor/values/index.ts';
import { findVit, ownTensors, publishedDecoderNames, type VitWeight } from '../checkpoints/index.ts';
import type { ZeroSegConfig } from './config-groups.ts';

/**
 * Weights to begin training with: those that `stored` has, and new ones for the rest. Understands files of this package, of
 * MAE (with its decoder), timm, DeiT, DINO, DINOv2, MoCo v3, Hugging Face's ViT, ViT-MAE and DINOv2, and of a CLIP, whose image tower
 * then is where the encoder begins, whatever stands in front of the names (`module.`, `backbone.`, `base_encoder.`). A learnt position
 * table of another grid is resampled.
 *
 * Of a segmentation head with other numbers of groups, the weights whose shapes these decide begin anew.
 *
 * `used` gets the name of every weight that was found, `taken` that of every tensor of the file that it was found in.
 *
 * @throws {CheckpointError} when a tensor has another shape, or when the encoder is not there.
 */
export function initialWeights(
  device: Device,
  seed: number,
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  used: Set<string>,
  taken: Set<string> = new Set(),
): Weights {
  const vit = findVit(stored, file);
  return weightsFrom(device, (name, shape, init) => {
    if (name === POSITIONS) {
      const table = findTable(stored, file);
      if (!table) return init(shape, random(seed, name));
      used.add(name);
      taken.add(table.name);
      checkWidth(table, shape, file);
      return { tensors: [table], make: ([values]) => placed(tableOf(table, values as Float32Array), shape) };
    }
    const found = name.startsWith('encoder.')
      ? vit?.weights.get(name.slice('encoder.'.length))
      : ofDecoder(stored, name);
    if (found && !isOfOtherGroups(found, name, shape)) {
      checkShapes(found, name, shape, file);
      used.add(name);
      for (const tensor of found.tensors) taken.add(tensor.name);
      return found;
    }
    const isClip = vit?.layout === 'clip' || vit?.layout === 'openai';
    if (name === 'encoder.patch_embed.proj.bias' && isClip && vit.weights.has('patch_embed.proj.weight')) {
      // CLIP's patches have no bias: it is zero.
      used.add(name);
      return new Float32Array(size(shape));
    }
    if (name.startsWith('encoder.')) {
      const what = vit ? `has a ${vit.kind} whose names begin with '${vit.prefix}'` : 'has no vision transformer';
      throw new CheckpointError(
        file,
        `${what}, and no tensor for '${name}'; initial weights must hold a whole encoder: ${encoderNames}`,
      );
    }
    return init(shape, random(seed, name));
  });
}

/** What files are taken, for messages. */
const encoderNames = 'of MAE, timm, DeiT, DINO, DINOv2, MoCo v3, a ViT of Hugging Face, a CLIP, or of this package';

function ofDecoder(stored: ReadonlyMap<string, WeightTensor>, name: string): VitWeight | undefined {
  for (const names of publishedDecoderNames(name)) {
    const tensors = names.map((part) => stored.get(part)).filter((tensor) => tensor !== undefined);
    if (tensors.length === names.length) return { tensors, make: join };
  }
  return undefined;
}

function checkShapes(found: VitWeight, name: string, shape: Shape, file: string): void {
  const tensors = ownTensors(found);
  const part = tensors.length === 1 ? shape : [(shape[0] ?? 1) / tensors.length, ...shape.slice(1)];
  for (const tensor of tensors) {
    // CLIP's class token has no axes of size 1.
    if (sameShape(tensor.shape, part) || sameShape([1, 1, ...tensor.shape], part)) continue;
    throw new CheckpointError(
      file,
      `tensor '${tensor.name}' is ${formatShape(tensor.shape)}; the model's '${name}' takes ${formatShape(part)}`,
    );
  }
}

/** Weights of the head whose shapes hang on how many groups and group tokens there are. */
const ofGroups = /^seg\.stages\.\d+\.(group_token|group_projector\.mlp\..*|grouping\.mlp_inter\..*)$/;

function isOfOtherGroups(found: VitWeight, name: string, shape: Shape): boolean {
  const [tensor] = ownTensors(found);
  return ofGroups.test(name) && tensor !== undefined && !sameShape(tensor.shape, shape);
}

const POSITIONS = 'encoder.pos_embed';
/** What files call the encoder's table. */
const tableNames = [
  POSITIONS,
  'pos_embed',
  'vit.embeddings.position_embeddings',
  'embeddings.position_embeddings',
  'vision_model.embeddings.position_embedding.weight',
];

/** The position table of a file's encoder. */
export interface PositionTable {
  readonly name: string;
  readonly side: number;
  readonly dim: number;
  /** Of the class token, and of the patches row by row. */
  readonly cls: Float32Array;
  readonly patches: Float32Array;
  /** Whether it is other than MAE's sines and cosines, which need not be taken over: they are computed. */
  readonly isLearnt: boolean;
}

/** How far a table may be from sines and cosines and still be those: files in halves round them. */
const SAME_TABLE = 1e-3;

/**
 * The table of positions that a file has for its encoder; undefined where it has none.
 *
 * @throws {CheckpointError} when it is not that of a square of patches.
 */
export async function positionTable(
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
): Promise<PositionTable | undefined> {
  const found = findTable(stored, file);
  return found && tableOf(found, toFloat32(await readTensor(found)));
}

function findTable(stored: ReadonlyMap<string, WeightTensor>, file: string): WeightTensor | undefined {
  const byName = tableNames.map((name) => stored.get(name)).find((tensor) => tensor !== undefined);
  const found = byName ?? findVit(stored, file)?.weights.get('pos_embed')?.tensors[0];
  if (!found) return undefined;
  const { side, leading } = tableSize(found);
  const isTable = found.shape.length === 2 || (found.shape.length === 3 && found.shape[0] === 1);
  if (!isTable || side < 1 || leading > 2) {
    throw new CheckpointError(
      file,
      `tensor '${found.name}' is ${formatShape(found.shape)}; positions are [1, 1 + N, width], of N patches in a square`,
    );
  }
  return found;
}

function tableOf(found: WeightTensor, values: Float32Array): PositionTable {
  const { dim, side, leading } = tableSize(found);
  const cls = leading > 0 ? values.slice(0, dim) : new Float32Array(dim);
  const patches = values.slice(leading * dim);
  const fixed = dim % 4 === 0 ? sinCosPositions(dim, side, side, false) : undefined;
  const near = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).every((value, i) => Math.abs(value - (b[i] as number)) <= SAME_TABLE);
  const isLearnt = !(fixed && near(patches, fixed) && near(cls, new Float32Array(dim)));
  return { name: found.name, side, dim, cls, patches, isLearnt };
}

/** Side of the square of patches, width, and the rows before them: a class token, in DeiT's distilled models another; or none. */
function tableSize({ shape }: WeightTensor): { side: number; dim: number; leading: number } {
  const [rows = 0, dim = 0] = shape.slice(-2);
  const side = Math.floor(Math.sqrt(rows));
  return { side, dim, leading: rows - side * side };
}

function checkWidth(table: WeightTensor, shape: Shape, file: string): void {
  const { dim } = tableSize(table);
  if (dim === shape[2]) return;
  throw new CheckpointError(
    file,
    `tensor '${table.name}' is ${dim} wide; the model's '${POSITIONS}' takes ${formatShape(shape)}`,
  );
}

/** A table as a parameter `[1, 1 + N, dim]`, resampled where the grid is another. */
function placed({ side, dim, cls, patches }: PositionTable, shape: Shape): Float32Array {
  const [, rows = 1] = shape;
  const grid = Math.round(Math.sqrt(rows - 1));
  return join([cls, grid === side ? patches : resamplePositions(patches, dim, side, grid)]);
}

/** Most groups of names that are listed. */
const MAX_GROUPS = 8;

/**
 * What a model did not begin with, in words for people: the file's positions where they were left or resampled, its other tensors that
 * were not used, and the weights that are new.
 */
export async function initialNotes(
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
  config: ZeroSegConfig,
  names: Iterable<string>,
  { used, taken }: { readonly used: ReadonlySet<string>; readonly taken: ReadonlySet<string> },
): Promise<string[]> {
  const notes: string[] = [];
  const table = await positionTable(stored, file);
  const grid = config.image / config.patch;
  if (table) {
    const which = `'${table.name}' of ${file} (${table.side} × ${table.side})`;
    if (taken.has(table.name)) {
      const resampled = table.side === grid ? '' : `, resampled to ${grid} × ${grid}`;
      notes.push(`positions: the encoder begins with the table ${which}${resampled}`);
    } else if (table.isLearnt) {
      notes.push(
        `positions: the learnt table ${which} is not taken over: the encoder's are fixed; --set positions=learnt takes it`,
      );
    } else
      notes.push(
        `positions: the table ${which} is that of fixed positions, which are computed here for ${grid} × ${grid}`,
      );
  }
  const left = [...stored.keys()].filter((name) => !taken.has(name) && name !== table?.name);
  if (left.length > 0) notes.push(`not used of ${file}: ${grouped(left)}`);
  const fresh = [...names].filter((name) => !used.has(name));
  if (fresh.length > 0) notes.push(`new, not in ${file}: ${grouped(fresh)}`);
  return notes;
}

/** Names by what they begin with, with their numbers. */
function grouped(names: readonly string[]): string {
  const groups = new Map<string, number>();
  for (const name of names) {
    const parts = name.split('.');
    const group = parts.length > 2 ? parts.slice(0, 2).join('.') : name;
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  const words = [...groups].map(([group, count]) => (count > 1 ? `${group} (${count})` : group));
  const rest = [...groups.values()].slice(MAX_GROUPS).reduce((a, b) => a + b, 0);
  return [...words.slice(0, MAX_GROUPS), ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}
