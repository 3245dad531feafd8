/** `zeroseg cache` with a SigLIP as the teacher. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { openClip, openTeacher } from '../../../cli/src/weights/index.ts';
import { readCache } from '../../../src/zeroseg/features/cache.ts';
import { temporaryFolder, useCommandLine, writePhotos } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]): string => join(base, ...names);
const fixture = new URL('../../fixtures/siglip-tiny/', import.meta.url).pathname;
const sizes = { hidden_size: 24, num_attention_heads: 3, num_hidden_layers: 2, intermediate_size: 40 };
const config = {
  model_type: 'siglip',
  vision_config: { ...sizes, image_size: 20, patch_size: 5 },
  text_config: { ...sizes, vocab_size: 30, max_position_embeddings: 8 },
};
await mkdir(at('siglip'));
await copyFile(join(fixture, 'siglip-tiny.safetensors'), at('siglip/model.safetensors'));
await writeFile(at('siglip/config.json'), JSON.stringify(config));
await writePhotos(at('photos'), 2);

test('its pooled features fill a cache, of pixels normalised as it wants them', async () => {
  const { code, out } = await zeroseg(
    'cache',
    at('photos'),
    '--clip',
    at('siglip'),
    '--out',
    at('cache'),
    '--grids',
    '1,2',
    '--image-size',
    '32',
  );
  expect([code, out.split(': ').at(-1)?.replace(/, .*/, '')]).toEqual([0, '2 photos']);
  const { key } = await readCache(nodeFileSystem(at('cache')));
  expect(key).toMatchObject({
    teacher: 'siglip',
    teacherSize: 20,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    dim: 24,
    views: 5,
  });
  expect((await openTeacher(at('siglip/model.safetensors'))).config.projection).toBe(24);
});

test('where words are needed, it is said what is lacking', async () => {
  await expect(openClip(at('siglip'))).rejects.toThrow(
    /model\.safetensors: holds a SigLIP, not a CLIP: its image tower can be a teacher \(zeroseg cache --clip\), and its texts need a SentencePiece tokenizer, which is not read here$/,
  );
});

test('settings of another file, or of what is not computed, are refused by their key', async () => {
  const refused = async (change: object): Promise<unknown> => {
    await writeFile(at('siglip/config.json'), JSON.stringify({ ...config, ...change }));
    return openTeacher(at('siglip')).then(
      () => 'opened',
      (error: unknown) => (error as Error).message.replace(/^.*safetensors: /, ''),
    );
  };
  expect(await refused({ model_type: 'siglip2' })).toMatch(
    /^'model_type' is "siglip2"; of SigLIPs, those of one image size/,
  );
  expect(await refused({ vision_config: { ...sizes, image_size: 30 } })).toMatch(
    /^'vision_config\.image_size' is 30; and the tensors say 20/,
  );
  expect(await refused({ text_config: { hidden_act: 'swish' } })).toMatch(
    /^'text_config\.hidden_act' is "swish"; it must be one of/,
  );
  expect(await refused({ vision_config: { vision_use_head: false } })).toMatch(
    /^'vision_config\.vision_use_head' is false/,
  );
  // Without a word of heads, those of the published sizes.
  expect(await refused({ vision_config: {}, text_config: {} })).toMatch(/'vision_config\.num_attention_heads'|opened/);
});
