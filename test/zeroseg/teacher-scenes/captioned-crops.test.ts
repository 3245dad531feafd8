import { describe, expect, it } from 'vitest';
import { random } from '../../../src/nn/layers/random.ts';
import { textVocabulary } from '../../../src/zeroseg/clip-training/train-clip.ts';
import { SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { scenePresets } from '../../../src/zeroseg/scenes/scene-options.ts';
import { fillFrame, frameWords, sentenceFrame } from '../../../src/zeroseg/scenes/sentence-frames.ts';
import { CaptionedScenes } from '../../../src/zeroseg/teacher-scenes/captioned-crops.ts';
import { cropContents } from '../../../src/zeroseg/teacher-scenes/crops.ts';
import { namingScore, sceneCrops } from '../../../src/zeroseg/teacher-scenes/naming-score.ts';
import { promptTemplates } from '../../../src/zeroseg/text/class-names.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';
import { packagedAtlas } from '../../support/atlas.ts';

const atlas = await packagedAtlas();
const makers = [scenePresets.crowded, scenePresets.objectCentric].map(
  (preset) => new SceneMaker(atlas, { ...preset, classes: 10 }),
);
const [maker] = makers as [SceneMaker];

describe('sentence frames', () => {
  const draw = random(1);
  const frames = Array.from({ length: 3000 }, () => sentenceFrame(draw));

  it('have the words of the templates of CLIP, and are none of them', () => {
    const templates = new Set(promptTemplates.full);
    for (const frame of frames) {
      expect(frame.split('{}').length - 1, frame).toBe(1);
      expect(templates.has(frame) || templates.has(`${frame}.`), frame).toBe(false);
    }
    expect(new Set(frames).size).toBeGreaterThan(1000);
  });

  it('say what is true of the picture', () => {
    for (let i = 0; i < 100; i++) expect(sentenceFrame(draw, ['blurry'])).toMatch(/blurry|scene|video game/);
  });

  it('take a name with its article', () => {
    expect(fillFrame('a photo of a {}.', 'umbrella')).toBe('a photo of an umbrella.');
    expect(fillFrame('a photo of a {}.', '$&')).toBe('a photo of a $&.');
    expect(fillFrame('the {}', 'owl')).toBe('the owl');
  });

  it('are made of known words', async () => {
    const tokens = await Tokenizer.clip();
    const known = new Set(textVocabulary(tokens, frameWords()));
    const used = new Set(
      [...frames, ...promptTemplates.full].flatMap((frame) => tokens.encode(frame.replace('{}', ''))),
    );
    expect([...used].filter((id) => !known.has(id)).map((id) => tokens.decode([id]))).toEqual([]);
  });
});

describe('captioned scenes', () => {
  const data = () => new CaptionedScenes(makers, { seed: 3 });

  it('are the same for the same number, and others for another', () => {
    const [a, b] = [data(), data()];
    a.batch(0, 16);
    const [one, other, next] = [a.batch(1, 16), b.batch(1, 16), b.batch(2, 16)];
    expect(one.captions).toEqual(other.captions);
    expect(one.falseNegatives).toEqual(other.falseNegatives);
    expect(next.captions).not.toEqual(one.captions);
    expect(a.batch(1, 16).pixels).toEqual(data().batch(1, 16).pixels);
    expect(one.pixels).toHaveLength(16 * 3 * 32 * 32);
  });

  it('have captions of words that the vocabulary has', async () => {
    const tokens = await Tokenizer.clip();
    const scenes = data();
    const known = new Set(textVocabulary(tokens, scenes.texts()));
    const captions = Array.from({ length: 6 }, (_, i) => scenes.batch(i, 64).captions).flat();
    const strange = captions.filter((caption) => tokens.encode(caption).some((id) => !known.has(id)));
    expect(strange.length / captions.length).toBeLessThan(0.01);
    const phrases = new Set(maker.names.flatMap((name) => maker.classPhrases(name)));
    const alone = captions.filter((caption) => phrases.has(caption.replace(/^(an?|the) |\.$/g, '')));
    expect(alone.length).toBeGreaterThan(10);
  });

  it('take no text for wrong that is true of another image', () => {
    const { captions, falseNegatives } = data().batch(0, 64);
    const count = captions.length;
    captions.forEach((caption, i) => {
      expect(falseNegatives?.[i * count + i]).toBe(0);
      captions.forEach((other, j) => {
        if (i !== j && other === caption) expect(falseNegatives?.[i * count + j]).toBe(1);
      });
    });
    expect(falseNegatives?.reduce((sum, value) => sum + value, 0)).toBeGreaterThan(64);
  });

  it('name what a crop shows, by the labels', () => {
    const scene = maker.scene(1, 2);
    const { size = 64 } = maker.options;
    const all = cropContents(maker, scene, { x: 0, y: 0, width: size, height: size });
    for (const { name, pixels } of scene.objects) if (pixels > 0.08 * size * size) expect(all.names).toContain(name);
    const [x, y] = [40, 40];
    const label = scene.labels.data[y * size + x] as number;
    const { names } = cropContents(maker, scene, { x, y, width: 1, height: 1 });
    expect(names).toEqual(label === 0 ? [] : [maker.names[label - 1]]);
  });

  it('are scored by the nearest name', () => {
    const crops = sceneCrops(makers, 5, 8);
    expect(crops.present).toHaveLength(8);
    expect(crops.pixels.every(Number.isFinite)).toBe(true);
    const names = maker.names.length;
    const embeddings = Float32Array.from({ length: names * names }, (_, i) => Number(i % (names + 1) === 0));
    const right = new Float32Array(8 * names);
    crops.present.forEach((shown, i) => {
      for (const n of shown) right[i * names + n] = 1;
    });
    expect(namingScore(crops, right, embeddings, maker.objectCount)).toEqual({ present: 1, objects: 1 });
    const wrong = right.map((value) => 1 - value);
    expect(namingScore(crops, wrong, embeddings, maker.objectCount)).toEqual({ present: 0, objects: 0 });
  });
});
