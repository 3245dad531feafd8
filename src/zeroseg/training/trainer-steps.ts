import type { Device } from '../../gpu/index.ts';
import { parameters } from '../../nn/layers/index.ts';
import { AdamW } from '../../nn/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { keptPatches, patchCount, type ZeroSeg, type ZeroSegConfig } from '../model/index.ts';
import type { GroupingSizes, GroupingTensors, GroupingValues } from './grouping-statistics.ts';
import type { TrainSettings } from './settings.ts';
import { differentiate, type Pass, passInputs, trainingPass } from './training-pass.ts';

type BatchInput = 'image' | 'views' | 'key';
/** What a micro-batch is, on the host. */
export type Batch = Record<BatchInput, Float32Array | Uint32Array>;
type Forward = Step<BatchInput | 'hyper' | 'scale', Pass>;
export type Apply = Step<'hyper', { norm: Tensor }>;

/** What the GPU runs for a model and its settings. */
export interface Compiled {
  readonly model: ZeroSeg;
  readonly settings: TrainSettings;
  readonly optimizer: AdamW;
  /** Forward, backward and update of a whole batch; or of a micro-batch, then the update apart. */
  readonly forward: Forward;
  readonly apply: Apply | undefined;
}

/** Packs the model's parameters, records and plans the steps. */
export async function compile(
  device: Device,
  model: ZeroSeg,
  settings: TrainSettings,
  { isMeasured, isShared }: { readonly isMeasured: boolean; readonly isShared: boolean },
): Promise<Compiled> {
  const { batch, micro, beta1, beta2, adam_eps: eps, weight_decay: weightDecay, clip_grad } = settings;
  const clipping = clip_grad > 0 ? { maxNorm: clip_grad } : {};
  const optimizer = new AdamW(device, parameters(model), { beta1, beta2, eps, weightDecay, ...clipping });
  const backward = differentiate(settings, model, optimizer);
  // What other processes add comes between backward and update.
  const whole = micro === batch && !isShared;
  let forward: Forward | undefined;
  try {
    forward = await step(
      device,
      { ...passInputs(model.config, micro), hyper: [optimizer.hyperparameterCount] },
      ({ scale, hyper, ...inputs }) => {
        const { gradients, ...terms } = backward(scale, () => trainingPass(model, settings, inputs, isMeasured));
        if (whole) return { ...terms, norm: optimizer.update(gradients, hyper).norm };
        optimizer.accumulate(gradients, micro / batch);
        return terms;
      },
      { name: 'train' },
    );
    const apply = whole
      ? undefined
      : await step(
          device,
          { hyper: [optimizer.hyperparameterCount] },
          ({ hyper }) => ({ norm: optimizer.apply(hyper).norm }),
          {
            name: 'update',
          },
        );
    return { model, settings, optimizer, forward, apply };
  } catch (error) {
    forward?.dispose();
    optimizer.dispose();
    throw error;
  }
}

export function groupingSizes(config: ZeroSegConfig): GroupingSizes {
  const { output_groups, seg_input, seg_use_cls: withCls, grids } = config;
  const patches = seg_input === 'full' ? patchCount(config) : keptPatches(config);
  return { groups: output_groups as [number, number], members: patches + (withCls ? 1 : 0), withCls, grids };
}

export async function readGrouping({ first, second, nearest }: GroupingTensors): Promise<GroupingValues> {
  const [one, two, views] = await readAll(nearest ? [first, second, nearest] : [first, second]);
  return { first: one as Float32Array, second: two as Float32Array, nearest: views };
}
