import { type Device, l2Normalize, matmul, readAll, scale, type Tensor, tensor } from '@zeroseg/core';
import { ensemble, settingsForm, toInt32 } from '@zeroseg/core/internal';
import { freeParameters } from '@zeroseg/core/nn';
import {
  type ClipConfig,
  clipConfig,
  endPosition,
  loadClipText,
  loadClipVision,
  logitScale,
  type Trace,
} from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import { type FixtureFile, type FixtureTensors, hostValues, type Report } from '../report.ts';

/** How many texts, from the first, make up the class embedding of the fixture. */
const ENSEMBLE = 3;

/** A text tower: CLIP's or GroupViT's. */
interface TextTower {
  embed(rows: readonly ArrayLike<number>[]): Float32Array;
  forward(embedded: Tensor, ends: Tensor, trace?: Trace): Tensor;
}

/** Both towers of a CLIP checkpoint. */
export async function verifyClip(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const given = manifest.raw('config');
  const config = clipConfig(checkpoint.tensors, checkpoint.name, given);
  if (settingsForm(given) === 'open_clip')
    return verifyOpenClip(device, manifest, config, checkpoint, expected, report);
  report.equal('config', 'sizes', sorted(config), sorted(given));
  const tolerance = manifest.number('tolerance');
  manifest.raw('notes');
  checkShapes(manifest, expected);
  const check = (key: string, got: Tensor, data: ArrayLike<number>) =>
    expected.check(familyOf(key), `out/${key}`, { shape: got.shape, data }, tolerance);

  const acts = new Map<string, Tensor>();
  const trace: Trace = (name, t) => acts.set(name, t);
  const vision = await loadClipVision(device, checkpoint.tensors, checkpoint.name, config);
  const text = await loadClipText(device, checkpoint.tensors, checkpoint.name, config);
  try {
    const images = vision.forward(stored(device, expected, 'in/pixels'), trace);
    const texts = encodeTexts(device, text, expected, 'in/input_ids', trace);
    const padded = encodeTexts(device, text, expected, 'in/input_ids_eos_padded');
    const large = stored(device, expected, 'in/pixels_large');
    const unit = { image: l2Normalize(images), text: l2Normalize(texts) };
    const wanted = new Map<string, Tensor>([
      ...acts,
      ['logits_per_image', scale(matmul(unit.image, unit.text, { transposeB: true }), logitScale(checkpoint.tensors))],
      ['image_features_large', vision.forward(large)],
      ['dense_plain', vision.dense(large, 'plain')],
      ['dense_value', vision.dense(large, 'maskclip')],
    ]);
    const values = await readAll([...wanted.values(), padded]);
    [...wanted].forEach(([key, t], i) => {
      check(key, t, values[i] as Float32Array);
    });
    // Padding with end tokens changes nothing: attention is causal and the first end is read.
    check('text_features', padded, values.at(-1) as Float32Array);
    const features = values[[...wanted.keys()].indexOf('text_features')] as Float32Array;
    const width = config.projection;
    for (const [key, meanFirst] of [
      ['class_embedding', false],
      ['class_embedding_raw_mean', true],
    ] as const) {
      const data = ensemble(features.subarray(0, ENSEMBLE * width), 1, ENSEMBLE, width, meanFirst);
      expected.check(familyOf(key), `out/${key}`, { shape: [width], data }, tolerance);
    }
  } finally {
    freeParameters(vision);
    freeParameters(text);
  }
  manifest.complainAboutUnused();
}

/** Both towers of a checkpoint in open_clip's form: the configuration is that of its `open_clip_config.json`. */
async function verifyOpenClip(
  device: Device,
  manifest: Fields,
  config: ClipConfig,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const { activation, layer_norm_eps, vision: visionSizes, text: textSizes } = config;
  report.equal('config', 'activation', activation, manifest.raw('activation'));
  report.equal('config', 'layer_norm_eps', layer_norm_eps, manifest.raw('layer_norm_eps'));
  report.equal('config', 'heads', [visionSizes.heads, textSizes.heads], manifest.raw('heads'));
  const tolerance = manifest.number('tolerance');
  manifest.raw('notes');
  checkShapes(manifest, expected);
  const vision = await loadClipVision(device, checkpoint.tensors, checkpoint.name, config);
  const text = await loadClipText(device, checkpoint.tensors, checkpoint.name, config);
  try {
    const [pixels, large] = [stored(device, expected, 'in/pixels'), stored(device, expected, 'in/pixels_large')];
    const images = vision.forward(pixels);
    const texts = encodeTexts(device, text, expected, 'in/input_ids');
    const unit = { image: l2Normalize(images), text: l2Normalize(texts) };
    const wanted: readonly (readonly [string, Tensor])[] = [
      ['image_features', images],
      ['text_features', texts],
      ['dense_plain', vision.dense(pixels, 'plain')],
      ['image_features_large', vision.forward(large)],
      ['dense_plain_large', vision.dense(large, 'plain')],
      ['logits_per_image', scale(matmul(unit.image, unit.text, { transposeB: true }), logitScale(checkpoint.tensors))],
    ];
    await checkOutputs(expected, wanted, tolerance);
  } finally {
    freeParameters(vision);
    freeParameters(text);
  }
  manifest.complainAboutUnused();
}

/** The manifest states the shape of every tensor of the file, and of no other. */
export function checkShapes(manifest: Fields, file: FixtureFile): void {
  const listed = manifest.object('tensors');
  for (const key of listed.keys()) file.get(key, listed.numbers(key));
}

/** Compares tensors with those of the fixture, `out/NAME` each; their values by name. */
export async function checkOutputs(
  expected: FixtureFile,
  wanted: Iterable<readonly [string, Tensor]>,
  tolerance: number,
  family: (key: string) => string = familyOf,
): Promise<ReadonlyMap<string, Float32Array>> {
  const entries = [...wanted];
  const values = await readAll(entries.map(([, t]) => t));
  return new Map(
    entries.map(([key, { shape }], i) => {
      const data = values[i] as Float32Array;
      expected.check(family(key), `out/${key}`, { shape, data }, tolerance);
      return [key, data];
    }),
  );
}

export function stored(device: Device, file: FixtureFile, key: string): Tensor {
  const found = file.get(key);
  return tensor(device, hostValues(found).data, found.shape);
}

/** Rows of token ids through a text tower. */
export function encodeTexts(device: Device, tower: TextTower, file: FixtureFile, key: string, trace?: Trace): Tensor {
  const ids = file.get(key);
  const [count = 0, length = 0] = ids.shape;
  const all = toInt32(ids);
  const rows = Array.from({ length: count }, (_, r) => all.subarray(r * length, (r + 1) * length));
  const embedded = tower.embed(rows);
  const ends = tensor(device, Uint32Array.from(rows, endPosition), [count, 1]);
  return tower.forward(tensor(device, embedded, [count, length, embedded.length / (count * length)]), ends, trace);
}

export function familyOf(key: string): string {
  if (/^text|^class_embedding/.test(key)) return 'text';
  if (/^(vision|image|embedded)/.test(key)) return 'vision';
  return key.split(/[._]/)[0] as string;
}

/** With keys in alphabetical order, so that equal objects are equal JSON. */
export function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
