import { parameters, readParameters } from '../../nn/layers/index.ts';
import {
  CheckpointError,
  readTensor,
  toInt32,
  type WritableTensor,
  writeSafetensors,
} from '../../nn/safetensors/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { size } from '../../tensor/values/index.ts';
import { huggingFaceName, openWeightSource, stepOf, TOKEN_IDS, type WeightSource } from '../checkpoints/index.ts';
import type { ClipConfig } from '../clip/index.ts';
import type { ClipTrainer } from './train-clip.ts';
import type { TrainableClip } from './trainable-clip.ts';

const TRAINING_FORMAT = 'zeroseg-clip-training-1';

/**
 * A trained CLIP as a safetensors file under Hugging Face's names, which `openClip` reads; f16 halves it. Tokens without a row of
 * their own share the last: see `TokenTable`.
 */
export async function clipFile(
  clip: TrainableClip,
  { dtype = 'F16', metadata = {} }: { dtype?: 'F16' | 'F32'; metadata?: Readonly<Record<string, string>> } = {},
): Promise<Uint8Array> {
  const entries: [string, WritableTensor][] = [
    ['text_model.embeddings.token_embedding.weight', await stored(clip.token_embedding, dtype)],
    [TOKEN_IDS, idsOf(clip)],
    ['logit_scale', await stored(clip.logit_scale, 'F32')],
  ];
  for (const tower of ['vision', 'text'] as const) {
    for (const [name, t] of parameters(clip[tower])) {
      const { names } = huggingFaceName(tower, name);
      // q, k and v are one weight here and three there.
      const shape = [(t.shape[0] as number) / names.length, ...t.shape.slice(1)];
      const values = await read(t);
      const length = size(shape);
      names.forEach((part, i) => {
        entries.push([part, { dtype, shape, data: values.slice(i * length, (i + 1) * length) }]);
      });
    }
  }
  return writeSafetensors(entries, { format: 'pt', ...metadata });
}

/** What no tensor tells, as Hugging Face's `config.json` has it: to lie beside the weights. */
export function clipSettingsFile({ vision, text, projection, activation, layer_norm_eps }: ClipConfig): string {
  const tower = ({ width, heads, layers, ...own }: ClipConfig['vision' | 'text']) => ({
    hidden_size: width,
    intermediate_size: own.hidden ?? 4 * width,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    hidden_act: (own.activation ?? activation).replace('gelu_tanh', 'gelu_pytorch_tanh'),
    layer_norm_eps: own.layer_norm_eps ?? layer_norm_eps,
  });
  const config = {
    model_type: 'clip',
    projection_dim: projection,
    vision_config: { ...tower(vision), image_size: vision.image, patch_size: vision.patch },
    text_config: { ...tower(text), vocab_size: text.vocab, max_position_embeddings: text.context },
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** All that {@link resumeClipTraining} needs: weights and optimizer in f32, the vocabulary, the number of steps done. */
export async function clipTrainingFile(
  trainer: ClipTrainer,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const entries: [string, WritableTensor][] = [['token_ids', idsOf(trainer.clip)]];
  for (const [name, t] of stateOf(trainer)) entries.push([name, await stored(t, 'F32')]);
  return writeSafetensors(entries, { format: TRAINING_FORMAT, step: String(trainer.done), ...metadata });
}

/**
 * Goes on from a {@link clipTrainingFile}, read tensor by tensor. Nothing is changed unless all of it fits.
 *
 * @param file Its name for messages, where the source has none.
 * @throws CheckpointError when it is of another CLIP, or of other words.
 */
export async function resumeClipTraining(trainer: ClipTrainer, source: WeightSource, file = 'training'): Promise<void> {
  const { name, tensors, metadata } = await openWeightSource(source, file);
  if (metadata['format'] !== TRAINING_FORMAT) {
    throw new CheckpointError(name, `is no state of 'train-teacher'; expected format '${TRAINING_FORMAT}'`);
  }
  const ids = tensors.get('token_ids');
  const own = trainer.clip.table.ids;
  if (!ids || !own || toInt32(await readTensor(ids)).join() !== own.join()) {
    throw new CheckpointError(name, 'was trained on other words; go on with the options that it was begun with');
  }
  const done = stepOf(metadata['step'], name);
  await readParameters(stateOf(trainer), tensors, name);
  trainer.done = done;
}

function stateOf({ clip, optimizer }: ClipTrainer): Map<string, Tensor> {
  return new Map([...parameters(clip), ...optimizer.state()]);
}

function idsOf({ table }: TrainableClip): WritableTensor {
  const ids = Int32Array.from(table.ids ?? []);
  return { dtype: 'I32', shape: [ids.length], data: ids };
}

async function stored(t: Tensor, dtype: 'F16' | 'F32'): Promise<WritableTensor> {
  return { dtype, shape: t.shape, data: await read(t) };
}
