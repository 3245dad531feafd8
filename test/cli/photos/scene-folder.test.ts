import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openDataSet } from '../../../cli/src/photos/data-sets.ts';
import { loadAtlas, readSceneIndex, sceneDefinition, writeScenes } from '../../../cli/src/photos/scene-folder.ts';
import { plural } from '../../../src/zeroseg/scenes/caption.ts';
import { SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { groundNames, scenePresets } from '../../../src/zeroseg/scenes/scene-options.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-scenes-'));
afterAll(() => rm(base, { recursive: true }));
const at = (...names: string[]): string => join(base, ...names);
const atlas = await loadAtlas();

const message = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) => String(error).replaceAll(base, 'BASE'),
  );

describe('the packaged atlas', () => {
  test('holds 137 classes in three styles, each with something to see', () => {
    expect(atlas.classes.length).toBe(137);
    expect(atlas.styles).toEqual(['noto', 'fluent-flat', 'fluent-3d']);
    for (const style of atlas.styles) {
      for (const { name } of atlas.classes) {
        const opaque = atlas.cutOut(style, name).filter((value, i) => i % 4 === 3 && value >= 128).length;
        expect(opaque, `${style} ${name}`).toBeGreaterThan(400);
      }
    }
  });

  test('begins with forty that look unlike each other', () => {
    expect(
      atlas.classes
        .slice(0, 40)
        .map(({ name }) => name)
        .join(', '),
    ).toMatchInlineSnapshot(
      `"dog, cat, car, tree, apple, umbrella, fish, house, banana, clock, elephant, bicycle, butterfly, chair, guitar, airplane, frog, strawberry, shirt, boat, penguin, book, pizza, cactus, key, train, sunflower, zebra, balloon, cup, shoe, rocket, mushroom, snail, hat, bus, carrot, owl, ball, crab"`,
    );
  });

  test('calls no two things alike', () => {
    const scenes = new SceneMaker(atlas);
    const phrases = scenes.names.flatMap((name) => scenes.classPhrases(name));
    expect(phrases.filter((phrase, i) => phrases.indexOf(phrase) !== i)).toEqual([]);
    expect(phrases.filter((phrase) => phrase !== phrase.toLowerCase().trim())).toEqual([]);
  });

  test('captions name every visible thing', () => {
    const scenes = new SceneMaker(atlas, scenePresets.crowded);
    const said = (name: string): string[] =>
      scenes.classPhrases(name).flatMap((word) => [word, ...plural(word).split(' of '), `${word.replace(/s$/, '')}`]);
    const captions = Array.from({ length: 300 }, (_, i) => {
      const { caption, objects } = scenes.scene(4, i);
      for (const { name } of objects) {
        expect(
          said(name).some((word) => caption.includes(word)),
          `${name}: ${caption}`,
        ).toBe(true);
      }
      return caption;
    });
    expect(new Set(captions).size).toBeGreaterThan(295);
    expect(captions.filter((caption) => /\ba [aeio]|\ban [^aeiou]/.test(caption))).toEqual([]);
  });
});

describe('writeScenes', () => {
  const scenes = new SceneMaker(atlas, { ...scenePresets.crowded, classes: 40 });

  test('writes what a data set of VOC is read from', async () => {
    await writeScenes(at('new/scenes'), scenes, { seed: 3, count: 5 });
    expect((await readdir(at('new'))).sort()).toEqual(['scenes']);
    for (const split of ['val', 'train']) {
      const items = await openDataSet('scenes', at('new/scenes'), split);
      expect(items.map(({ id }) => id)).toEqual(['000000', '000001', '000002', '000003', '000004']);
      const { image, labels } = await items[4]!.load();
      const made = scenes.scene(3, 4);
      expect([...image.data]).toEqual([...made.image.data]);
      expect([...labels.data]).toEqual([...made.labels.data]);
    }
    const captions = (await readFile(at('new/scenes/captions.txt'), 'utf8')).split('\n');
    expect(captions[4]).toBe(`000004\t${scenes.scene(3, 4).caption}`);
    expect((await readFile(at('new/scenes/names.txt'), 'utf8')).trim().split('\n')).toEqual(scenes.names);
    const { classes, prompts, ignore, objects } = await sceneDefinition(at('new/scenes'));
    expect([classes.length, classes[0], classes[1], prompts.length, ignore, objects]).toEqual([
      55,
      'background',
      'dog',
      54,
      0,
      40,
    ]);
    expect(prompts.slice(40)).toEqual(groundNames);
    expect((await readSceneIndex(at('new/scenes'))).synonyms['couch']).toBeUndefined();
  });

  test('replaces scenes, and refuses what is something else', async () => {
    await writeScenes(at('again'), scenes, { seed: 1, count: 3 });
    await writeScenes(at('again'), scenes, { seed: 2, count: 2 });
    expect((await readdir(at('again/JPEGImages'))).sort()).toEqual(['000000.png', '000001.png']);
    expect((await readSceneIndex(at('again'))).seed).toBe(2);

    await writeFile(at('again/notes.txt'), 'mine');
    expect(await message(writeScenes(at('again'), scenes, { seed: 2, count: 2 }))).toMatchInlineSnapshot(
      `"FileError: writeScenes: BASE/again: it holds notes.txt, which is not of scenes; give a new folder, or one of scenes to replace"`,
    );
    await mkdir(at('other/JPEGImages'), { recursive: true });
    expect(await message(writeScenes(at('other'), scenes, { seed: 2, count: 2 }))).toMatchInlineSnapshot(
      `"FileError: writeScenes: BASE/other: it holds what is no folder of scenes; give a new folder, or one of scenes to replace"`,
    );
    await writeFile(at('file'), '');
    expect(await message(writeScenes(at('file'), scenes, { seed: 2, count: 2 }))).toMatchInlineSnapshot(
      `"FileError: writeScenes: BASE/file: this is a file; give a folder"`,
    );
  });

  test('leaves nothing when it is stopped', async () => {
    const done: number[] = [];
    const stop = new AbortController();
    const onProgress = ({ done: n }: { done: number }) => {
      if (done.push(n) === 2) stop.abort('enough');
    };
    const writing = writeScenes(at('stopped'), scenes, { seed: 1, count: 9, signal: stop.signal, onProgress });
    await expect(writing).rejects.toBe('enough');
    expect(done).toEqual([1, 2]);
    expect((await readdir(base)).filter((name) => name.startsWith('stopped'))).toEqual([]);
  });

  test('other folders are named by what reads them', async () => {
    await mkdir(at('bare'));
    await writeFile(at('bare/classes.json'), '{"names": ["a"]}');
    expect(await message(readSceneIndex(at('bare')))).toMatchInlineSnapshot(
      `"FileError: readSceneIndex: BASE/bare/classes.json: this is not the classes.json of a folder that \`zeroseg scenes\` wrote"`,
    );
    expect(await message(loadAtlas(at('bare')))).toMatchInlineSnapshot(
      `"FileError: readJson: BASE/bare/atlas.json: there is no such file or folder"`,
    );
    await writeFile(at('bare/atlas.json'), '{}');
    await writeFile(at('bare/atlas.png'), 'no');
    expect(await message(loadAtlas(at('bare')))).toMatchInlineSnapshot(
      `"FileError: loadAtlas: BASE/bare/atlas.png: SceneAtlas.parse: index must be an atlas.json of scripts/build-atlas.mjs, version 1"`,
    );
  });
});
