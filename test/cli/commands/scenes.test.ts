import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSceneIndex } from '../../../cli/src/photos/scene-folder.ts';
import { temporaryFolder, useCommandLine, writeClip, writeConfig } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]): string => join(base, ...names);

describe('zeroseg scenes', () => {
  const steady = (text: string): string =>
    text
      .replaceAll(base, 'BASE')
      .replace(/in [\d.]+ \w+$/gm, 'in TIME')
      .replace(/on .*$/gm, 'on ADAPTER');

  test('makes a folder', async () => {
    const { code, out, err } = await zeroseg(
      ...['scenes', '--out', at('made'), '--count', '3', '--seed', '5', '--preset', 'objectCentric'],
      ...['--classes', 'cat, dog', '--size', '32', '--styles', 'noto', '--grounds', 'sky,grass', '--named', '1'],
    );
    expect([code, err]).toEqual([0, '']);
    expect(steady(out)).toMatchInlineSnapshot(
      `"BASE/made: 3 scenes of seed 5, 2 objects and 2 kinds of ground, in TIME"`,
    );
    const { names, seed, count, options } = await readSceneIndex(at('made'));
    expect([names, seed, count]).toEqual([['cat', 'dog', 'sky', 'grass'], 5, 3]);
    expect(options).toMatchInlineSnapshot(`
      {
        "classes": [
          "cat",
          "dog",
        ],
        "grounds": [
          "sky",
          "grass",
        ],
        "named": 1,
        "objects": [
          1,
          2,
        ],
        "scale": [
          0.7,
          1.15,
        ],
        "size": 32,
        "styles": [
          "noto",
        ],
      }
    `);
  });

  test('names what is wrong', async () => {
    const call = async (...more: string[]): Promise<string> =>
      steady((await zeroseg('scenes', '--out', at('none'), ...more)).err);
    expect(await call('--classes', '200')).toMatchInlineSnapshot(
      `"zeroseg: --classes must be a whole number from 1 to 137; got 200"`,
    );
    expect(await call('--classes', 'cat, dgo')).toMatchInlineSnapshot(
      `"zeroseg: --classes must be of dog, cat, car, tree, apple, umbrella, fish, house and 129 more; got dgo"`,
    );
    expect(await call('--preset', 'small')).toMatchInlineSnapshot(`"zeroseg scenes: option ADAPTER"`);
    expect(await call('--named', '2')).toContain('zeroseg scenes: option');
    expect(await readdir(base)).not.toContain('none');
  });

  test('are cached, learnt from and scored as any data set', async () => {
    await writeClip(at('clip'));
    await writeConfig(at('small.json'));
    await zeroseg(
      'scenes',
      '--out',
      at('scored'),
      '--count',
      '4',
      '--classes',
      '3',
      '--grounds',
      'sky',
      '--named',
      '0.5',
    );
    const clip = ['--clip', at('clip')];
    await zeroseg(
      'cache',
      at('scored/JPEGImages'),
      ...clip,
      '--out',
      at('cache'),
      '--grids',
      '1',
      '--image-size',
      '16',
    );
    const training = ['--cache', at('cache'), '--out', at('run'), '--config', at('small.json'), '--steps', '2'];
    await zeroseg('train', ...training, '--batch', '2');
    const score = async (...more: string[]): ReturnType<typeof zeroseg> =>
      zeroseg(
        'eval',
        '--root',
        at('scored'),
        '--model',
        at('run'),
        ...clip,
        '--templates',
        'identity',
        '--tokenizer',
        'hash',
        ...more,
      );

    const { code, out, err } = await score('--data', 'scenes', '--json');
    expect(code, err).toBe(0);
    const result = JSON.parse(out) as Record<string, unknown>;
    const names = ['background', 'dog', 'cat', 'car', 'sky'];
    const counted = result['classes'] as { name: string; iou: number | null; pixels: number }[];
    expect(counted.map(({ name }) => name)).toEqual(names);
    expect([result['photos'], result['threshold'], counted[0]]).toEqual([
      4,
      0,
      { label: 0, name: 'background', iou: null, pixels: 0, boundary_f: null },
    ]);
    expect(result['mean_iou_ground']).toBe(counted[4]?.iou);
    expect(typeof result['mean_iou_objects']).toBe('number');

    const all = JSON.parse((await score('--data', 'scenes', '--ground', '--json')).out) as typeof result;
    const sum = (all['classes'] as typeof counted).reduce((total, { pixels }) => total + pixels, 0);
    expect(sum).toBe(4 * 64 * 64);
    expect((await score('--data', 'voc', '--ground')).err).toMatchInlineSnapshot(
      `"zeroseg: eval: --ground is for --data scenes; voc counts its background always"`,
    );
  });
});
