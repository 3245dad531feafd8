import { describe, expect, test, vi } from 'vitest';
import { ArgumentError } from '../../../src/gpu/errors.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { readSafetensors } from '../../../src/nn/safetensors/index.ts';
import { knownWordsMetadata, VocabularyError } from '../../../src/zeroseg/clip/known-words.ts';
import { makeVocabulary } from '../../../src/zeroseg/clip/vocabulary.ts';
import { openClipFiles } from '../../../src/zeroseg/clip-files/open.ts';
import { teacherIdentity } from '../../../src/zeroseg/clip-files/source.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import type { NamingRules } from '../../../src/zeroseg/inference/division.ts';
import type { WindowResult } from '../../../src/zeroseg/inference/mixtures.ts';
import { nameSegments, namesAt } from '../../../src/zeroseg/inference/name-segments.ts';
import { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { modelFile, type NamingRule } from '../../../src/zeroseg/model/model-file.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import {
  type OpenVocabularyOptions,
  openVocabulary,
  type SegmentByNamesOptions,
} from '../../../src/zeroseg/open-vocabulary/open-vocabulary.ts';
import type { WordStore } from '../../../src/zeroseg/open-vocabulary/word-store.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { loadFixture, loadFixtureFile } from '../../support/fixture.ts';

const device = useDevice();

const config = resolveConfig({
  ...{ image: 16, patch: 4, dim: 16, depth: 1, heads: 2, dec_dim: 16, dec_depth: 1, dec_heads: 2 },
  ...{
    seg_depths: [1, 1, 1],
    group_tokens: [4, 2],
    output_groups: [4, 2],
    seg_heads: 2,
    proj_hidden: 16,
    clip_dim: 12,
  },
});
const clipBytes = await loadFixtureFile('clip-tiny/clip-tiny');
const clipConfig = {
  vision_config: { num_attention_heads: 2, hidden_act: 'quick_gelu' },
  text_config: { num_attention_heads: 2 },
};

/** A photo of noise; two windows at a side of 32. */
const photo: Image = photoOf(48, 32);

function photoOf(width: number, height: number): Image {
  const random = seeded(1);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => 256 * random()) };
}

const bytesOf = (teacher: string, naming: NamingRule = {}) =>
  modelFile(new ZeroSeg(newWeights(device.current, 1), config), { step: 7, teacher, naming });

async function options(teacher = ''): Promise<OpenVocabularyOptions> {
  const clip = { weights: clipBytes, config: clipConfig };
  return { model: await bytesOf(teacher), clip, tokenizer: 'hash', templates: 'simple' };
}

