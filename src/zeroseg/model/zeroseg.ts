import { interpolatePositions, reshape, slice } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { type ShuffleMask, shuffleMask } from '../../kernels/zeroseg/index.ts';
import { noTrace, type Trace, type Weights } from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { ConfigError } from '../host/index.ts';
import { keptPatches } from './config.ts';
import type { ZeroSegConfig } from './config-groups.ts';
import { Decoder } from './decoder.ts';
import { Encoder } from './encoder.ts';
import type { GroupingNoise } from './grouping-block.ts';
import { type Losses, losses } from './losses/losses.ts';
import { type InferenceOptions, type Segmentation, SegmentationHead } from './segmentation-head.ts';

/** What a training step sees. */
export interface TrainingInputs {
  /** Normalised images `[B, C, image, image]`. */
  readonly image: Tensor;
  /** Teacher features `[B, V, clip_dim]`, in the order of `grids`. */
  readonly views: Tensor;
  /** Uniform noise `[B, N]`: the patches with the smallest values are kept. */
  readonly maskNoise: Tensor;
  /** Gumbel noise of the two grouping blocks. */
  readonly noises: readonly GroupingNoise[];
  /** Compute what is inside of a transformer block again for its gradient, instead of keeping it. Default: no. */
  readonly checkpoint?: boolean;
}

/** The first half of a training pass. */
export interface MaskedPass {
  readonly masking: ShuffleMask;
  /** Kept patches out of the encoder `[B, 1 + n, dim]`, the class token first. */
  readonly latent: Tensor;
  /** Predicted pixels `[B, N, patch²·C]`; undefined where nothing is masked. */
  readonly pred: Tensor | undefined;
}

/** What the second half of a training pass takes of the first. */
export interface GroupingInputs extends Pick<TrainingInputs, 'image' | 'views' | 'noises' | 'checkpoint'> {
  readonly latent: Tensor;
  readonly pred: Tensor | undefined;
  readonly masking: Pick<ShuffleMask, 'idsRestore' | 'mask'>;
}

/** What inference gives: segments, and where they are. */
export interface Inference extends Segmentation {
  /** Each patch's distribution over segments `[B, S, rows, cols]` (spec §11.2). */
  readonly rollout: Tensor;
}

/** ZeroSeg: the figure of the paper as code. Parameter names are those of spec §3.3. */
export class ZeroSeg {
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly seg: SegmentationHead;
  readonly config: ZeroSegConfig;

  constructor(weights: Weights, config: ZeroSegConfig) {
    this.encoder = new Encoder(weights.in('encoder'), config);
    this.decoder = new Decoder(weights.in('decoder'), config);
    this.seg = new SegmentationHead(weights.in('seg'), config);
    this.config = config;
  }

  /** One training pass: masked encoder, decoder, head, the three losses. */
  forward(inputs: TrainingInputs, trace: Trace = noTrace): Losses & Segmentation {
    return this.group({ ...inputs, ...this.see(inputs, trace) }, trace);
  }

  /** The first half of a training pass: the encoder sees the kept patches, the decoder repaints the others. */
  see(
    { image, maskNoise, checkpoint = false }: Pick<TrainingInputs, 'image' | 'maskNoise' | 'checkpoint'>,
    trace: Trace = noTrace,
  ): MaskedPass {
    const masking = label('masking', () => shuffleMask(maskNoise, keptPatches(this.config)));
    trace('ids_keep', masking.idsKeep);
    trace('ids_restore', masking.idsRestore);
    trace('mask', masking.mask);
    const latent = this.encoder.forward(image, trace, { masking, checkpoint });
    const masked = this.config.mask_ratio > 0;
    const pred = masked ? this.decoder.forward(latent, masking.idsRestore, trace, checkpoint) : undefined;
    return { masking, latent, pred };
  }

  /** The second half: the head groups what was seen, and the losses compare it with the teacher's views. */
  group(
    { image, views, noises, checkpoint = false, latent, pred, masking: { idsRestore, mask } }: GroupingInputs,
    trace: Trace = noTrace,
  ): Losses & Segmentation {
    const segmentation = this.seg.forward(latent, this.encoder.positions(), trace, { idsRestore, noises, checkpoint });
    const { segments, global, assigns } = segmentation;
    const inputs = { image, pred, mask: pred && mask, segments, global, views, assigns, idsRestore };
    return { ...segmentation, ...losses(this.config, inputs, trace) };
  }

  /**
   * Segments of images of any size that holds whole patches (rest is cut off): no masking, no noise (spec §11.2).
   * `image` `[B, C, H, W]`. The position table is resampled to the image's grid.
   *
   * @throws ConfigError for a number of groups that cannot be.
   */
  segment(image: Tensor, trace: Trace = noTrace, { groups }: InferenceOptions = {}): Inference {
    const { patch, seg_use_cls } = this.config;
    const [batch = 0, , height = 0, width = 0] = image.shape;
    const rows = Math.floor(height / patch);
    const cols = Math.floor(width / patch);
    if (rows < 1 || cols < 1) {
      throw new ShapeError('segment', `the image must hold at least one patch of ${patch}×${patch}`, {
        image: image.shape,
      });
    }
    checkGroups(groups, this.config, rows * cols);
    const grid = this.config.image / patch;
    const table = this.encoder.positions();
    const positions = rows === grid && cols === grid ? table : interpolatePositions(table, rows, cols);
    const latent = this.encoder.forward(image, trace, { positions });
    const result = this.seg.forward(latent, positions, trace, { groups });
    const rollout = label('rollout', () => rollOut(result.softMaps, rows * cols, seg_use_cls));
    return { ...result, rollout: reshape(rollout, [batch, rollout.shape[1] as number, rows, cols]) };
  }
}

/** `S2·S1`: from `[B, G1, N]` and `[B, G2, G1]` each patch's distribution over the final segments, `[B, G2, N]`. */
export function rollOut(softMaps: readonly Tensor[], patches: number, withCls = false): Tensor {
  const [first, ...rest] = softMaps as [Tensor, ...Tensor[]];
  const all = rest.reduce((map, next) => matmul(next, map), first);
  return withCls ? slice(all, 2, 1, patches + 1) : all;
}

/** A stage can have no more groups than members. */
function checkGroups(
  groups: InferenceOptions['groups'],
  { assign_start, output_groups }: ZeroSegConfig,
  patches: number,
): void {
  if (groups === undefined) return;
  const stages = output_groups.length;
  const got = `got ${groups.join(', ')}`;
  if (groups.length !== stages || !groups.every((count) => Number.isInteger(count) && count > 0)) {
    throw new ConfigError(`segment: groups must be ${stages} whole numbers from 1, one for each stage; ${got}`);
  }
  if (assign_start !== 'medoids') {
    throw new ConfigError(
      `segment: the number of groups is free only where they begin at medoids; this model was trained with assign_start: ${assign_start}, and has ${output_groups.join(', ')}`,
    );
  }
  let members = patches;
  for (const count of groups) {
    if (count > members) {
      throw new ConfigError(`segment: a stage can have no more groups than members, here ${members}; ${got}`);
    }
    members = count;
  }
}
