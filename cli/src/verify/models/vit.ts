import { type Device, readAll } from '@zeroseg/core';
import { freeParameters, readTensor, toFloat32 } from '@zeroseg/core/nn';
import { findVit, loadVit } from '@zeroseg/core/zeroseg';
import type { Fields } from '../manifest.ts';
import type { FixtureFile, FixtureTensors, Report } from '../report.ts';
import { checkShapes, stored } from './clip.ts';

/** A vision transformer under its published names: tokens of images of the table's size and of others, by both rules for positions. */
export async function verifyVit(
  device: Device,
  manifest: Fields,
  checkpoint: { readonly name: string; readonly tensors: FixtureTensors },
  expected: FixtureFile,
  report: Report,
): Promise<void> {
  const config = manifest.object('config');
  const heads = config.whole('heads');
  const [tolerance, eps] = [manifest.number('tolerance'), manifest.number('layer_norm_eps')];
  manifest.raw('notes');
  checkShapes(manifest, expected);
  const file = findVit(checkpoint.tensors, checkpoint.name);
  report.equal('names', 'prefix', file?.prefix, config.text('prefix'));
  report.equal(
    'names',
    'ignored',
    [...(file?.ignored ?? [])].sort(),
    (manifest.list('ignored') as string[]).toSorted(),
  );
  const vit = await loadVit(device, checkpoint.tensors, checkpoint.name, { heads, eps });
  try {
    const { dim, depth, patch, image, hidden } = vit.config;
    const sizes = { width: dim, depth, patch, image, mlp_ratio: hidden / dim, leading_tokens: vit.leading };
    for (const [key, value] of Object.entries(sizes)) report.equal('config', key, value, config.number(key));
    config.complainAboutUnused();
    const wanted = expected.keys('out/tokens_').map((key) => {
      const [, input = '', size] = /^out\/tokens_(.+?)(_size_rule)?$/.exec(key) ?? [];
      return { key, tokens: vit.forward(stored(device, expected, `in/${input}`), size ? 'size' : 'dino') };
    });
    const values = await readAll(wanted.map(({ tokens }) => tokens));
    wanted.forEach(({ key, tokens: { shape } }, i) => {
      expected.check('tokens', key, { shape, data: values[i] as Float32Array }, tolerance);
    });
    const table = file?.weights.get('pos_embed')?.tensors[0];
    if (table && expected.keys('out/pos_embed').length > 0) {
      const data = toFloat32(await readTensor(table));
      expected.check('positions', 'out/pos_embed', { shape: table.shape, data }, tolerance);
    }
  } finally {
    freeParameters(vit);
  }
  manifest.complainAboutUnused();
}
