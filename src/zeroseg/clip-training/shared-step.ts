/** A step of a CLIP's training that processes share: its loss is over all pairs of the batch, each process has some of them. */
import type { Device } from '../../gpu/index.ts';
import { argmax } from '../../kernels/axis/index.ts';
import { gradients, scale } from '../../kernels/elementwise/index.ts';
import { concat, slice } from '../../kernels/layout/index.ts';
import { allReduce, gradientBuckets, type ProcessGroup } from '../../nn/distributed/index.ts';
import type { AdamW } from '../../nn/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { ConfigError } from '../host/index.ts';
import { contrastiveLogits, contrastiveLoss } from './contrastive-loss.ts';
import type { TrainableClip } from './trainable-clip.ts';

/** What a step is given on the host: the pairs of the whole batch. */
export type ClipBatch = Record<'pixels' | 'falseNegatives', Float32Array> & Record<'rows' | 'ends', Uint32Array>;
export type ClipResults = { loss: Tensor; norm: Tensor; nearest: Tensor; scale: Tensor };

/** The pairs of a batch that a process has: as many as the others. @throws ConfigError where that does not come out even. */
export function pairsOf(
  batch: number,
  { rank, size }: Pick<ProcessGroup, 'rank' | 'size'>,
): { from: number; to: number } {
  const own = batch / size;
  if (!Number.isInteger(own)) {
    throw new ConfigError(
      `training: a batch of ${batch} pairs is not to be divided among ${size} processes; choose a multiple of ${size}`,
    );
  }
  return { from: rank * own, to: (rank + 1) * own };
}

/** What `ClipTrainer` runs in the place of one step. */
export interface SharedClipStep extends Disposable {
  readonly memory: Step['memory'];
  run(batch: ClipBatch, hyper: Float32Array): Promise<ClipResults>;
}

/**
 * Each process computes the features of its pairs, and all tell each other theirs. Then each computes its own once more, puts them among those of
 * the others, and differentiates the loss of the whole batch through its own alone (Gao et al. 2021, "Scaling deep contrastive learning batch size
 * under memory limited setup", https://arxiv.org/abs/2101.06983); the gradients of all processes add up to those of one that has all pairs. The
 * factor on cosines has its whole gradient in each of them: that is divided by their number.
 */
export async function sharedClipStep(
  device: Device,
  clip: TrainableClip,
  optimizer: AdamW,
  { batch, length }: { readonly batch: number; readonly length: number },
  group: ProcessGroup,
): Promise<SharedClipStep> {
  const { from, to } = pairsOf(batch, group);
  const { projection: width, vision } = clip.config;
  const inputs = {
    pixels: [to - from, 3, vision.image, vision.image],
    rows: { shape: [to - from, length], dtype: 'u32' },
    ends: { shape: [to - from, 1], dtype: 'u32' },
  } as const;
  const among = (all: Tensor, own: Tensor): Tensor =>
    concat(
      [slice(all, 0, 0, from), own, slice(all, 0, to)].filter(({ shape }) => shape[0] !== 0),
      0,
    );
  const steps: Disposable[] = [];
  const kept = async <S extends Disposable>(made: Promise<S>): Promise<S> => {
    const one = await made;
    steps.push(one);
    return one;
  };
  const dispose = (): void => {
    for (const one of steps) one[Symbol.dispose]();
  };
  try {
    const embed = await kept(step(device, inputs, (own) => clip.features(own), { name: 'embed pairs' }));
    const backward = await kept(
      step(
        device,
        { ...inputs, images: [batch, width], texts: [batch, width], falseNegatives: [batch, batch] },
        ({ images, texts, falseNegatives, ...own }) => {
          const { image, text } = clip.features(own);
          const logits = contrastiveLogits(among(images, image), among(texts, text), clip.logit_scale, {
            falseNegatives,
          });
          const loss = contrastiveLoss(logits);
          const { parameters } = optimizer;
          const found = gradients(loss, parameters) as Tensor[];
          optimizer.accumulate(
            found.map((dy, i) => (parameters[i] === clip.logit_scale ? scale(dy, 1 / group.size) : dy)),
            1,
          );
          return { loss, nearest: argmax(logits), scale: clip.logit_scale };
        },
        { name: 'train clip', readEarly: () => gradientBuckets(optimizer) },
      ),
    );
    const apply = await kept(
      step(device, { hyper: [optimizer.hyperparameterCount] }, ({ hyper }) => optimizer.apply(hyper), {
        name: 'update',
      }),
    );
    return {
      memory: backward.memory,
      run: async ({ pixels, rows, ends, falseNegatives }, hyper) => {
        const part = <A extends Float32Array | Uint32Array>(all: A): A => {
          const size = all.length / batch;
          return all.subarray(from * size, to * size) as A;
        };
        const own = { pixels: part(pixels), rows: part(rows), ends: part(ends) };
        const features = embed(own);
        const [image, text] = await readAll([features.image, features.text]);
        const images = await gathered(group, image as Float32Array);
        const texts = await gathered(group, text as Float32Array);
        const { results, early } = backward.readEarly({ ...own, images, texts, falseNegatives });
        await allReduce(group, gradientBuckets(optimizer), { early });
        return { ...results, ...apply({ hyper }) };
      },
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function gathered(group: ProcessGroup, own: Float32Array): Promise<Float32Array> {
  const bytes = await group.allGather(new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
  return new Float32Array(bytes.slice().buffer);
}
