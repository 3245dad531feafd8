import type { Device } from '../../gpu/index.ts';
import { parameters, sharedWeights } from '../../nn/layers/index.ts';
import { AdamW, WeightAverage } from '../../nn/optimizer/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { readAll, run, type Step, step } from '../../tensor/run/index.ts';
import { keptPatches, patchCount, ZeroSeg, type ZeroSegConfig } from '../model/index.ts';
import type { GroupingSizes, GroupingTensors, GroupingValues } from './grouping-statistics.ts';
import type { TrainSettings } from './settings.ts';
import { differentiate, type Pass, passInputs, trainingPass } from './training-pass.ts';

type BatchInput = 'image' | 'views' | 'key';
/** What a micro-batch is, on the host. */
export type Batch = Record<BatchInput, Float32Array | Uint32Array>;
/** `rest` is what the average takes of the weights: there where there is an average, and the update is in that step. */
type Forward = Step<BatchInput | 'hyper' | 'scale' | 'rest', Pass>;
export type Apply = Step<'hyper' | 'rest', { norm: Tensor }>;

/** What the GPU runs for a model and its settings. */
export interface Compiled {
  readonly model: ZeroSeg;
  readonly settings: TrainSettings;
  readonly optimizer: AdamW;
  /** Forward, backward and update of a whole batch; or of a micro-batch, then the update apart. */
  readonly forward: Forward;
  readonly apply: Apply | undefined;
  /** Of the setting `ema`, and the model over it. */
  readonly average: WeightAverage | undefined;
  readonly evaluated: ZeroSeg;
}

/** Packs the model's parameters, records and plans the steps. */
export async function compile(
  device: Device,
  model: ZeroSeg,
  settings: TrainSettings,
  { isMeasured, isShared }: { readonly isMeasured: boolean; readonly isShared: boolean },
): Promise<Compiled> {
  const { batch, micro, beta1, beta2, adam_eps: eps, weight_decay: weightDecay, clip_grad, ema } = settings;
  const clipping = clip_grad > 0 ? { maxNorm: clip_grad } : {};
  const optimizer = new AdamW(device, parameters(model), { beta1, beta2, eps, weightDecay, ...clipping });
  const backward = differentiate(settings, model, optimizer);
  // What other processes add comes between backward and update.
  const whole = micro === batch && !isShared;
  const average = ema > 0 ? new WeightAverage(optimizer, { decay: ema }) : undefined;
  const rest = average ? { rest: [] } : {};
  const update = (updated: () => { norm: Tensor }, given: { readonly rest?: Tensor }): Tensor => {
    const { norm } = updated();
    if (average) average.update(given.rest as Tensor);
    return norm;
  };
  let forward: Forward | undefined;
  try {
    // Until the first update, they are the weights.
    if (average) await run(device, () => void average.update(tensor(device, 1)) as undefined);
    const evaluated = average ? new ZeroSeg(sharedWeights(device, average.state()), model.config) : model;
    forward = (await step(
      device,
      {
        ...passInputs(model.config, micro),
        hyper: [optimizer.hyperparameterCount],
        ...(whole ? rest : {}),
      },
      ({ scale, hyper, ...inputs }) => {
        const { gradients, ...terms } = backward(scale, () => trainingPass(model, settings, inputs, isMeasured));
        if (whole) return { ...terms, norm: update(() => optimizer.update(gradients, hyper), inputs) };
        optimizer.accumulate(gradients, micro / batch);
        return terms;
      },
      { name: 'train' },
    )) as Forward;
    const apply = whole
      ? undefined
      : ((await step(
          device,
          { hyper: [optimizer.hyperparameterCount], ...rest },
          ({ hyper, ...inputs }) => ({ norm: update(() => optimizer.apply(hyper), inputs) }),
          { name: 'update' },
        )) as Apply);
    return { model, settings, optimizer, forward, apply, average, evaluated };
  } catch (error) {
    forward?.dispose();
    average?.dispose();
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
