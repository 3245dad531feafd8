import { type Device, readAll, type Tensor, tensor } from '@zeroseg/core';
import { classProbabilities, DenseClip, gaussianBias, patchScoreMaps, positionRule } from '@zeroseg/core/internal';
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
  Segmenter,
  smoothByKeys,
} from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import { FixtureError, type FixtureFile, type FixtureTensors, type Report } from '../report.ts';
import { checkShapes, encodeTexts, sorted, stored } from './clip.ts';
import { LABELS_MAY_DIFFER } from './inference.ts';

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
    const queries = { embeddings: expected.floats('in/queries'), labels: manifest.numbers('query_index') };
    const pipelines = manifest.object('pipelines');
    for (const name of pipelines.keys()) {
      const settings = pipelines.object(name);
      await report.part(name, name, async () => {
        await classifier(device, towers.quick_gelu, { name, settings, queries, expected, tolerance });
        settings.complainAboutUnused();
      });
    }
    manifest.raw('margins');
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

interface Pipeline {
  readonly name: string;
  readonly settings: Fields;
  /** Label 0 is the background. */
  readonly queries: { readonly embeddings: Float32Array; readonly labels: readonly number[] };
  readonly expected: FixtureFile;
  readonly tolerance: number;
}

/** The whole classifier on a photo: windows, the resize, PAMR, probabilities of classes, labels. */
async function classifier(
  device: Device,
  vision: ClipVision,
  { name, settings, queries, expected, tolerance }: Pipeline,
): Promise<void> {
  const mode = modeOf(settings.text('method'));
  settings.choice('position_rule', [positionRule(mode)]);
  const model = new DenseClip(vision, mode);
  if (settings.flag('pad_to_patch') !== model.patches?.pad) {
    throw new FixtureError(`'pad_to_patch' of ${mode} is ${model.patches?.pad} here`);
  }
  const [height = 0, width = 0] = settings.numbers('size');
  const [, , rows = 0, cols = 0] = expected.get('in/photo').shape;
  const sizes = { window: settings.whole('crop'), stride: settings.whole('stride') };
  using segmenter = new Segmenter(device, model);
  const photo = { width: cols, height: rows };
  const division = await segmenter.dividePlanes(expected.floats('in/photo'), photo, { width, height }, sizes);

  const pamr = settings.has('pamr') ? settings.object('pamr') : undefined;
  if (!pamr) settings.raw('pamr');
  const refine = pamr && { steps: pamr.whole('steps'), dilations: pamr.numbers('dilations') };
  const area = settings.has('area_threshold') ? settings.number('area_threshold') : undefined;
  settings.raw('area_threshold');
  const [scale, threshold] = [settings.number('scale'), settings.number('threshold')];
  const check = (key: string, { shape }: Tensor, data: ArrayLike<number>) =>
    expected.check(name, `out/${name}/${key}`, { shape: shape.slice(1), data }, tolerance);
  const columns = queries.labels.map((_, q) => q);
  const plain = (await patchScoreMaps(device, division, queries.embeddings, {})).maps(columns);
  const refined = (await patchScoreMaps(device, division, queries.embeddings, { refine })).maps(columns);
  const probabilities = classProbabilities(refined, queries.labels, scale);
  const [score, afterwards, prob] = (await readAll([plain, refined, probabilities])) as Float32Array[];
  check('score', plain, score as Float32Array);
  if (refine) check('refined', refined, afterwards as Float32Array);

  const names = [...new Set(queries.labels)].filter((label) => label > 0).map((label) => `class ${label}`);
  const vocabulary = { names, embeddings: queries.embeddings, scale, words: queries };
  const { labels, pixels } = await segmenter.name(division, vocabulary, { threshold, area, refine });
  // What has too small an area has no probability anywhere.
  for (const label of pixels?.leftOut ?? []) {
    prob?.fill(0, label * width * height, (label + 1) * width * height);
  }
  check('prob', probabilities, prob as Float32Array);
  const result = { shape: [height, width], data: labels.data };
  expected.check(name, `out/${name}/label`, result, tolerance, { mayDiffer: LABELS_MAY_DIFFER });
}

function modeOf(name: string): DenseMode {
  const found = denseModes.find((mode) => mode === name);
  if (!found) throw new FixtureError(`there is no way through the last layer called '${name}'`);
  return found;
}
