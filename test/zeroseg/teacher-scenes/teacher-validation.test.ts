import { expect, test } from 'vitest';
import { randomClips, randomClipText, randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
import { groundNames, objectsOnly } from '../../../src/zeroseg/scenes/scene-options.ts';
import { CaptionedScenes } from '../../../src/zeroseg/teacher-scenes/captioned-crops.ts';
import {
  scoreTeacher,
  teacherScenes,
  validationCrops,
} from '../../../src/zeroseg/teacher-scenes/teacher-validation.ts';
import { hashedTokens } from '../../../src/zeroseg/text/hashed-tokens.ts';
import { packagedAtlas } from '../../support/atlas.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test('a teacher of objects only hears of no ground', async () => {
  const scenes = teacherScenes(await packagedAtlas(), { classes: 3, ...objectsOnly });
  expect(scenes.makers.map(({ names }) => names)).toEqual([scenes.classes, scenes.classes]);
  const captions = new CaptionedScenes(scenes.makers, { seed: 3 }).batch(0, 200).captions;
  expect(captions.filter((caption) => groundNames.some((name) => caption.split(' ').includes(name)))).toEqual([]);
  const named = teacherScenes(await packagedAtlas(), { classes: 3 });
  const others = new CaptionedScenes(named.makers, { seed: 3 }).batch(0, 200).captions;
  expect(others.some((caption) => groundNames.some((name) => caption.split(' ').includes(name)))).toBe(true);
});

test('a teacher is scored on crops of scenes, of other styles, and by synonyms', async () => {
  const atlas = await packagedAtlas();
  const scenes = teacherScenes(atlas, { classes: 3, styles: ['noto'], validationAtlas: atlas });
  expect(scenes.classes).toHaveLength(3);
  expect(scenes.styles).toEqual(['noto']);
  expect(scenes.makers.map(({ options }) => options.size)).toEqual([undefined, 96]);
  expect(scenes.unseen?.names).toEqual(scenes.makers[0]?.names);

  const clip = randomClips['random-tiny']!;
  const teacher = {
    vision: randomClipVision(device.current, clip),
    text: randomClipText(device.current, clip),
    tokens: hashedTokens(clip.text.vocab),
  };
  const crops = validationCrops(scenes, { seed: 7, count: 6, side: clip.vision.image });
  expect(crops.scenes.present).toHaveLength(6);
  const scores = await scoreTeacher(device.current, teacher, scenes, crops, { templates: 'simple', synonyms: true });
  expect(Object.keys(scores).sort()).toEqual(['scenes', 'synonyms', 'unseenStyle']);
  for (const { present } of Object.values(scores)) {
    expect(present * 6).toBeCloseTo(Math.round(present * 6));
    expect(present).toBeLessThanOrEqual(1);
  }
  const { unseen: _, ...known } = crops;
  const less = await scoreTeacher(
    device.current,
    teacher,
    scenes,
    { ...known, unseen: undefined },
    { templates: 'simple' },
  );
  expect(less).toEqual({ scenes: scores.scenes });
});
