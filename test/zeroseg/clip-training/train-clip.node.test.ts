import { describe, expect, it, test } from 'vitest';
import type { ProcessGroup } from '../../../src/nn/distributed/process-group.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { random } from '../../../src/nn/layers/random.ts';
import { readSafetensors } from '../../../src/nn/safetensors/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import type { ClipConfig } from '../../../src/zeroseg/clip/towers.ts';
import { embedTexts } from '../../../src/zeroseg/clip/vocabulary.ts';
import { loadClipText, loadClipVision, logitScale, trainableWeights } from '../../../src/zeroseg/clip-files/load.ts';
import { clipConfig } from '../../../src/zeroseg/clip-files/tensor-sizes.ts';
import {
  clipFile,
  clipSettingsFile,
  clipTrainingFile,
  resumeClipTraining,
} from '../../../src/zeroseg/clip-training/save.ts';
import {
  type CaptionedData,
  type ClipSettings,
  type ClipStepReport,
  ClipTrainer,
  defaultClipSettings,
  textVocabulary,
} from '../../../src/zeroseg/clip-training/train-clip.ts';
import { newClipWeights, TrainableClip } from '../../../src/zeroseg/clip-training/trainable-clip.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { Encoder } from '../../../src/zeroseg/model/encoder.ts';
import { initialWeights } from '../../../src/zeroseg/model/pretrained-weights.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';
import { close } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { processGroup } from '../../support/process-group.ts';

const device = useDevice();

const config: ClipConfig = {
  vision: { width: 32, heads: 2, layers: 1, patch: 8, image: 16, stem: 'conv' },
  text: { width: 32, heads: 2, layers: 1, vocab: 49408, context: 77 },
  projection: 16,
  activation: 'quick_gelu',
  layer_norm_eps: 1e-5,
};
const settings: ClipSettings = { ...defaultClipSettings, steps: 60, batch: 16, lr: 2e-3, warmup: 5, length: 8 };

const colours = { red: [1, -1, -1], green: [-1, 1, -1], blue: [-1, -1, 1], white: [1, 1, 1] } as const;
const names = Object.keys(colours) as (keyof typeof colours)[];

/** Squares of a colour and noise, called by the colour. */
const data: CaptionedData = {
  batch: (number, pairs) => {
    const uniform = random(7, `batch ${number}`);
    const pixels = new Float32Array(pairs * 3 * 256);
    const captions = Array.from({ length: pairs }, (_, pair) => {
      const name = names[Math.floor(uniform() * names.length)] as keyof typeof colours;
      for (let at = 0; at < 768; at++) {
        pixels[pair * 768 + at] = (colours[name][Math.floor(at / 256)] as number) + 2 * uniform() - 1;
      }
      return uniform() < 0.5 ? name : `a photo of something ${name}`;
    });
    return { pixels, captions };
  },
};

async function make(changes: Partial<ClipSettings> = {}, group?: ProcessGroup, seed = 1): Promise<ClipTrainer> {
  const tokens = await Tokenizer.clip();
  const ids = textVocabulary(tokens, [...names, 'a photo of something']);
  const clip = new TrainableClip(newClipWeights(device.current, seed), config, ids);
  return ClipTrainer.create(device.current, clip, tokens, data, { ...settings, ...changes }, { group });
}

/** Losses and accuracies up to a step. */
async function run(trainer: ClipTrainer, until = Number.POSITIVE_INFINITY) {
  const reports: { loss: number; accuracy: number }[] = [];
  for await (const { step, loss, accuracy } of trainer.run()) {
    reports.push({ loss, accuracy });
    if (step >= until) trainer.stop();
  }
  return reports;
}

function end(trainer: ClipTrainer): void {
  trainer.dispose();
  freeParameters(trainer.clip);
}

