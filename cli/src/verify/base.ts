import {
  argmax,
  type Device,
  gradients,
  readAll,
  reshape,
  type Shape,
  slice,
  square,
  sum,
  type Tensor,
  tensor,
} from '@zeroseg/core';
import { hashText, size } from '@zeroseg/core/internal';
import { freeParameters, parameters, weightsFrom } from '@zeroseg/core/nn';
import { keptPatches, patchCount, viewCount, ZeroSeg } from '@zeroseg/core/zeroseg';
import type { Fields } from './manifest.ts';
import { STRUCTURAL_ZERO } from './models/structural-zeros.ts';
import { readConfig } from './models/training.ts';
import { FixtureError, type FixtureFile, type Report } from './report.ts';

/**
 * Numbers of one tensor of the full-size model: drawn in [0, 1) by a hash of the seed, the name and the index, then shaped by
 * `value`. A plain loop: there are 180 million of them.
 */
function hashed(seed: number, name: string, shape: Shape, value: (u: number) => number): Float32Array {
  const key = hashText(`${seed}:${name}`);
  const out = new Float32Array(size(shape));
  for (let i = 0; i < out.length; i++) {
    let h = (key + Math.imul(i, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    out[i] = value(((h ^ (h >>> 16)) >>> 8) / 2 ** 24);
  }
  return out;
}

/** Uniform, of a given mean and standard deviation. */
function spread(seed: number, name: string, shape: Shape, deviation: number, mean = 0): Float32Array {
  const width = Math.sqrt(3) * deviation;
  return hashed(seed, name, shape, (u) => mean + (2 * u - 1) * width);
}

/** A weight of the hashed model: its spread follows from its name and shape. */
export function hashWeight(seed: number, name: string, shape: Shape): Float32Array {
  if (name.endsWith('.bias')) return spread(seed, name, shape, 0.1);
  if (shape.length === 1) return spread(seed, name, shape, 0.1, 1);
  if (name.slice(name.lastIndexOf('.') + 1).includes('token')) return spread(seed, name, shape, 0.02);
  return spread(seed, name, shape, 1 / Math.sqrt(size(shape.slice(1))));
}

function hashInput(seed: number, name: string, shape: Shape): Float32Array {
  if (name === 'mask_noise') return hashed(seed, name, shape, (u) => u);
  if (name.startsWith('gumbel.')) return hashed(seed, name, shape, (u) => -Math.log(-Math.log(Math.max(u, 1e-6))));
  return spread(seed, name, shape, 1);
}

/** The full model on hashed weights and inputs: losses, some activations, and every gradient in brief. */
export async function verifyBase(device: Device, manifest: Fields, file: FixtureFile, report: Report): Promise<void> {
  const config = readConfig(manifest.object('config'));
  const tolerance = manifest.object('tolerance');
  tolerance.raw('rule');
  const [loss, act, gradient] = [tolerance.number('loss'), tolerance.number('act'), tolerance.number('grad_norm')];
  tolerance.complainAboutUnused();
  for (const informal of ['format', 'margins', 'float32_error']) manifest.raw(informal);
  const [seed, batch] = [manifest.whole('seed'), manifest.whole('batch')];

  const patches = patchCount(config);
  const seen = (config.seg_input === 'full' ? patches : keptPatches(config)) + (config.seg_use_cls ? 1 : 0);
  const members = [seen, ...config.output_groups];
  const inputShapes: Record<string, Shape> = {
    image: [batch, config.chans, config.image, config.image],
    mask_noise: [batch, patches],
    views: [batch, viewCount(config.grids), config.clip_dim],
    ...Object.fromEntries(
      config.output_groups.map((groups, i) => [`gumbel.${i}`, [batch, groups, members[i] as number]]),
    ),
  };
  const inputs = new Map(
    Object.entries(inputShapes).map(([name, shape]) => [name, tensor(device, hashInput(seed, name, shape), shape)]),
  );
  const input = (name: string) => inputs.get(name) as Tensor;

  // Samples first: if the numbers that go in are wrong, nothing else can be right.
  const samples = new Map<string, Float32Array>();
  const model = new ZeroSeg(
    weightsFrom(device, (name, shape) => {
      const values = hashWeight(seed, name, shape);
      samples.set(name, values.slice(0, 8));
      return values;
    }),
    config,
  );
  try {
    for (const [name, t] of inputs) samples.set(name, hashInput(seed, name, t.shape).subarray(0, 8));
    for (const key of file.keys('sample/')) {
      const data = samples.get(key.slice('sample/'.length));
      if (data) file.check('sample', key, { shape: [data.length], data }, 0, { note: 'equal to the last bit' });
      else report.fail('sample', key, 'neither a parameter nor an input has this name');
    }

    const named = parameters(model);
    report.equal('param', 'names', [...named.keys()], manifest.list('parameters'));
    const acts = new Map<string, Tensor>();
    const terms = model.forward(
      {
        image: input('image'),
        maskNoise: input('mask_noise'),
        views: input('views'),
        noises: config.group_tokens.map((_, i) => ({ noise: input(`gumbel.${i}`) })),
      },
      (name, t) => acts.set(name, t),
    );
    const traced = (name: string) => {
      const found = acts.get(name);
      if (!found) throw new FixtureError(`the model computes nothing called '${name}'`);
      return found;
    };
    const wanted: { family: string; key: string; tensor: Tensor; tolerance: number }[] = [];
    const want = (family: string, key: string, t: Tensor, allowed: number) =>
      wanted.push({ family, key, tensor: t, tolerance: allowed });
    const losses: Readonly<Record<string, Tensor>> = { ...terms.terms, total: terms.total };
    for (const name of ['rec', 'distill', 'match', 'total']) want('loss', `loss/${name}`, losses[name] as Tensor, loss);
    for (const key of file.keys('act/')) {
      const name = key.slice('act/'.length);
      const [, part, channels] = /^(.+)_first(\d+)$/.exec(name) ?? [];
      const stage = /^assign\.(\d+)$/.exec(name)?.[1];
      if (part) want('act', key, slice(traced(part), 2, 0, Number(channels)), act);
      else if (stage) want('act', key, argmax(traced(`seg.stage${stage}.assign`), 1), 0);
      else want('act', key, traced(name), act);
    }

    const found = gradients(terms.total, [...named.values()]);
    const brief = found.flatMap((g) => [
      sum(square(g)),
      sum(g),
      slice(reshape(g, [g.size]), 0, 0, Math.min(4, g.size)),
    ]);
    const values = await readAll([...wanted.map((entry) => entry.tensor), ...brief]);
    wanted.forEach(({ family, key, tensor: { shape }, tolerance }, i) => {
      file.check(family, key, { shape, data: values[i] as Float32Array }, tolerance);
    });
    checkGradients(named, values.slice(wanted.length) as Float32Array[], manifest, file, report, gradient);
  } finally {
    freeParameters(model);
  }
  manifest.complainAboutUnused();
}

/** `brief` holds for each parameter the sum of squares, the sum, and the first elements of its gradient. */
function checkGradients(
  named: ReadonlyMap<string, Tensor>,
  brief: readonly Float32Array[],
  manifest: Fields,
  file: FixtureFile,
  report: Report,
  tolerance: number,
): void {
  const count = named.size;
  const norms = Float32Array.from({ length: count }, (_, i) => Math.sqrt(brief[3 * i]?.[0] as number));
  const sums = Float32Array.from({ length: count }, (_, i) => brief[3 * i + 1]?.[0] as number);
  const first = new Float32Array(4 * count);
  for (let i = 0; i < count; i++) first.set(brief[3 * i + 2] as Float32Array, 4 * i);
  report.keep(file.name, 'grad/norm', { shape: [count], data: norms }, false);
  report.keep(file.name, 'grad/sum', { shape: [count], data: sums }, false);
  report.keep(file.name, 'grad/first4', { shape: [count, 4], data: first }, false);

  const want = {
    norms: file.floats('grad/norm', [count]),
    sums: file.floats('grad/sum', [count]),
    first: file.floats('grad/first4', [count, 4]),
  };
  const largest = want.norms.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const zeros = new Set(manifest.list('zero_gradient'));
  for (const name of zeros) {
    if (!named.has(name as string)) report.fail('grad', String(name), "'zero_gradient' names no parameter");
  }
  let i = 0;
  for (const [name, { size: n }] of named) {
    const norm = Math.abs(want.norms[i] as number);
    const check = (what: string, got: Float32Array, wanted: Float32Array, per: number, magnitude: number) => {
      const part = (values: Float32Array) => values.subarray(i * per, (i + 1) * per);
      const zero = zeros.has(name);
      report.scaled('grad', `${what} ${name}`, part(got), part(wanted), {
        tolerance: zero ? STRUCTURAL_ZERO : tolerance,
        magnitude: zero ? largest : magnitude,
        ...(zero ? { note: 'zero in exact arithmetic: relative to the largest gradient norm' } : {}),
      });
    };
    // Norms relative to themselves; a sum of cancelling elements to the norm; single elements at least to their usual size.
    check('norm', norms, want.norms, 1, norm);
    check('sum', sums, want.sums, 1, Math.max(norm, Math.abs(want.sums[i] as number)));
    const head = want.first.subarray(4 * i, 4 * i + 4).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    check('first4', first, want.first, 4, Math.max(head, norm / Math.sqrt(n)));
    i++;
  }
}
