import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openClip } from '../../../cli/src/weights/clip-folder.ts';
import { openWeights } from '../../../cli/src/weights/weight-files.ts';
import { toFloat32, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { clipPixels } from '../../../src/zeroseg/clip/towers.ts';
import { sameTeacher, shortTeacher, teacherIdentity } from '../../../src/zeroseg/clip-files/source.ts';
import { clipMean, clipStd } from '../../../src/zeroseg/image/normalize.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';
import { clipSettings, clipTensors, writeClip } from '../../support/made-up.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-clip-'));
afterAll(() => rm(base, { recursive: true }));
const at = (...names: string[]) => join(base, ...names);
const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(base, 'BASE'),
  );

describe('weights', () => {
  test('are read tensor by tensor, by name', async () => {
    await writeClip(at('whole'));
    const { tensors, files } = await openWeights(at('whole', 'model.safetensors'));
    expect(files).toEqual([at('whole', 'model.safetensors')]);
    for (const [name, want] of clipTensors()) {
      const found = tensors.get(name);
      expect(found?.shape).toEqual(want.shape);
      expect(found && toFloat32(await found.read())).toEqual(want.data);
    }
  });

  test.skipIf(process.platform === 'win32')('a device or a pipe is no file of weights', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    for (const place of ['/dev/zero', '/dev/null', at('pipe')]) {
      expect(await message(openWeights(place))).toMatch(/^FileError: openWeights: .*: this is no file$/);
    }
  });

  test('a file that shrinks meanwhile is noticed', async () => {
    await writeClip(at('shrinks'));
    const { tensors } = await openWeights(at('shrinks', 'model.safetensors'));
    await writeFile(at('shrinks', 'model.safetensors'), 'short');
    const last = [...tensors.values()].at(-1);
    await expect(last?.read()).rejects.toThrow(/and 0 came; the file has changed since it was opened/);
  });
});