describe('a ZeroSeg with its CLIP', () => {
  test('from bytes to labels in three lines', async () => {
    using model = await openVocabulary(device.current, await options());
    const { labels, names, segments, windows } = await model.segment(photo, ['dog', 'grass']);
    expect([labels.width, labels.height, names]).toEqual([48, 32, ['background', 'dog', 'grass']]);
    expect(labels.data.every((label) => label === 1 || label === 2)).toBe(true);
    expect(windows.map(({ box }) => box)).toEqual([
      [0, 0, 32, 32],
      [0, 16, 32, 48],
    ]);
    // Two windows of two segments, which share the pixels out.
    expect(segments.map(({ window, segment }) => [window, segment])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect(segments.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(2 * 32 * 32);
    for (const { name, label, score } of segments) {
      expect([names[label], score > 0 && score <= 1]).toEqual([name, true]);
    }
  });

  test("the teacher's prior changes scores alone, and by its own CLIP", async () => {
    using model = await openVocabulary(device.current, await options());
    const plain = await model.divide(photo);
    const division = await model.divide(photo, { teacherPrior: true });
    expect(division.windows).toEqual(plain.windows);
    expect(division.look?.counts).toEqual([10 * 6, 9 * 5, 2]);
    const [with_, without] = [
      await model.name(division, ['dog', 'grass'], { teacherPrior: true }),
      await model.name(plain, ['dog', 'grass']),
    ];
    const shares = with_.windows[0]!.scores.map((score, i) => score / without.windows[0]!.scores[i]!);
    // Of each column the same, and 1 of the name that the teacher sees most of.
    const [, dog, grass, , dogAgain] = shares;
    expect(dogAgain).toBeCloseTo(dog!, 5);
    expect(Math.max(dog!, grass!)).toBeCloseTo(1, 5);
    expect(Math.min(dog!, grass!)).toBeLessThan(1);
    expect(await model.segment(photo, ['dog', 'grass'], { teacherPrior: true })).toEqual(with_);
  });

  test('synonyms are one class: the mean of their unit vectors, called by the first', async () => {
    using model = await openVocabulary(device.current, await options());
    const apart = await model.vocabulary(['sofa', 'couch', 'dog']);
    const together = await model.vocabulary([['sofa', 'couch'], 'dog', ['grass']]);
    expect(together.names).toEqual(['sofa', 'dog', 'grass']);
    const row = (from: Float32Array, i: number) => from.subarray(12 * i, 12 * i + 12);
    const sum = row(apart.embeddings, 0).map((value, i) => value + row(apart.embeddings, 1)[i]!);
    const length = Math.hypot(...sum);
    row(together.embeddings, 0).forEach((value, i) => {
      expect(value).toBeCloseTo(sum[i]! / length, 6);
    });
    expect(row(together.embeddings, 1)).toEqual(row(apart.embeddings, 2));
    const { names } = await model.segment(photo, [['sofa', 'couch'], 'dog']);
    expect(names).toEqual(['background', 'sofa', 'dog']);
    await expect(model.vocabulary([['sofa', 'couch'], 'couch'])).rejects.toThrow('"couch" is there twice');
    await expect(model.vocabulary([[]])).rejects.toThrow('names must be words');
  });

  test('is what its parts give, one by one', async () => {
    using model = await openVocabulary(device.current, await options());
    const all = await model.segment(photo, ['dog', 'grass', 'sky'], { scoring: 'softmax', threshold: 1 });
    const clip = await openClipFiles({ weights: clipBytes, config: clipConfig });
    const words = await makeVocabulary(
      device.current,
      await clip.text(device.current),
      await clip.tokens('hash'),
      [...all.names.slice(1)],
      {
        templates: 'simple',
        scale: clip.scale,
      },
    );
    using segmenter = new Segmenter(device.current, new ZeroSeg(newWeights(device.current, 1), config));
    const parts = await segmenter.segment(photo, words, { scoring: 'softmax', threshold: 1 });
    expect(all.labels).toEqual(parts.labels);
    expect(all.windows).toEqual(parts.windows);
    expect(all.segments.some(({ label }) => label === 0)).toBe(true);
  });

  test('what the model file recommends holds where no option says otherwise', async () => {
    const model = await bytesOf('', { scoring: 'cosine', threshold: 0.5, scale: 7, short: 24 });
    using opened = await openVocabulary(device.current, { ...(await options()), model });
    const own = await opened.segment(photo, ['dog', 'grass', 'sky']);
    const names = await opened.vocabulary(['dog', 'grass', 'sky']);
    expect(names.scale).toBe(7);
    const parts = await opened.segmenter.segment(photo, names, { scoring: 'cosine', threshold: 0.5, short: 24 });
    expect(own.windows).toEqual(parts.windows);
    const large = await opened.segmenter.segment(photo, names, { scoring: 'cosine', threshold: 0.5 });
    expect(own.windows).not.toEqual(large.windows);
    const other = await opened.segment(photo, ['dog', 'grass', 'sky'], {
      scoring: 'softmax',
      threshold: 0.1,
      short: 32,
    });
    const chosen = await opened.segmenter.segment(photo, names, { scoring: 'softmax', threshold: 0.1, short: 32 });
    expect(other.windows).toEqual(chosen.windows);
    using second = await openVocabulary(device.current, { ...(await options()), model, scoring: 'groupvit', scale: 9 });
    expect((await second.vocabulary(['dog'])).scale).toBe(9);
    expect(second.opened.kind === 'zeroseg' && second.opened.info.naming).toEqual({
      scoring: 'cosine',
      threshold: 0.5,
      scale: 7,
      short: 24,
    });
  });

  test('a prior of the file gives way to cosines, and holds again for probabilities', async () => {
    const model = await bytesOf('', { scoring: 'softmax', prior: 0.5 });
    const words = ['dog', 'grass', 'sky'];
    using plain = await openVocabulary(device.current, { ...(await options()), model });
    using cosine = await openVocabulary(device.current, { ...(await options()), model, scoring: 'cosine' });
    const expected = await plain.segment(photo, words);
    expect((await cosine.segment(photo, words, { scoring: 'softmax' })).windows).toEqual(expected.windows);
    expect((await plain.segment(photo, words, { scoring: 'cosine' })).windows).toEqual(
      (await cosine.segment(photo, words)).windows,
    );
    using chosen = await openVocabulary(device.current, { ...(await options()), model, prior: 1 });
    await expect(chosen.segment(photo, words, { scoring: 'cosine' })).rejects.toThrow(
      'Segmenter.name: prior is for scores that are probabilities; with scoring: cosine take prior: 0',
    );
  });

  test('PAMR takes the steps and distances of the model’s file, where it is asked for', async () => {
    const rules = async (naming: NamingRule, refine?: NamingRules['refine']) => {
      using model = await openVocabulary(device.current, { ...(await options()), model: await bytesOf('', naming) });
      const name = vi.spyOn(model.segmenter, 'name');
      await model.segment(photo, ['dog', 'grass'], { refine });
      return name.mock.calls[0]![2];
    };
    const pamr = { steps: 3, dilations: [2] };
    expect(await rules({ pamr }, {})).toMatchObject({ refine: pamr });
    expect(await rules({ pamr }, { steps: 1, dilations: undefined })).toMatchObject({ refine: { ...pamr, steps: 1 } });
    expect(await rules({ refine: pamr }, { dilations: [1] })).toMatchObject({ refine: { steps: 3, dilations: [1] } });
    expect(await rules({ refine: pamr })).toMatchObject({ refine: pamr });
    for (const refine of [undefined, false] as const) {
      const given = await rules({ pamr }, refine);
      expect(given?.refine || undefined).toBeUndefined();
      expect(given).not.toHaveProperty('pamr');
    }
  });

  // Programs in plain JavaScript give anything, and what the command line calls them first of all.
  test.each([
    [
      { refine: 'none' },
      'Segmenter.name: refine must be { steps, dilations }, of which either may be left out, or false; got "none"',
    ],
    [
      { refine: { iterations: 3 } },
      'Segmenter.name: refine must be { steps, dilations }, of which either may be left out, or false; got {"iterations":3}',
    ],
    [{ scoring: 'cosines' }, 'Segmenter.name: scoring must be one of groupvit, softmax, cosine; got "cosines"'],
    [{ unknown: 'error' }, 'OpenVocabulary.name: unknown must be one of keep, omit, refuse; got "error"'],
    [{ mode: 'sliding' }, 'Segmenter.divide: mode must be one of slide, whole; got "sliding"'],
    [{ flip: 'no' }, 'Segmenter.divide: flip must be one of true, false; got "no"'],
    [{ keys: 1 }, 'Segmenter.divide: keys must be one of true, false; got 1'],
    [{ teacherPrior: 'none' }, 'Segmenter.divide: teacherPrior must be one of true, false; got "none"'],
  ])('an option that means nothing is refused, and turns nothing on: %o', async (given, message) => {
    using model = await openVocabulary(device.current, await options());
    const chosen = given as unknown as SegmentByNamesOptions;
    await expect(model.segment(photo, ['dog', 'grass'], chosen)).rejects.toThrow(new ArgumentError(message));
  });

  test('names that the CLIP was not taught are told, left out, or refused', async () => {
    const words = { seen: 'drawings', objects: { dog: [] }, grounds: { grass: ['lawn'] }, adjectives: [] } as const;
    const weights = { name: 'clip', ...readSafetensors(clipBytes, 'clip'), metadata: knownWordsMetadata(words) };
    using model = await openVocabulary(device.current, { ...(await options()), clip: { weights, config: clipConfig } });
    const unknown = [{ name: 'gras', suggestions: ['grass'] }];
    const kept = await model.segment(photo, ['dog', 'gras', 'lawn']);
    expect([kept.names, kept.unknown]).toEqual([['background', 'dog', 'gras', 'lawn'], unknown]);
    const omitted = await model.segment(photo, ['dog', 'gras', 'lawn'], { unknown: 'omit' });
    const without = await model.segment(photo, ['dog', 'lawn']);
    expect([omitted.names, omitted.unknown]).toEqual([['background', 'dog', 'lawn'], unknown]);
    expect([omitted.labels, without.unknown]).toEqual([without.labels, []]);
    for (const [names, rule] of [
      [['dog', 'gras'], 'refuse'],
      [['gras'], 'omit'],
    ] as const) {
      const error = await model.segment(photo, names, { unknown: rule }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(VocabularyError);
      expect(error).toMatchObject({
        message: 'openVocabulary: the CLIP was not taught "gras" (did you mean grass?)',
        unknown,
      });
    }
  });

  test('vectors that a store keeps are those of the text tower, and cost no text encoder', async () => {
    const kept = new Map<string, Float32Array>();
    const store: WordStore = {
      load: async (key) => kept.get(key),
      save: async (key, vector) => void kept.set(key, vector.slice()),
    };
    const counted: number[] = [];
    const onProgress = ({ total }: { total: number }) => void counted.push(total);
    const vectors = async (more: Partial<OpenVocabularyOptions> = {}) => {
      using model = await openVocabulary(device.current, { ...(await options()), store, ...more });
      return (await model.vocabulary(['dog', 'grass'], { onProgress })).embeddings;
    };
    const first = await vectors();
    const again = await vectors();
    expect([counted, kept.size]).toEqual([[2], 2]);
    expect([...again]).toEqual([...first]);
    // Other sentences are other vectors.
    await vectors({ templates: ['a {}'] });
    await vectors({ templates: ['a {}'], meanFirst: true });
    expect([counted, kept.size]).toEqual([[2, 2, 2], 6]);
    for (const one of kept.keys()) kept.delete(one);
    expect([...(await vectors())]).toEqual([...first]);
  });

  test('names that are known are not embedded again', async () => {
    using model = await openVocabulary(device.current, await options());
    const counted: string[] = [];
    const count = {
      onProgress: ({ of, done, total }: { of: string; done: number; total: number }) =>
        void counted.push(`${of} ${done}/${total}`),
    };
    await model.segment(photo, ['dog', 'grass'], count);
    expect(counted).toEqual(['texts 2/2', 'windows 1/2', 'windows 2/2']);
    counted.length = 0;
    const again = await model.segment(photo, ['sky', 'grass', 'dog'], count);
    expect(counted).toEqual(['texts 1/1', 'windows 1/2', 'windows 2/2']);
    const { embeddings } = await model.vocabulary(['grass', 'dog', 'sky']);
    expect(again.names).toEqual(['background', 'sky', 'grass', 'dog']);
    const { embeddings: other } = await model.vocabulary(['sky']);
    expect([...embeddings.subarray(24)]).toEqual([...other]);
  });

  test('is stopped by a signal between windows', async () => {
    using model = await openVocabulary(device.current, await options());
    const stop = new AbortController();
    const segmenting = model.segment(photoOf(128, 32), ['dog'], {
      signal: stop.signal,
      onProgress: ({ of }) => {
        if (of === 'windows') stop.abort(new Error('enough'));
      },
    });
    await expect(segmenting).rejects.toThrow('enough');
    // And it goes on with the next photo.
    expect((await model.segment(photo, ['dog'])).labels.data[0]).toBe(1);
  });

  test('a model of another teacher is refused, or taken on request', async () => {
    const strange = await options(teacherIdentity('another', '0'.repeat(64)));
    await expect(openVocabulary(device.current, strange)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model: it was trained with the teacher another (000000000000…), and the CLIP is clip (d9d1b09ed694…); give that one, or accept any other by teacher: 'any']`,
    );
    using model = await openVocabulary(device.current, { ...strange, teacher: 'any' });
    expect(model.opened).toMatchObject({ kind: 'zeroseg', info: { step: 7 } });
    const clip = await openClipFiles({ weights: clipBytes, config: clipConfig });
    const own = await options(teacherIdentity('of any name', await clip.weightsHash()));
    using same = await openVocabulary(device.current, own);
    expect(same.opened.kind).toBe('zeroseg');
  });

  test('what cannot be is refused', async () => {
    const { model, ...rest } = await options();
    const open = (other: Partial<OpenVocabularyOptions>) =>
      openVocabulary(device.current, { model, ...rest, ...other });
    await expect(open({ clip: undefined })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: model has no text encoder of its own; give the clip that made its features]`,
    );
    await expect(open({ model: clipBytes })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model: is no ZeroSeg model: its metadata has format 'pt', expected 'zeroseg-model-1']`,
    );
    using opened = await open({});
    for (const strange of [undefined, null, 7, {}, { ...photo, data: photo.data.slice(1) }, { ...photo, width: 0.5 }]) {
      await expect(opened.segment(strange as typeof photo, ['dog'])).rejects.toThrow(
        /^OpenVocabulary\.segment: .*; got |bytes; got /,
      );
    }
    await expect(opened.segment(photo, [])).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: names must be words, such as 'dog', 'wet grass'; got none]`,
    );
    await expect(opened.segment(photo, ['dog', ' '])).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: names must be words, such as 'dog', 'wet grass'; got " "]`,
    );
    await expect(opened.segment(photo, ['dog', 'dog'])).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: names must differ; "dog" is there twice]`,
    );
    expect(opened.cutNames(['dog', 'a dog that is long enough for no text encoder of eleven tokens'])).toEqual([
      'a dog that is long enough for no text encoder of eleven tokens',
    ]);
  });
});

