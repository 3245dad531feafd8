import { type Device, readAll, type Tensor, tensor } from '@zeroseg/core';
import { resizeBilinear, scoreRows } from '@zeroseg/core/internal';
import { toFloat32 } from '@zeroseg/core/nn';
import { nameSegments, Segmenter, type SegmentResult, type ZeroSeg } from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import { type Computed, FixtureError, type FixtureFile } from '../report.ts';

/** The fraction of pixels in which label maps may differ. */
export const LABELS_MAY_DIFFER = 0.01;

/** Inference of spec §11: one window with everything on the way, then sliding windows. */
export async function verifyInference(
  device: Device,
  model: ZeroSeg,
  settings: Fields,
  file: FixtureFile,
  tolerance: number,
  family: string,
): Promise<void> {
  for (const informal of ['assign_gap', 'near_tie_pixels']) settings.raw(informal);
  const text = file.get('infer/text');
  const [classes = 0] = text.shape;
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
  const vocabulary = { names, embeddings: toFloat32(text), scale: settings.number('scale') };
  const options = { threshold: settings.number('threshold'), top: settings.whole('top') };
  const check = (key: string, got: Computed) =>
    file.check(family, `infer/${key}`, got, tolerance, { mayDiffer: LABELS_MAY_DIFFER });

  const stored = file.get('infer/image');
  const [batch, , height = 0, width = 0] = stored.shape;
  if (batch !== 1) throw new FixtureError(`infer/image must hold one image; it holds ${batch}`);
  const acts = new Map<string, Tensor>();
  const image = toFloat32(stored).slice();
  const found = model.segment(tensor(device, image, stored.shape), (name, t) => acts.set(name, t));
  const wanted = new Map<string, Tensor>([
    ['tokens', acts.get('latent') as Tensor],
    ...found.softMaps.map((map, i): [string, Tensor] => [`soft.${i}`, map]),
    ['segments', found.segments],
    ['global', found.global],
    ['rollout', found.rollout],
  ]);
  const values = await readAll([...wanted.values()]);
  for (const [i, [key, { shape }]] of [...wanted].entries()) check(key, { shape, data: values[i] as Float32Array });

  using segmenter = new Segmenter(device, model);
  const size = { width, height };
  const whole = nameSegments(await segmenter.dividePlanes(image, size, size, { mode: 'whole' }), vocabulary, options);
  const [, segments = 0, rows = 0, cols = 0] = found.rollout.shape;
  const { rollout } = await segmenter.features(image, height, width);
  const window = whole.windows[0] as SegmentResult['windows'][number];
  const maps = resizeBilinear(rollout, segments, rows, cols, height, width);
  check('pixel_maps', { shape: [segments, height, width], data: maps });
  check('pixel_group', { shape: [height, width], data: window.segmentOf });
  check('affinity', { shape: [segments, classes], data: window.affinity });
  check('class_map', classMap(whole, size, classes));
  check('label', { shape: [height, width], data: whole.labels.data });

  await verifySliding(segmenter, settings, file, { key: 'infer/slide.image', ...vocabulary, ...options }, (key, got) =>
    check(`slide.${key}`, got),
  );
  settings.complainAboutUnused();
}

interface SlidingInputs {
  /** The key of the image. */
  readonly key: string;
  readonly names: readonly string[];
  readonly embeddings: Float32Array;
  readonly scale: number;
  readonly threshold?: number | undefined;
  readonly top: number;
}

/** A wide image in overlapping windows, averaged, resized, arg-max. */
export async function verifySliding(
  segmenter: Segmenter,
  settings: Fields,
  file: FixtureFile,
  { key, names, embeddings, scale, threshold, top }: SlidingInputs,
  check: (key: string, got: Computed) => void,
): Promise<void> {
  const [short, stride] = [settings.whole('window'), settings.whole('stride')];
  const [outHeight = 0, outWidth = 0] = settings.numbers(settings.has('size') ? 'size' : 'output_size');
  const stored = file.get(key);
  const [, , height = 0, width = 0] = stored.shape;
  const size = { width, height };
  const output = { width: outWidth, height: outHeight };
  const vocabulary = { names, embeddings, scale };
  const division = await segmenter.dividePlanes(toFloat32(stored).slice(), size, output, { short, stride });
  const slid = nameSegments(division, vocabulary, { top, threshold });
  if (settings.has('windows')) {
    const [ours, theirs] = [slid.windows.map(({ box }) => box), settings.list('windows')].map((v) => JSON.stringify(v));
    if (ours !== theirs) throw new FixtureError(`'windows' is ${theirs}; they are ${ours}`);
  }
  check('class_map', classMap(slid, size, names.length));
  check('resized', classMap(slid, output, names.length));
  check('label', { shape: [outHeight, outWidth], data: slid.labels.data });
}

/** Scores of all classes at all pixels `[K + 1, height, width]`, background first. */
function classMap(
  { windows, resized }: SegmentResult,
  output: { readonly width: number; readonly height: number },
  names: number,
): Computed {
  const columns = Array.from({ length: names + 1 }, (_, c) => c);
  const { width, height } = output;
  const data = new Float64Array((names + 1) * width * height);
  let y = 0;
  for (const row of scoreRows(windows, resized, output, names, columns)) {
    for (let x = 0; x < width; x++) {
      for (const c of columns) data[(c * height + y) * width + x] = row[x * columns.length + c] as number;
    }
    y++;
  }
  return { shape: [names + 1, height, width], data };
}
