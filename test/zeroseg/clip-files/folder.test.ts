import { describe, expect, test } from 'vitest';
import { readSafetensors, readTensor, toFloat32, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { openWeightSource } from '../../../src/zeroseg/checkpoints/index.ts';
import { openClipFolder } from '../../../src/zeroseg/clip-files/folder.ts';
import { openClipFiles } from '../../../src/zeroseg/clip-files/open.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { loadFixtureFile, loadTorchFile } from '../../support/fixture.ts';

const weights = await loadFixtureFile('clip-tiny/clip-tiny');
const pickled = await loadTorchFile('clip-tiny');
const config = {
  vision_config: { num_attention_heads: 2, hidden_act: 'quick_gelu' },
  text_config: { num_attention_heads: 2 },
};

async function folderOf(files: Readonly<Record<string, Uint8Array | string>>) {
  const folder = memoryFileSystem();
  for (const [name, content] of Object.entries(files)) await folder.write(name, content);
  return folder;
}

const problem = async (files: Readonly<Record<string, Uint8Array | string>>): Promise<string> =>
  openClipFolder(await folderOf(files), { remedy: ' (remedy)' }).then(
    () => 'no error',
    (error: Error) => error.message,
  );

describe('a CLIP in any kind of folder', () => {
  test('is the same as from its files', async () => {
    const folder = await folderOf({ 'model.safetensors': weights, 'config.json': JSON.stringify(config) });
    const clip = await openClipFolder(folder, { name: 'tiny' });
    const same = await openClipFiles({ weights, config });
    expect([clip.name, clip.config, clip.scale]).toEqual(['tiny', same.config, same.scale]);
    expect(await clip.weightsHash()).toBe(await same.weightsHash());
  });

  test('in parts: one hash over all, in the order of their names', async () => {
    const all = [...readSafetensors(weights, 'tiny').tensors].filter(([, { dtype }]) => dtype === 'F32');
    const wide = (entries: typeof all) =>
      writeSafetensors(entries.map(([name, stored]) => [name, { ...stored, dtype: 'F32', data: toFloat32(stored) }]));
    const parts = { 'b.safetensors': wide(all.slice(9)), 'a.safetensors': wide(all.slice(0, 9)) };
    const weight_map = Object.fromEntries(all.map(([name], i) => [name, i < 9 ? 'a.safetensors' : 'b.safetensors']));
    const index = { 'model.safetensors.index.json': JSON.stringify({ weight_map }) };
    const clip = await openClipFolder(await folderOf({ ...parts, ...index, 'config.json': JSON.stringify(config) }));
    const both = Uint8Array.from([...parts['a.safetensors'], ...parts['b.safetensors']]);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', both));
    expect(await clip.weightsHash()).toBe(Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''));
    expect(await problem({ ...parts, ...index, 'a.safetensors': wide(all.slice(1, 9)) })).toMatch(
      /^memory:\/model.safetensors.index.json: tensor '.+' is not in a.safetensors; download the files again$/,
    );
  });

  test('as PyTorch writes it: the same weights', async () => {
    const clip = await openClipFolder(
      await folderOf({ 'pytorch_model.bin': pickled, 'config.json': JSON.stringify(config) }),
    );
    const same = await openClipFiles({ weights, config });
    expect([clip.config, clip.scale]).toEqual([same.config, same.scale]);
    const [one, other] = [await openWeightSource(pickled, 'a'), await openWeightSource(weights, 'b')];
    expect([...one.tensors.keys()].sort()).toEqual([...other.tensors.keys()].sort());
    for (const [name, tensor] of other.tensors) {
      const { dtype, shape, bytes } = await readTensor(one.tensors.get(name)!);
      expect([name, dtype, shape]).toEqual([name, tensor.dtype, tensor.shape]);
      expect(bytes).toEqual((await readTensor(tensor)).bytes);
    }
  });

  test('what is missing is said', async () => {
    expect(await problem({})).toMatchInlineSnapshot(
      `"memory:/: holds no weights (safetensors, or PyTorch’s .bin, .pt or .pth); a CLIP of Hugging Face has model.safetensors and config.json (remedy)"`,
    );
    expect(await problem({ 'pytorch_model.bin': 'PK\x03\x04' })).toMatchInlineSnapshot(
      `"memory:/pytorch_model.bin: the archive is cut off: its directory, at the end, is missing; get the file again"`,
    );
    expect(await problem({ 'config.json': '{', 'model.safetensors': weights })).toMatch(
      /^readJson: memory:\/config.json: not valid JSON/,
    );
    expect(await problem({ 'open_clip_model.safetensors': weights })).toMatchInlineSnapshot(
      `"memory:/open_clip_model.safetensors: open_clip_config.json is not beside it: weights of open_clip do not say their activation and head width; copy it from where the weights are"`,
    );
    expect(await problem({ 'a.safetensors': weights, 'b.safetensors': weights })).toMatchInlineSnapshot(
      `"memory:/: holds more than one CLIP (a.safetensors, b.safetensors); give one of them"`,
    );
  });
});