describe('training of a CLIP', () => {
  it('processes that share the pairs of a batch have the losses of one, and its weights', async () => {
    const changes = { steps: 20, batch: 8 };
    type Trained = { readonly reports: readonly ClipStepReport[]; readonly weights: readonly number[][] };
    const trained = async (group: ProcessGroup | undefined, rank: number): Promise<Trained> => {
      const trainer = await make(changes, group, 1 + rank);
      await trainer.synchronise();
      const reports: ClipStepReport[] = [];
      for await (const report of trainer.run()) reports.push(report);
      const weights = (await readAll([...parameters(trainer.clip).values()])).map((values) => [...values]);
      end(trainer);
      return { reports, weights };
    };
    const alone = await trained(undefined, 0);
    const [shared, other] = (await Promise.all(processGroup(2).map(trained))) as [Trained, Trained];
    expect(other.weights).toEqual(shared.weights);
    for (const [i, wanted] of alone.reports.entries()) {
      const { loss, accuracy, scale, gradNorm } = shared.reports[i] as ClipStepReport;
      expect(Math.abs(loss / wanted.loss - 1), `loss of step ${i + 1}`).toBeLessThan(1e-5);
      expect(Math.abs(scale / wanted.scale - 1), `scale of step ${i + 1}`).toBeLessThan(1e-5);
      expect(Math.abs(gradNorm / wanted.gradNorm - 1), `gradients of step ${i + 1}`).toBeLessThan(1e-4);
      expect(accuracy).toBe(wanted.accuracy);
    }
  });

  it('is shared evenly or not at all, and stops in all processes after the same step', async () => {
    await expect(make({ batch: 9 }, processGroup(2)[0])).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: training: a batch of 9 pairs is not to be divided among 2 processes; choose a multiple of 2]`,
    );
    const done = await Promise.all(
      processGroup(2).map(async (group, rank) => {
        const trainer = await make({ steps: 20, batch: 8 }, group);
        const reports = await run(trainer, rank === 1 ? 2 : undefined);
        end(trainer);
        return reports.length;
      }),
    );
    expect(done).toEqual([3, 3]);
  });

  it('learns colours by their names, and writes a file that knows them', async () => {
    const trainer = await make();
    const reports = await run(trainer);
    expect(reports).toHaveLength(60);
    expect(reports.at(-1)?.loss).toBeLessThan((reports[0]?.loss as number) / 2);

    const bytes = await clipFile(trainer.clip, { dtype: 'F32' });
    const { tensors } = readSafetensors(bytes, 'teacher');
    const read = clipConfig(tensors, 'teacher', JSON.parse(clipSettingsFile(config)));
    expect(read).toEqual(config);
    expect(logitScale(tensors)).toBeGreaterThan(1);

    const vision = await loadClipVision(device.current, tensors, 'teacher', read);
    const text = await loadClipText(device.current, tensors, 'teacher', read);
    const { pixels, captions } = data.batch(1000, 32);
    const x = tensor(device.current, pixels, [32, 3, 16, 16]);
    const [ours, stored] = await readAll([trainer.clip.vision.forward(x), vision.forward(x)]);
    expect(stored).toEqual(ours);

    const tokens = await Tokenizer.clip();
    const words = names.map((name) => `something like ${name}`);
    const features = await embedTexts(device.current, text, tokens, words);
    await trainer.clip.readTokens();
    expect(await embedTexts(device.current, trainer.clip.text, tokens, words)).toEqual(features);

    const right = captions.filter((caption, i) =>
      caption.endsWith(names[nearest(ours as Float32Array, i, features)] as string),
    );
    expect(right.length).toBeGreaterThan(24);

    // Words that it never saw are all the same to it.
    const [a, b] = ['a zebra', 'a lion'];
    const unknown = await embedTexts(device.current, text, tokens, [a as string, b as string]);
    expect(unknown.subarray(0, 16)).toEqual(unknown.subarray(16));
    expect(unknown.every(Number.isFinite)).toBe(true);

    // Training goes on from the file, with its words; and a student may begin with its image tower.
    const { weights, ids } = trainableWeights(device.current, tensors, 'teacher');
    expect(ids).toEqual(trainer.clip.table.ids);
    const again = new TrainableClip(weights, config, ids);
    const same = [...parameters(again)].map(([name, t]) => [name, t.shape]);
    expect(same).toEqual([...parameters(trainer.clip)].map(([name, t]) => [name, t.shape]));
    expect(await readAll([...parameters(again).values()])).toEqual(
      await readAll([...parameters(trainer.clip).values()]),
    );
    freeParameters(again);
    const used = new Set<string>();
    const student = new Encoder(
      initialWeights(device.current, 1, tensors, 'teacher', used).in('encoder'),
      resolveConfig({ image: 16, patch: 8, stem: 'conv', dim: 32, depth: 1, heads: 2, seg_heads: 2 }),
    );
    const own = parameters(vision);
    expect(used.size).toBe(parameters(student).size);
    for (const [name, t] of parameters(student)) {
      const theirs = { cls_token: 'class_embedding', 'norm.weight': 'norm_post.weight', 'norm.bias': 'norm_post.bias' };
      const [mine, its] = await readAll([t, own.get(theirs[name as keyof typeof theirs] ?? name) as Tensor]);
      expect(mine).toEqual(its);
    }
    freeParameters(student);

    // f16 rounds, and takes half.
    const small = await clipFile(trainer.clip);
    expect(small.length).toBeLessThan(0.6 * bytes.length);
    const rounded = await loadClipVision(device.current, readSafetensors(small, 'small').tensors, 'small', read);
    const [third] = await readAll([rounded.forward(x)]);
    close(third as Float32Array, ours as Float32Array, 5e-3, 'f16');
    for (const tower of [vision, text, rounded]) freeParameters(tower);
    end(trainer);
  });

  it('gives the same numbers when it is stopped and continued', async () => {
    const whole = await make({ steps: 6 });
    const wanted = await run(whole);
    const first = await make({ steps: 6 });
    const begun = await run(first, 4);
    const state = await clipTrainingFile(first);
    const second = await make({ steps: 6 });
    await resumeClipTraining(second, state, 'state');
    expect([...begun, ...(await run(second))]).toEqual(wanted);
    for (const one of [whole, first, second]) end(one);
  });

  test('what cannot be trained or continued', async () => {
    await expect(make({ length: 80 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: training: 'length' must be from 3 to the context of the text tower, 77; got 80]`,
    );
    await expect(make({ batch: 1 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: training: 'batch' must be a whole number from 2 to 1048576; got 1]`,
    );
    const trainer = await make({ steps: 2 });
    const file = await clipFile(trainer.clip);
    await expect(resumeClipTraining(trainer, file, 'teacher.safetensors')).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: teacher.safetensors: is no state of 'train-teacher'; expected format 'zeroseg-clip-training-1']`,
    );
    end(trainer);
  });
});

/** Which text is nearest to image `i`. */
function nearest(images: Float32Array, i: number, texts: Float32Array): number {
  const width = config.projection;
  const score = names.map((_, n) => {
    let [dot, length] = [0, 0];
    for (let c = 0; c < width; c++) {
      const value = texts[n * width + c] as number;
      dot += (images[i * width + c] as number) * value;
      length += value * value;
    }
    return dot / Math.sqrt(length);
  });
  return score.indexOf(Math.max(...score));
}
