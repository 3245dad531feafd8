import type { Device, Tensor } from '@zeroseg/core';
import { freeParameters } from '@zeroseg/core/nn';
import { groupVitConfig, loadGroupVitText, loadGroupVitVision, Segmenter, type Trace } from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import type { FixtureFile, FixtureTensors, Report } from '../report.ts';
import { checkOutputs, checkShapes, encodeTexts, sorted, stored } from './clip.ts';
import { LABELS_MAY_DIFFER, verifySliding } from './inference.ts';

/** GroupViT: an evaluation pass, text embeddings, and a class map by sliding windows. */
export async function verifyGroupVit(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const given = manifest.raw('config');
  const config = groupVitConfig(checkpoint.tensors, checkpoint.name, given);
  // The two activations are GroupViT's own and no option here.
  const full = {
    ...config,
    vision: { ...config.vision, activation: 'gelu' },
    text: { ...config.text, activation: 'quick_gelu' },
  };
  report.equal('config', 'sizes', sorted(full), sorted(given));
  const tolerance = manifest.number('tolerance');
  checkShapes(manifest, expected);

  const vision = await loadGroupVitVision(device, checkpoint.tensors, checkpoint.name, config);
  const text = await loadGroupVitText(device, checkpoint.tensors, checkpoint.name, config);
  try {
    const acts = new Map<string, Tensor>();
    const trace: Trace = (name, t) => acts.set(name, t);
    vision.segment(stored(device, expected, 'in/pixels'), trace);
    encodeTexts(device, text, expected, 'in/input_ids', trace);
    acts.delete('text_features'); // of CLIP's tower, before GroupViT's projector
    const values = await checkOutputs(expected, acts, tolerance);

    const slide = manifest.object('slide');
    const embeddings = values.get('text') as Float32Array;
    const names = Array.from({ length: embeddings.length / config.projection }, (_, i) => `class ${i}`);
    using segmenter = new Segmenter(device, vision);
    const limit = slide.number('threshold');
    const threshold = slide.flag('background') ? limit : undefined;
    const inputs = {
      key: 'in/pixels_wide',
      names,
      embeddings,
      scale: slide.number('scale'),
      threshold,
      top: slide.whole('top'),
    };
    await verifySliding(segmenter, slide, expected, inputs, (key, got) =>
      expected.check('slide', `out/slide.${key}`, got, tolerance, { mayDiffer: LABELS_MAY_DIFFER }),
    );
    slide.complainAboutUnused();
  } finally {
    freeParameters(vision);
    freeParameters(text);
  }
  manifest.complainAboutUnused();
}
