import { type Device, heard } from '../../gpu/index.ts';
import {
  type AllReduceOptions,
  allReduce,
  gradientBuckets,
  type ProcessGroup,
  packHalves,
  type Wire,
} from '../../nn/distributed/index.ts';
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
  /** Of a step that is shared: what gradients are rounded to between processes. */
  readonly wire: Wire;
}

/** Packs the model's parameters, records and plans the steps. */
export async function compile(
  device: Device,
  model: ZeroSeg,
  settings: TrainSettings,
  {
    isMeasured,
    isShared,
    wire = 'f32',
  }: { readonly isMeasured: boolean; readonly isShared: boolean; readonly wire?: Wire | undefined },
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
        return isShared && wire === 'f16' ? { ...terms, ...packed(optimizer) } : terms;
      },
      { name: 'train', ...(isShared && { readEarly: (results: Pass) => sentBy(results, optimizer, wire) }) },
    )) as Forward;
    const apply = whole
      ? undefined
      : ((await step(
          device,
          { hyper: [optimizer.hyperparameterCount], ...rest },
          ({ hyper, ...inputs }) => ({ norm: update(() => optimizer.apply(hyper), inputs) }),
          { name: 'update' },
        )) as Apply);
    return { model, settings, optimizer, forward, apply, average, evaluated, wire };
  } catch (error) {
    forward?.dispose();
    average?.dispose();
    optimizer.dispose();
    throw error;
  }
}

const PACKED = 'packed.';

/** Sums of gradients as they go to other processes, by the number of their bucket. */
function packed(optimizer: AdamW): Record<`${typeof PACKED}${string}`, Tensor> {
  return Object.fromEntries(gradientBuckets(optimizer).map((bucket, i) => [`${PACKED}${i}`, packHalves(bucket)]));
}

/** What is read of a pass while it runs, in the order in which a backward pass has it. */
function sentBy(results: Pass, optimizer: AdamW, wire: Wire): Tensor[] {
  const buckets = gradientBuckets(optimizer);
  return wire === 'f32' ? [...buckets] : buckets.map((_, i) => results[`${PACKED}${i}`] as Tensor);
}

/** Runs the last micro-batch of a step, and sums the gradients of all processes, bucket by bucket, while it runs. */
export function lastPass(
  { forward, optimizer, wire }: Compiled,
  group: ProcessGroup,
  inputs: Parameters<Forward>[0],
  trace: AllReduceOptions['trace'],
): { readonly pass: Pass; readonly summed: Promise<void> } {
  const { results: pass, early } = forward.readEarly(inputs);
  return { pass, summed: heard(allReduce(group, gradientBuckets(optimizer), { early, wire, trace })) };
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