test('files come as blobs and addresses too', async () => {
  const json = new Blob([JSON.stringify(clipConfig)]);
  const model = URL.createObjectURL(new Blob([(await bytesOf('')) as Uint8Array<ArrayBuffer>]));
  const clip = { weights: new Blob([clipBytes]), config: json };
  using opened = await openVocabulary(device.current, { model, clip, tokenizer: 'hash', templates: 'simple' });
  using plain = await openVocabulary(device.current, await options());
  expect((await opened.segment(photo, ['dog', 'sky'])).labels).toEqual(
    (await plain.segment(photo, ['dog', 'sky'])).labels,
  );
});

test('a GroupViT brings its own text encoder', async () => {
  const { manifest } = await loadFixture('groupvit-tiny/groupvit-tiny');
  const model = await loadFixtureFile('groupvit-tiny/groupvit-tiny');
  using opened = await openVocabulary(device.current, {
    model,
    settings: manifest.config,
    tokenizer: 'hash',
    templates: 'simple',
  });
  const { labels, names } = await opened.segment(photo, ['dog', 'sky'], { threshold: 0.9 });
  expect([labels.width, names.length]).toEqual([48, 3]);
  expect(opened.opened.kind).toBe('groupvit');

  const kept = new Map<string, Float32Array>();
  const store: WordStore = {
    load: async (key) => kept.get(key),
    save: async (key, vector) => void kept.set(key, vector.slice()),
  };
  for (const texts of [[2], []]) {
    const settings = manifest.config;
    using again = await openVocabulary(device.current, {
      model,
      settings,
      tokenizer: 'hash',
      templates: 'simple',
      store,
    });
    const counted: number[] = [];
    await again.vocabulary(['dog', 'grass'], { onProgress: ({ total }) => void counted.push(total) });
    expect(counted, 'words are kept like those of a CLIP').toEqual(texts);
  }
});