describe('finding the checkpoint', () => {
  test('a Hugging Face folder, and the file itself', async () => {
    const folder = await openClip(at('whole'));
    const file = await openClip(at('whole', 'model.safetensors'));
    expect([folder.name, file.name]).toEqual(['whole', 'model']);
    expect(folder.config).toEqual(file.config);
    expect(folder.config.vision).toEqual({ width: 16, heads: 2, layers: 1, patch: 4, image: 8 });
    expect(folder.config.text).toEqual({ width: 16, heads: 2, layers: 1, vocab: 50, context: 12 });
    expect(await folder.weightsHash()).toBe(await file.weightsHash());
  });

  test('in parts with an index', async () => {
    await mkdir(at('parts'));
    const tensors = clipTensors();
    const parts = [tensors.slice(0, 10), tensors.slice(10)];
    const map: Record<string, string> = {};
    for (const [i, part] of parts.entries()) {
      const name = `model-0000${i + 1}-of-00002.safetensors`;
      for (const [tensor] of part) map[tensor] = name;
      await writeFile(at('parts', name), writeSafetensors(part));
    }
    await writeFile(at('parts', 'config.json'), JSON.stringify(clipSettings));
    await writeFile(at('parts', 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    const { config } = await openClip(at('parts'));
    expect(config).toEqual((await openClip(at('whole'))).config);

    await writeFile(
      at('parts', 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { ...map, extra: map['logit_scale'] } }),
    );
    expect(await message(openClip(at('parts')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/parts/model.safetensors.index.json: tensor 'extra' is not in model-00001-of-00002.safetensors; download the files again"`,
    );
  });

  test('among companions, with sizes in a JSON of the same name', async () => {
    await mkdir(at('companions'));
    await writeFile(at('companions', 'a.expected.safetensors'), writeSafetensors([]));
    await writeFile(at('companions', 'a.safetensors'), writeSafetensors(clipTensors()));
    await writeFile(
      at('companions', 'a.json'),
      JSON.stringify({ config: { vision: { heads: 2 }, text: { heads: 4 }, activation: 'gelu' } }),
    );
    const { config } = await openClip(at('companions'));
    expect([config.vision.heads, config.text.heads, config.activation]).toEqual([2, 4, 'gelu']);

    await writeFile(at('companions', 'b.safetensors'), writeSafetensors(clipTensors()));
    expect(await message(openClip(at('companions')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/companions: holds more than one CLIP (a.safetensors, b.safetensors); give one of them"`,
    );
  });

  test('what is no CLIP is refused', async () => {
    await mkdir(at('empty'));
    expect(await message(openClip(at('empty')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/empty: holds no weights (safetensors, or PyTorch’s .bin, .pt or .pth); a CLIP of Hugging Face has model.safetensors and config.json, and is had by: zeroseg download openai/clip-vit-large-patch14 --out models/clip-vit-large-patch14"`,
    );
    await writeFile(at('empty', 'x.safetensors'), writeSafetensors([]));
    expect(await message(openClip(at('empty')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/empty/x.safetensors: holds no CLIP: neither 'vision_model.embeddings.class_embedding' (Hugging Face) nor 'visual.class_embedding' (OpenAI) is there"`,
    );
    await mkdir(at('headless'));
    await writeFile(at('headless', 'model.safetensors'), writeSafetensors(clipTensors()));
    expect(await message(openClip(at('headless')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/headless/model.safetensors: the image tower is 16 wide; its number of heads is not known: put a config.json (as Hugging Face has it) beside the file"`,
    );
  });
});

describe("a folder in open_clip's form", () => {
  const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}/`, import.meta.url));

  test('says heads, activation and MLP width; its tower may lie under text.', async () => {
    const tiny = await openClip(fixture('open-clip-tiny'));
    expect(tiny.config).toEqual({
      vision: { width: 32, heads: 4, layers: 2, patch: 5, image: 20, mean: [...clipMean], std: [...clipStd] },
      text: { width: 24, heads: 3, layers: 2, vocab: 40, context: 9 },
      projection: 18,
      activation: 'gelu',
      layer_norm_eps: 1e-5,
    });
    const custom = await openClip(fixture('open-clip-custom'));
    expect(custom.config.vision).toMatchObject({ width: 24, heads: 2, hidden: 55 });
    expect([custom.config.activation, custom.config.text.heads]).toEqual(['quick_gelu', 4]);
  });

  test('must have its settings; those of others do not stand in for them', async () => {
    await mkdir(at('open'));
    const weights = join(fixture('open-clip-tiny'), 'open_clip_model.safetensors');
    await copyFile(weights, at('open', 'open_clip_model.safetensors'));
    expect(await message(openClip(at('open')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/open/open_clip_model.safetensors: open_clip_config.json is not beside it: weights of open_clip do not say their activation and head width; copy it from where the weights are"`,
    );
    await writeFile(at('open', 'config.json'), '{"architecture":"vit_base_patch16"}');
    expect(await message(openClip(at('open')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/open/open_clip_model.safetensors: config.json, beside it, holds no settings of a CLIP (no vision_config, no model_cfg)"`,
    );
    const settings = JSON.parse(await readFile(join(fixture('open-clip-tiny'), 'open_clip_config.json'), 'utf8'));
    settings.preprocess_cfg = { ...settings.preprocess_cfg, mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5] };
    await writeFile(at('open', 'open_clip_config.json'), JSON.stringify(settings));
    const { config } = await openClip(at('open'));
    expect(clipPixels(config)).toEqual({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5] });
    settings.model_cfg.vision_cfg.timm_model_name = 'vit_base';
    await writeFile(at('open', 'open_clip_config.json'), JSON.stringify(settings));
    expect(await message(openClip(at('open')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/open/open_clip_model.safetensors: 'model_cfg.vision_cfg.timm_model_name' is "vit_base"; only "" is computed here"`,
    );
  });

  test("among Hugging Face's names, Hugging Face's settings are read, and its preprocessor", async () => {
    await writeClip(at('both'));
    await copyFile(join(fixture('open-clip-tiny'), 'open_clip_config.json'), at('both', 'open_clip_config.json'));
    await writeFile(
      at('both', 'preprocessor_config.json'),
      JSON.stringify({ image_mean: [0.1, 0.2, 0.3], resample: 3 }),
    );
    const { config } = await openClip(at('both'));
    expect(config.vision).toMatchObject({ heads: 2, mean: [0.1, 0.2, 0.3] });
    await writeFile(at('both', 'preprocessor_config.json'), JSON.stringify({ resample: 2 }));
    expect(await message(openClip(at('both')))).toMatchInlineSnapshot(
      `"CheckpointError: BASE/both/model.safetensors: 'preprocessor_config.resample' is 2; photos are resized with 3 (bicubic) here"`,
    );
  });
});

describe('the tokenizer', () => {
  test('must end texts where the settings read them', async () => {
    await writeClip(at('ends'));
    const text_config = { ...clipSettings.text_config, eos_token_id: 5 };
    await writeFile(at('ends', 'config.json'), JSON.stringify({ ...clipSettings, text_config }));
    const symbols = ['a', 'a</w>', '<|startoftext|>', '<|endoftext|>'];
    const vocab = Object.fromEntries(symbols.map((symbol, id) => [symbol, id]));
    await writeFile(at('ends', 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab, merges: [] } }));
    expect(await message((await openClip(at('ends'))).tokens())).toMatchInlineSnapshot(
      `"CheckpointError: BASE/ends/model.safetensors: its settings read texts at token 5 (eos_token_id), and BASE/ends/tokenizer.json ends them with 3; put the checkpoint's tokenizer.json beside it"`,
    );
    // 2 is what all configurations before 2023 say, and means the largest.
    for (const eos_token_id of [2, 3]) {
      const settings = { ...clipSettings, text_config: { ...text_config, eos_token_id } };
      await writeFile(at('ends', 'config.json'), JSON.stringify(settings));
      expect((await (await openClip(at('ends'))).tokens()).size).toBe(4);
    }
  });

  test('that of the folder goes first, and must fit', async () => {
    await writeClip(at('words'));
    const clip = await openClip(at('words'));
    expect(await message(clip.tokens())).toMatchInlineSnapshot(
      `"CheckpointError: BASE/words/model.safetensors: its text tower knows 50 tokens, and CLIP's own tokenizer has 49408; put the checkpoint's tokenizer.json beside it"`,
    );
    expect((await clip.tokens('hash')).size).toBe(50);
    // Two letters and a merge, with ids that fit 50.
    const symbols = ['a', 'b', 'a</w>', 'b</w>', 'ab</w>', '<|startoftext|>', '<|endoftext|>'];
    const vocab = Object.fromEntries(symbols.map((symbol, id) => [symbol, id]));
    await writeFile(
      at('words', 'tokenizer.json'),
      JSON.stringify({ model: { type: 'BPE', vocab, merges: ['a b</w>'] } }),
    );
    expect([...(await (await openClip(at('words'))).tokens()).row('ab', 5)]).toEqual([5, 4, 6, 0, 0]);
  });

  test('merges.txt', async () => {
    await writeClip(at('merges'));
    await writeFile(at('merges', 'merges.txt'), (await Tokenizer.clip()).mergesText());
    expect(await message((await openClip(at('merges'))).tokens())).toMatchInlineSnapshot(
      `"CheckpointError: BASE/merges/model.safetensors: its text tower knows 50 tokens, and BASE/merges/merges.txt has 49408; put the checkpoint's tokenizer.json beside it"`,
    );
  });
});

test('teachers are told apart by their weights', () => {
  const [a, b, c] = [
    teacherIdentity('a', 'f'.repeat(64)),
    teacherIdentity('b', 'f'.repeat(64)),
    teacherIdentity('a', '0'.repeat(64)),
  ];
  expect([sameTeacher(a, b), sameTeacher(a, c)]).toEqual([true, false]);
  expect(shortTeacher(a)).toBe('a (ffffffffffff…)');
});
