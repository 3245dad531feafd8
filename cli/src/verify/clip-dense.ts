import { type Device, readAll, type Tensor, tensor } from '@zeroseg/core';
import { gaussianBias } from '@zeroseg/core/internal';
import { freeParameters } from '@zeroseg/core/nn';
import {
  type ClipConfig,
  type ClipVision,
  clipConfig,
  type DenseMode,
  denoisePrompts,
  denseModes,
  loadClipText,
  loadClipVision,
  smoothByKeys,
} from '@zeroseg/core/zeroseg';
import { checkShapes, encodeTexts, sorted, stored } from './clip.ts';
import type { Fields } from './manifest.ts';
import { FixtureError, type FixtureFile, type FixtureTensors, type Report } from './report.ts';

type Activation = 'quick_gelu' | 'gelu';

/** The ways through a CLIP's last layer, MaskCLIP's refinements, and the classifier around them. */
export async function verifyClipDense(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const given = manifest.raw('config') as Partial<ClipConfig>;
  // One set of weights for both activations: the rest of the configuration is the file's.
  const of = (activation: Activation) => clipConfig(checkpoint.tensors, checkpoint.name, { ...given, activation });
  const { activation: _, ...sizes } = of('gelu');
  report.equal('config', 'sizes', sorted(sizes), sorted(given));
  const tolerance = manifest.number('tolerance');
  manifest.raw('notes');
  checkShapes(manifest, expected);
  const load = (activation: Activation) => loadClipVision(device, checkpoint.tensors, checkpoint.name, of(activation));
  const towers = { quick_gelu: await load('quick_gelu'), gelu: await load('gelu') };
  try {
    const wanted = [
      ...(await features(device, expected, towers, manifest.number('sigma'))),
      ...refinements(device, expected, manifest.object('refine')),
    ];
    const text = await loadClipText(device, checkpoint.tensors, checkpoint.name, of('quick_gelu'));
    wanted.push(['out/text_features', encodeTexts(device, text, expected, 'in/input_ids')]);
    const values = await readAll(wanted.map(([, t]) => t));
    freeParameters(text);
    wanted.forEach(([key, { shape }], i) => {
      expected.check(familyOf(key), key, { shape, data: values[i] as Float32Array }, tolerance);
    });
  } finally {
    freeParameters(towers.quick_gelu);
    freeParameters(towers.gelu);
  }
  manifest.complainAboutUnused();
}

function familyOf(key: string): string {
  const [, part = '', mode = ''] = key.split('/');
  return part === 'quick_gelu' || part === 'gelu' ? mode : part;
}

type Named = [key: string, tensor: Tensor];

/** `out/ACTIVATION/METHOD/INPUT`, and the same by another rule of positions or another sigma. */
async function features(
  device: Device,
  expected: FixtureFile,
  towers: Readonly<Record<Activation, ClipVision>>,
  sigma: number,
): Promise<Named[]> {
  const modeOf = (name: string): DenseMode => {
    const found = denseModes.find((mode) => mode === name);
    if (!found) throw new FixtureError(`there is no way through the last layer called '${name}'`);
    return found;
  };
  const inputs = new Map<string, Tensor>();
  const input = (name: string): Tensor => {
    const found = inputs.get(name) ?? stored(device, expected, `in/${name}`);
    inputs.set(name, found);
    return found;
  };
  const offset = { positions: 'offset', sigma } as const;
  const all: Named[] = [];
  for (const activation of ['quick_gelu', 'gelu'] as const) {
    for (const key of expected.keys(`out/${activation}/`)) {
      const [, , mode = '', name = ''] = key.split('/');
      all.push([key, towers[activation].dense(input(name), modeOf(mode), offset)]);
    }
  }
  for (const [prefix, options] of [
    ['out/size_rule/', { ...offset, positions: 'size' }],
    // NACLIP with another sigma.
    ['out/sigma/', { ...offset, sigma: 1.5 }],
  ] as const) {
    for (const key of expected.keys(prefix)) {
      const [, , mode = '', name = ''] = key.split('/');
      all.push([key, towers.quick_gelu.dense(input(name), modeOf(mode), options)]);
    }
  }
  all.push(['out/image_features', towers.quick_gelu.forward(input('square'))]);
  const grid = { rows: 2, cols: 3 };
  all.push(['out/gaussian_bias', tensor(device, gaussianBias(grid, sigma), [7, 7])]);
  // MaskCLIP's own rule of positions.
  const wide = towers.quick_gelu.denseFeatures(input('wide'), 'maskclip');
  all.push(['out/refine/keys', wide.keys]);
  return all;
}

/** Prompt denoising, key smoothing, and both, of the fixture's own scores and keys. */
function refinements(device: Device, expected: FixtureFile, refine: Fields): Named[] {
  const [scores, keys] = [stored(device, expected, 'out/refine/scores'), stored(device, expected, 'out/refine/keys')];
  return refine.keys().map((name): Named => {
    const fields = refine.object(name);
    const [smooth, denoise] = [fields.number('smooth'), fields.number('denoise')];
    fields.complainAboutUnused();
    const cosines = denoise > 0 ? denoisePrompts(scores, denoise) : scores;
    return [`out/refine/${name}`, smooth > 0 ? smoothByKeys(cosines, keys, smooth) : cosines];
  });
}