describe('a photo that was divided', () => {
  test('is named as it is segmented, and again by other words', async () => {
    using model = await openVocabulary(device.current, await options());
    const rules = { scoring: 'softmax', threshold: 0.55 } as const;
    const division = await model.divide(photo);
    expect(await model.name(division, ['dog', 'grass'], rules)).toEqual(
      await model.segment(photo, ['dog', 'grass'], rules),
    );
    expect(await model.name(division, ['sky', 'dog', 'sea'], rules)).toEqual(
      await model.segment(photo, ['sky', 'dog', 'sea'], rules),
    );
  });

  test('needs no GPU once the words are known, and survives a copy', async () => {
    const known = await openVocabulary(device.current, await options());
    const division = structuredClone(await known.divide(photo));
    const vocabulary = await known.vocabulary(['dog', 'grass']);
    const expected = await known.name(division, ['dog', 'grass']);
    known.dispose();
    expect(nameSegments(division, vocabulary).labels).toEqual(expected.labels);
  });

  test('gives a map of another size, of the same places', async () => {
    using model = await openVocabulary(device.current, await options());
    const division = await model.divide(photo);
    const size = { width: 96, height: 64 };
    const { labels } = await model.name(division, ['dog', 'grass'], { size });
    const small = (await model.name(division, ['dog', 'grass'])).labels;
    expect([labels.width, labels.height]).toEqual([96, 64]);
    const equal = small.data.filter((label, i) => labels.data[2 * (i % 48) + 192 * Math.floor(i / 48)] === label);
    expect(equal.length / small.data.length).toBeGreaterThan(0.9);
  });

  test('says what all names score at a pixel', async () => {
    using model = await openVocabulary(device.current, await options());
    const result = await model.segment(photo, ['dog', 'grass', 'sky'], { scoring: 'softmax' });
    // Covered by the first window alone, so it scores what its segment does.
    const first = result.windows[0] as WindowResult;
    const segment = first.segmentOf[0] as number;
    const ranked = namesAt(result, 0, 0);
    const scores = [...first.affinity.subarray(3 * segment, 3 * segment + 3)];
    expect(ranked).toEqual(
      scores.map((score, c) => ({ label: c + 1, score })).sort((one, other) => other.score - one.score),
    );
    expect(ranked[0]?.label).toBe(result.labels.data[0]);
    // In the middle both windows cover it: scores of a softmax still add up to 1.
    expect(namesAt(result, 24, 16).reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1);
    expect(() => namesAt(result, 48, 0)).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: namesAt: the pixel must lie inside 48 x 32; got (48, 0)]`,
    );
  });
});
