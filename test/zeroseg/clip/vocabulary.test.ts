import { describe, expect, test } from 'vitest';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { randomClipText } from '../../../src/zeroseg/clip/random-clip.ts';
import { type ClipConfig, endPosition } from '../../../src/zeroseg/clip/towers.ts';
import {
  embedTexts,
  ensemble,
  fillTemplate,
  makeVocabulary,
  templateList,
} from '../../../src/zeroseg/clip/vocabulary.ts';
import { hashedTokens } from '../../../src/zeroseg/text/hashed-tokens.ts';
import { close } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const config: ClipConfig = {
  vision: { width: 16, heads: 2, layers: 1, patch: 4, image: 8 },
  text: { width: 16, heads: 2, layers: 2, vocab: 50, context: 20 },
  projection: 8,
  activation: 'quick_gelu',
  layer_norm_eps: 1e-5,
};

describe('templates', () => {
  test('a name takes the place of every {}', () => {
    expect(fillTemplate('a {} or {}', 'dog')).toBe('a dog or dog');
    // No pattern of String.replace is special in a name.
    expect(fillTemplate('the {}.', '$&')).toBe('the $&.');
    expect(templateList()).toHaveLength(80);
    expect(templateList('simple')).toEqual(['a photo of a {}.']);
    expect(() => templateList([])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: makeVocabulary: there must be a template; \`{}\` alone is one]`,
    );
  });

  test('normalise, mean, normalise; or mean, normalise', () => {
    const features = Float32Array.of(3, 0, 0, 1, 5, 5, 5, 5);
    const half = Math.SQRT1_2;
    close(ensemble(features, 2, 2, 2, false), [half, half, half, half], 1e-7, 'twice');
    const long = Math.hypot(3, 1);
    close(ensemble(features, 2, 2, 2, true), [3 / long, 1 / long, half, half], 1e-7, 'mean first');
    expect([...ensemble(new Float32Array(2), 1, 1, 2, false)]).toEqual([0, 0]);
  });
});

describe('hashed tokens', () => {
  test('equal words get equal ids, start and end the largest', () => {
    const tokens = hashedTokens(50);
    const row = tokens.row('A dog and a dog.', 10);
    expect(row).toHaveLength(10);
    expect([row[0], row[7]]).toEqual([48, 49]);
    expect(row[1]).toBe(row[4]);
    expect(row[2]).toBe(row[5]);
    expect(endPosition(row)).toBe(7);
    expect([tokens.fits('a dog', 4), tokens.fits('a dog', 3)]).toEqual([true, false]);
    expect([...tokens.row('a dog', 3)]).toEqual([48, row[1], 49]);
  });
});

describe('embedding', () => {
  const device = useDevice();
  const tokens = hashedTokens(50);
  const texts = ['a', 'a photo of a dog.', 'the sofa', 'one two three four five six seven eight nine ten', ''];

  test('batches of cut rows give what whole rows give one by one', async () => {
    const text = randomClipText(device.current, config);
    const got = await embedTexts(device.current, text, tokens, texts, { batch: 2 });
    for (const [i, one] of texts.entries()) {
      const row = tokens.row(one, 20);
      const embedded = tensor(device.current, text.embed([row]), [1, 20, 16]);
      const ends = tensor(device.current, Uint32Array.of(endPosition(row)), [1, 1]);
      close(got.subarray(i * 8, i * 8 + 8), await read(text.forward(embedded, ends)), 1e-5, `"${one}"`);
    }
  });

  test('a vocabulary has one unit vector a name', async () => {
    const text = randomClipText(device.current, config);
    const seen: number[] = [];
    const { names, embeddings, scale } = await makeVocabulary(device.current, text, tokens, ['dog', 'sofa', 'sky'], {
      templates: 'subset',
      batch: 8,
      scale: 50,
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect([names, scale, embeddings.length]).toEqual([['dog', 'sofa', 'sky'], 50, 24]);
    for (let i = 0; i < 3; i++) expect(Math.hypot(...embeddings.subarray(8 * i, 8 * i + 8))).toBeCloseTo(1, 6);
    expect(seen.at(-1)).toBe(1);
  });

  test('is stopped between batches by its signal', async () => {
    const text = randomClipText(device.current, config);
    const stop = new AbortController();
    const seen: number[] = [];
    const reading = makeVocabulary(device.current, text, tokens, ['dog', 'sofa'], {
      templates: 'subset',
      batch: 4,
      signal: stop.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        stop.abort(new Error('enough'));
      },
    });
    await expect(reading).rejects.toThrow('enough');
    expect(seen).toEqual([4]);
  });

  test('a row of a larger vocabulary is refused', () => {
    const text = randomClipText(device.current, config);
    expect(() => text.embed([[49406]])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: clip text: token 49406 is not in the vocabulary of 50; use the checkpoint's tokenizer]`,
    );
  });
});
