import type { Device, Tensor } from '@zeroseg/core';
import { freeParameters, toFloat32 } from '@zeroseg/core/nn';
import { loadSegClipVision, Segmenter, segClipConfig, type Trace } from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import type { FixtureFile, FixtureTensors, Report } from '../report.ts';
import { checkOutputs, checkShapes, sorted, stored } from './clip.ts';
import { LABELS_MAY_DIFFER, verifySliding } from './inference.ts';

/** SegCLIP's image tower: activations, a larger image, a batch, and a class map by sliding windows. */
export async function verifySegClip(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const config = segClipConfig(checkpoint.tensors, checkpoint.name);
  // The two activations are SegCLIP's own and no option here.
  const full = { ...config, activation: 'quick_gelu', projector_activation: 'gelu' };
  report.equal('config', 'sizes', sorted(full), sorted(manifest.raw('config')));
  for (const informal of ['notes', 'margin', 'ignored']) manifest.raw(informal);
  const tolerance = manifest.number('tolerance');
  checkShapes(manifest, expected);
  const vision = await loadSegClipVision(device, checkpoint.tensors, checkpoint.name, config);
  try {
    const wanted = new Map<string, Tensor>();
    const trace: Trace = (name, t) => wanted.set(name, t);
    vision.forward(stored(device, expected, 'in/pixels'), trace);
    for (const which of ['large', 'batch']) {
      const { segments, image, softMap } = vision.forward(stored(device, expected, `in/pixels_${which}`));
      wanted.set(`segments_${which}`, segments).set(`image_${which}`, image).set(`soft_map_${which}`, softMap);
    }
    await checkOutputs(expected, wanted, tolerance, () => 'vision');

    const slide = manifest.object('slide');
    const embeddings = toFloat32(expected.get('in/text')).slice();
    const names = Array.from({ length: embeddings.length / config.dim }, (_, i) => `class ${i}`);
    using segmenter = new Segmenter(device, vision);
    const limit = slide.number('threshold');
    const inputs = {
      key: 'in/pixels_wide',
      names,
      embeddings,
      scale: slide.number('scale'),
      threshold: slide.flag('background') ? limit : undefined,
      top: slide.whole('top'),
    };
    await verifySliding(segmenter, slide, expected, inputs, (key, got) =>
      expected.check('slide', `out/slide.${key}`, got, tolerance, { mayDiffer: LABELS_MAY_DIFFER }),
    );
    slide.complainAboutUnused();
  } finally {
    freeParameters(vision);
  }
  manifest.complainAboutUnused();
}
