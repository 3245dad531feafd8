import { type Device, gradients, readAll, run, type Tensor, tensor } from '@zeroseg/core';
import { AdamW, freeParameters, parameters, sharedWeights, weightsFrom } from '@zeroseg/core/nn';
import {
  resolveConfig,
  type Trace,
  type TrainingInputs,
  viewCount,
  ZeroSeg,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import { FixtureError, type FixtureFile, hostValues, type Report } from '../report.ts';
import { verifyInference } from './inference.ts';
import { checkGradient, structuralZeros } from './structural-zeros.ts';

/** The tolerances of a training manifest. */
interface Tolerances {
  readonly act: number;
  readonly grad: number;
  readonly actGrad: number;
  readonly loss: number;
  readonly after: number;
  readonly infer: number;
}

/** A whole training step of a small model, its variants, and inference. */
export async function verifyTraining(
  device: Device,
  manifest: Fields,
  file: FixtureFile,
  report: Report,
): Promise<void> {
  const config = readConfig(manifest.object('config'));
  const tolerances = readTolerances(manifest.object('tolerance'));
  for (const informal of ['format', 'margins', 'float32_error']) manifest.raw(informal);
  const model = new ZeroSeg(
    weightsFrom(device, (name, shape) => file.floats(`param/${name}`, shape)),
    config,
  );
  try {
    const named = parameters(model);
    await report.part('param', 'parameters', () => checkParameters(manifest, file, report, named));
    await report.part('buffer', 'positions', () => checkPositions(model, file, tolerances.act));
    const inputs = trainingInputs(device, file, manifest.whole('batch'), config);
    await report.part('act', 'training pass', () => checkPass(model, inputs, manifest, file, report, tolerances));
    await report.part('variant', 'variants', () => checkVariants(model, inputs, manifest, file, report, tolerances));
    if (manifest.has('inference')) {
      const { infer: tolerance } = tolerances;
      await report.part('infer', 'inference', () =>
        verifyInference(device, model, manifest.object('inference'), file, tolerance, 'infer'),
      );
    }
    // Last, because it moves the weights.
    if (manifest.has('optimizer')) {
      await report.part('after', 'optimizer', () => checkUpdate(model, inputs, manifest, file, tolerances));
    }
  } finally {
    freeParameters(model);
  }
  manifest.complainAboutUnused();
}

/** The configuration of a manifest, which also states two sizes that follow from the others. */
export function readConfig(fields: Fields): ZeroSegConfig {
  const { grid, n_views, ...rest } = Object.fromEntries(fields.keys().map((key) => [key, fields.raw(key)]));
  const config = resolveConfig(rest);
  const derived = { grid: config.image / config.patch, n_views: viewCount(config.grids) };
  for (const [key, value] of Object.entries({ grid, n_views })) {
    const ours = derived[key as keyof typeof derived];
    if (value !== undefined && value !== ours)
      throw new FixtureError(`config: '${key}' is ${value}; it must be ${ours}`);
  }
  return config;
}

function readTolerances(fields: Fields): Tolerances {
  for (const words of ['rule', 'after_skip', 'label']) fields.raw(words);
  const optional = (name: string, otherwise: number) => (fields.has(name) ? fields.number(name) : otherwise);
  const act = fields.number('act');
  const grad = fields.number('grad');
  const tolerances = {
    act,
    grad,
    actGrad: optional('act_grad', grad),
    loss: fields.number('loss'),
    after: optional('after', act),
    infer: optional('infer', act),
  };
  fields.complainAboutUnused();
  return tolerances;
}

function checkParameters(
  manifest: Fields,
  file: FixtureFile,
  report: Report,
  named: ReadonlyMap<string, Tensor>,
): void {
  const stored = file.keys('param/');
  report.equal('param', 'names', [...named.keys()].sort(), stored.map((key) => key.slice('param/'.length)).sort());
  if (manifest.has('parameters')) report.equal('param', 'count', named.size, manifest.whole('parameters'));
}

function checkPositions(model: ZeroSeg, file: FixtureFile, tolerance: number): void {
  const tables = { encoder: model.encoder.table(), decoder: model.decoder.table() };
  for (const [part, table] of Object.entries(tables)) {
    const key = `buffer/${part}.pos_embed`;
    if (file.has(key)) file.check('buffer', key, table, tolerance);
  }
}

/** The inputs of a pass; `from` looks them up, so that a variant can bring its own. */
function trainingInputs(
  device: Device,
  file: FixtureFile,
  batch: number,
  config: ZeroSegConfig,
  key: (name: string) => string = (name) => `input/${name}`,
): TrainingInputs {
  const { image, chans, grids, clip_dim } = config;
  const input = (name: string, shape?: readonly number[]) => {
    const stored = file.get(key(name), shape);
    return tensor(device, hostValues(stored).data, stored.shape);
  };
  return {
    image: input('image', [batch, chans, image, image]),
    maskNoise: input('mask_noise', [batch, (image / config.patch) ** 2]),
    views: input('views', [batch, viewCount(grids), clip_dim]),
    noises: config.group_tokens.map((_, i) => ({ noise: input(`gumbel.${i}`) })),
  };
}

/** A pass of the model with everything it computes on the way, by name. */
function pass(model: ZeroSeg, inputs: TrainingInputs): { acts: Map<string, Tensor>; terms: Record<LossName, Tensor> } {
  const acts = new Map<string, Tensor>();
  const trace: Trace = (name, t) => acts.set(name, t);
  const { terms, total } = model.forward(inputs, trace);
  if (!acts.has('pred')) {
    // Nothing is masked, so training skips the decoder; what it computes can be looked at all the same.
    model.decoder.forward(acts.get('latent') as Tensor, acts.get('ids_restore') as Tensor, trace);
  }
  return { acts, terms: { ...terms, total } as Record<LossName, Tensor> };
}

type LossName = 'rec' | 'distill' | 'match' | 'total';
const lossNames: readonly LossName[] = ['rec', 'distill', 'match', 'total'];

/** One tensor that is computed and compared. */
interface Wanted {
  readonly family: string;
  readonly key: string;
  readonly tensor: Tensor;
  readonly tolerance: number;
}

async function checkPass(
  model: ZeroSeg,
  inputs: TrainingInputs,
  manifest: Fields,
  file: FixtureFile,
  report: Report,
  tolerances: Tolerances,
): Promise<void> {
  const { acts, terms } = pass(model, inputs);
  const named = parameters(model);
  const wanted: Wanted[] = [];
  const want = (family: string, key: string, found: Tensor | undefined, tolerance: number) => {
    if (found) wanted.push({ family, key, tensor: found, tolerance });
    else if (file.has(key) && file.get(key).bytes.length === 0) {
      // Distances to no views, where the only grid is the whole image.
      file.check(family, key, { shape: file.get(key).shape, data: [] }, tolerance);
    } else {
      report.fail(family, key, `the model computes nothing called '${key.slice(key.indexOf('/') + 1)}'`);
    }
  };
  for (const name of ['ids_keep', 'ids_restore', 'mask'])
    want('input', `input/${name}`, acts.get(name), tolerances.act);
  const listed = manifest.object('activations');
  for (const name of listed.keys()) file.get(`act/${name}`, listed.numbers(name));
  for (const key of file.keys('act/')) want('act', key, acts.get(key.slice('act/'.length)), tolerances.act);
  for (const name of lossNames) want('loss', `loss/${name}`, terms[name], tolerances.loss);

  const actGradKeys = file.keys('act_grad/').filter((key) => acts.has(key.slice('act_grad/'.length)));
  for (const key of file.keys('act_grad/')) if (!actGradKeys.includes(key)) want('act_grad', key, undefined, 0);
  const of = [...named.values(), ...actGradKeys.map((key) => acts.get(key.slice('act_grad/'.length)) as Tensor)];
  const found = gradients(terms.total, of);
  for (const [i, name] of [...named.keys()].entries()) want('grad', `grad/${name}`, found[i], tolerances.grad);
  for (const [i, key] of actGradKeys.entries()) want('act_grad', key, found[named.size + i], tolerances.actGrad);

  const values = await readAll(wanted.map((entry) => entry.tensor));
  const zero = structuralZeros(manifest, file);
  for (const name of zero.names) {
    if (!named.has(name)) report.fail('grad', name, `'zero_gradient' names '${name}', which is no parameter`);
  }
  for (const [name, rows] of zero.rows) {
    // Those of the keys: the middle third of q, k and v.
    const third = (named.get(name)?.size ?? 0) / 3;
    report.equal('grad', `zero rows of ${name}`, [third, 2 * third], rows);
  }
  wanted.forEach(({ family, key, tensor: { shape }, tolerance }, i) => {
    const got = { shape, data: values[i] as Float32Array };
    if (family === 'grad') checkGradient(file, key, got, tolerance, zero);
    else file.check(family, key, got, tolerance);
  });
}

async function checkVariants(
  model: ZeroSeg,
  inputs: TrainingInputs,
  manifest: Fields,
  file: FixtureFile,
  report: Report,
  tolerances: Tolerances,
): Promise<void> {
  const variants = (manifest.raw('variants') ?? []) as unknown[];
  const { device } = inputs.image;
  const batch = inputs.image.shape[0] as number;
  const seen = new Set<number>();
  for (const [i, json] of variants.entries()) {
    const index = (json as { index?: unknown })?.index;
    await report.part('variant', `variant ${index ?? i}`, async () => {
      const { index, changes, grad_norm: norms, ...unknown } = json as Record<string, unknown>;
      if (typeof index !== 'number' || seen.has(index))
        throw new FixtureError(`variant ${i} needs an 'index' of its own`);
      seen.add(index);
      if (Object.keys(unknown).length > 0)
        throw new FixtureError(`variant ${index} has unknown fields ${Object.keys(unknown)}`);
      const config = resolveConfig(changes as Record<string, unknown>, model.config);
      const prefix = `variant/${index}/`;
      const own = (name: string) => (file.has(prefix + name) ? prefix + name : `input/${name}`);
      const other = new ZeroSeg(sharedWeights(device, model), config);
      const { terms } = pass(other, trainingInputs(device, file, batch, config, own));
      const named = [...parameters(model)];
      const grads = gradients(
        terms.total,
        named.map(([, t]) => t),
      );
      const values = await readAll([...lossNames.map((name) => terms[name]), ...grads]);
      lossNames.forEach((name, k) => {
        const key = `${prefix}loss/${name}`;
        file.check('variant', key, { shape: [], data: values[k] as Float32Array }, tolerances.loss, {
          note: JSON.stringify(changes),
        });
      });
      for (const [part, want] of Object.entries((norms ?? {}) as Record<string, unknown>)) {
        let squares = 0;
        named.forEach(([name], k) => {
          if (!name.startsWith(part)) return;
          for (const value of values[lossNames.length + k] as Float32Array) squares += value * value;
        });
        report.number('variant', `${prefix}grad_norm ${part}`, Math.sqrt(squares), want, tolerances.grad);
      }
    });
  }
}

/** One step of the optimizer from zero state. */
async function checkUpdate(
  model: ZeroSeg,
  inputs: TrainingInputs,
  manifest: Fields,
  file: FixtureFile,
  tolerances: Tolerances,
): Promise<void> {
  const settings = manifest.object('optimizer');
  const { device } = inputs.image;
  const named = parameters(model);
  const [lr, number] = [settings.number('lr'), settings.whole('step')];
  if (number !== 1) throw new FixtureError(`'optimizer': 'step' must be 1, from zero state; got ${number}`);
  const optimizer = new AdamW(device, named, {
    beta1: settings.number('beta1'),
    beta2: settings.number('beta2'),
    eps: settings.number('eps'),
    weightDecay: settings.number('weight_decay'),
  });
  settings.complainAboutUnused();
  const hyper = tensor(device, optimizer.hyperparameters(number, lr));
  await run(device, () => {
    const { terms } = pass(model, inputs);
    optimizer.update(gradients(terms.total, [...named.values()]), hyper);
    return undefined;
  });
  const values = await readAll([...named.values()]);
  optimizer.dispose();
  const zero = structuralZeros(manifest, file);
  [...named].forEach(([name, { shape }], i) => {
    const key = `after/${name}`;
    const got = { shape, data: values[i] as Float32Array };
    const grad = file.floats(`grad/${name}`, shape);
    const [from, to] = zero.names.has(name) ? [0, grad.length] : (zero.rows.get(name) ?? [0, 0]);
    // Adam turns rounding noise into steps of up to the learning rate: those elements only have to stay within two.
    const noise = (k: number) => {
      const g = Math.abs(grad[k] as number);
      return g < 1e-7 || g < 1e-6 * zero.largest || (k >= from && k < to);
    };
    file.check('after', key, got, tolerances.after, { skip: noise });
    if (grad.some((_, k) => noise(k))) {
      file.check('after (no gradient)', key, got, 1, {
        skip: (k) => !noise(k),
        magnitude: 2.001 * lr,
        note: 'without a gradient of note: relative to two learning rates',
      });
    }
  });
}
