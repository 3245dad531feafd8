import { addScalar, type Device, l2Normalize, matmul, scale, sigmoid, tensor } from '@zeroseg/core';
import { toInt32 } from '@zeroseg/core/internal';
import { freeParameters } from '@zeroseg/core/nn';
import { loadSiglipText, loadSiglipVision, siglipConfig } from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import type { FixtureFile, FixtureTensors, Report } from '../report.ts';
import { checkOutputs, checkShapes, stored } from './clip.ts';

/** Both towers of a SigLIP checkpoint. */
export async function verifySiglip(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const { name, tensors } = checkpoint;
  const config = await siglipConfig(tensors, name, manifest.raw('config'));
  report.equal('config', 'activation', config.vision.activation.replace('-', '_'), manifest.raw('activation'));
  report.equal('config', 'layer_norm_eps', config.vision.eps, manifest.raw('layer_norm_eps'));
  report.equal('config', 'mean', config.vision.mean, manifest.raw('mean'));
  report.equal('config', 'std', config.vision.std, manifest.raw('std'));
  manifest.raw('notes');
  const tolerance = manifest.number('tolerance');
  checkShapes(manifest, expected);
  const vision = await loadSiglipVision(device, tensors, name, config);
  const text = await loadSiglipText(device, tensors, name, config);
  try {
    const [pixels, large] = [stored(device, expected, 'in/pixels'), stored(device, expected, 'in/pixels_large')];
    const ids = expected.get('in/input_ids');
    const [count = 0, length = 0] = ids.shape;
    const all = toInt32(ids);
    const rows = Array.from({ length: count }, (_, r) => all.subarray(r * length, (r + 1) * length));
    const embedded = tensor(device, text.embed(rows), [count, length, config.text.width]);
    const [images, texts] = [vision.forward(pixels), text.forward(embedded)];
    const cosines = matmul(l2Normalize(images), l2Normalize(texts), { transposeB: true });
    const logits = addScalar(scale(cosines, config.scale), config.bias);
    const wanted = [
      ['tokens', vision.tokens(pixels)],
      ['dense_value', vision.dense(pixels)],
      ['tokens_large', vision.tokens(large)],
      ['image_features', images],
      ['image_features_large', vision.forward(large)],
      ['image_features_large_offset', vision.forward(large, 'offset')],
      ['text_features', texts],
      ['logits_per_image', logits],
      ['probability', sigmoid(logits)],
    ] as const;
    await checkOutputs(expected, wanted, tolerance);
  } finally {
    freeParameters(vision);
    freeParameters(text);
  }
  manifest.complainAboutUnused();
}
