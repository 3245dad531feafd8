import { encode } from 'fast-png';
import { describe, expect, test } from 'vitest';
import { SceneAtlas } from '../../../src/zeroseg/scenes/atlas.ts';
import { plural, withArticle } from '../../../src/zeroseg/scenes/caption.ts';
import { colourName } from '../../../src/zeroseg/scenes/colour.ts';
import { type Scene, SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { groundNames, type SceneOptions, scenePresets } from '../../../src/zeroseg/scenes/scene-options.ts';

const side = 32;
/** Is the middle of a pixel, from -1 to 1 in both directions, in the shape? */
const shapes: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  disc: (x, y) => x * x + y * y <= 1,
  box: () => true,
  umbrella: (x, y) => y <= 0 && x * x + y * y <= 1,
};
const classes = [
  { name: 'disc', group: 'shapes', keywords: ['coin', 'plate'] },
  { name: 'box', group: 'shapes', keywords: [] },
  { name: 'umbrella', group: 'shapes', keywords: ['parasol'] },
];
const styles = ['plain', 'bold'];
const index = { format: 'zeroseg-atlas', version: 1, side, columns: 2, styles, classes };

/** Two columns of three rows: the classes in magenta, then in cyan. */
function cells(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(2 * side * 3 * side * 4);
  for (let cell = 0; cell < 6; cell++) {
    const inside = shapes[classes[cell % 3]!.name]!;
    for (let i = 0; i < side * side; i++) {
      const [x, y] = [i % side, Math.floor(i / side)];
      if (!inside((x + 0.5) / (side / 2) - 1, (y + 0.5) / (side / 2) - 1)) continue;
      const at = ((Math.floor(cell / 2) * side + y) * 2 * side + (cell % 2) * side + x) * 4;
      data.set(cell < 3 ? [255, 0, 255, 255] : [0, 255, 255, 255], at);
    }
  }
  return data;
}

const png = encode({ width: 2 * side, height: 3 * side, data: cells(), channels: 4 });
const atlas = SceneAtlas.parse(png, index);
const maker = (options: SceneOptions = {}) => new SceneMaker(atlas, options);
const count = (scenes: SceneMaker, count: number, seed = 1): Scene[] =>
  Array.from({ length: count }, (_, i) => scenes.scene(seed, i));

/** What is thrown, in words. */
function message(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  return 'no error';
}

describe('SceneAtlas', () => {
  test('gives the cell of a class in a style', () => {
    const box = atlas.cutOut('bold', 'box');
    expect(box.length).toBe(side * side * 4);
    expect([...box.subarray(0, 4)]).toEqual([0, 255, 255, 255]);
    const disc = atlas.cutOut('plain', 'disc');
    expect([...disc.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    expect([...disc.subarray((16 * side + 16) * 4).subarray(0, 4)]).toEqual([255, 0, 255, 255]);
  });

  test('reads a palette with transparency', () => {
    const palette = [
      [9, 9, 9, 0],
      [200, 100, 50, 255],
    ];
    const data = Uint8Array.from({ length: 64 * 8 }, (_, i) => i % 2);
    const small = { ...index, side: 8, columns: 8, styles: ['plain'], classes: classes.slice(0, 1) };
    const one = SceneAtlas.parse(encode({ width: 64, height: 8, data, channels: 1, palette }), small);
    expect([...one.cutOut('plain', 'disc').subarray(0, 8)]).toEqual([9, 9, 9, 0, 200, 100, 50, 255]);
  });

  test('says what is wrong', () => {
    expect(message(() => atlas.cutOut('noto', 'box'))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.cutOut: style must be one of plain, bold; got noto"`,
    );
    expect(message(() => atlas.cutOut('bold', 'cat'))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.cutOut: name must be one of the atlas' 3 classes; got cat"`,
    );
    expect(message(() => SceneAtlas.parse(png, {}))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.parse: index must be an atlas.json of scripts/build-atlas.mjs, version 1"`,
    );
    expect(message(() => SceneAtlas.parse(png, { ...index, columns: 0 }))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.parse: index must give side, columns, styles and classes; atlas.json is damaged"`,
    );
    expect(message(() => SceneAtlas.parse(png, { ...index, columns: 3 }))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.parse: 2 styles of 3 classes in 3 columns of 32 pixels need a PNG of 96 x 64; got 64 x 96"`,
    );
    const twice = [...classes.slice(1), classes[1]];
    expect(message(() => SceneAtlas.parse(png, { ...index, classes: twice }))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.parse: the class box is in the index twice"`,
    );
    expect(message(() => SceneAtlas.parse(png.subarray(9), index))).toMatchInlineSnapshot(
      `"SceneError: SceneAtlas.parse: png is damaged or none (it is no PNG)"`,
    );
  });
});

describe('scenes', () => {
  test('are the same for the same seed and index, whatever was made before', () => {
    const [first, second] = [maker(), maker()];
    second.scene(7, 3);
    expect(second.scene(1, 5)).toEqual(first.scene(1, 5));
    expect(first.scene(1, 6)).not.toEqual(first.scene(1, 5));
    expect(first.scene(2, 5)).not.toEqual(first.scene(1, 5));
  });

  test('label a disc where it is', () => {
    const scenes = maker({ classes: ['disc'], objects: [1, 1], scale: [0.3, 0.9], shadow: 0 });
    for (const { labels, objects } of count(scenes, 30)) {
      const [{ x, y, long }] = objects as [(typeof objects)[number]];
      let wrong = 0;
      labels.data.forEach((label, i) => {
        const distance = Math.hypot((i % 64) + 0.5 - x, Math.floor(i / 64) + 0.5 - y) - long / 2;
        // Its edge is a staircase of the atlas' pixels.
        if (Math.abs(distance) > 0.5 + long / side && (label === 1) !== distance < 0) wrong++;
      });
      expect(wrong).toBe(0);
    }
  });

  test('differ from their bare ground where an object is labelled, and beside it only by its edge', () => {
    const options = { shadow: 0, jitter: 0 };
    const [full, bare] = [maker(options), maker({ ...options, objects: [0, 0] })];
    for (let i = 0; i < 30; i++) {
      const { image, labels } = full.scene(1, i);
      const ground = bare.scene(1, i);
      const isObject = (p: number): boolean => labels.data[p]! >= 1 && labels.data[p]! <= full.objectCount;
      const wrong: number[] = [];
      for (let p = 0; p < 64 * 64; p++) {
        const same = [0, 1, 2].every((c) => image.data[p * 3 + c] === ground.image.data[p * 3 + c]);
        if (isObject(p)) {
          if (same) wrong.push(p);
          continue;
        }
        const near = (): boolean =>
          [-2, -1, 0, 1, 2].some((y) => [-2, -1, 0, 1, 2].some((x) => isObject(p + y * 64 + x)));
        if (labels.data[p] !== ground.labels.data[p] || (!same && !near())) wrong.push(p);
      }
      expect(wrong).toEqual([]);
    }
  });

  test('count the visible pixels of every object, and hide none too much', () => {
    const scenes = maker({ objects: [1, 6], scale: [0.3, 0.8], visible: 0.4 });
    const areas: Readonly<Record<string, number>> = { disc: Math.PI / 4, box: 1, umbrella: Math.PI / 8 };
    for (const { labels, objects } of count(scenes, 60)) {
      for (const name of scenes.names.slice(0, 3)) {
        const label = scenes.names.indexOf(name) + 1;
        const pixels = labels.data.filter((value) => value === label).length;
        const own = objects.filter((object) => object.name === name);
        expect(own.reduce((sum, object) => sum + object.pixels, 0)).toBe(pixels);
        expect(own.every((object) => object.label === label)).toBe(true);
      }
      for (const { name, pixels, long } of objects) {
        expect(pixels).toBeGreaterThan(0.38 * areas[name]! * long * long);
      }
    }
  });

  test('name the grounds that are visible', () => {
    const scenes = maker({ objects: [0, 2], named: 1, horizon: 0.5 });
    let split = 0;
    for (const { labels, grounds } of count(scenes, 60)) {
      const found = groundNames.filter((name) => labels.data.includes(scenes.names.indexOf(name) + 1));
      expect([...grounds].sort()).toEqual([...found].sort());
      expect(labels.data.includes(0)).toBe(false);
      if (grounds.length === 2) split++;
    }
    expect(split).toBeGreaterThan(15);
    expect(split).toBeLessThan(45);
  });
});

describe('options', () => {
  test('classes: names in their order, or the first so many', () => {
    expect(maker({ classes: 2 }).names).toEqual(['disc', 'box', ...groundNames]);
    const scenes = maker({ classes: ['umbrella', 'disc'], grounds: ['snow'] });
    expect(scenes.names).toEqual(['umbrella', 'disc', 'snow']);
    expect(scenes.objectCount).toBe(2);
    expect(scenes.classPhrases('umbrella')).toEqual(['umbrella', 'parasol']);
    expect(scenes.classPhrases('snow')).toEqual(['snow', 'white snow', 'snowfield']);
  });

  test('styles, sizes, counts, turns, mirrors', () => {
    const scenes = maker({
      size: 40,
      styles: ['bold'],
      objects: [2, 3],
      scale: [0.25, 0.35],
      rotation: 10,
      tumbled: 0,
      flip: 0,
    });
    for (const { image, labels, objects } of count(scenes, 40)) {
      expect([image.width, image.height, image.data.length, labels.data.length]).toEqual([40, 40, 4800, 1600]);
      expect(objects.length).toBeGreaterThanOrEqual(1);
      expect(objects.length).toBeLessThanOrEqual(3);
      for (const { style, long, rotation, flipped } of objects) {
        expect(style).toBe('bold');
        expect(long / 40).toBeGreaterThanOrEqual(0.25);
        expect(long / 40).toBeLessThanOrEqual(0.35);
        expect(Math.abs(rotation)).toBeLessThanOrEqual(10);
        expect(flipped).toBe(false);
      }
    }
  });

  test('named: 0 leaves all ground without a name', () => {
    const scenes = maker({ named: 0, grounds: [] });
    for (const { labels, grounds } of count(scenes, 20)) {
      expect(grounds).toEqual([]);
      expect(labels.data.includes(0)).toBe(true);
      expect(Math.max(...labels.data)).toBeLessThanOrEqual(3);
    }
  });

  test('presets: large for training, many for scoring', () => {
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const fraction = (options: SceneOptions): number =>
      mean(count(maker(options), 40).map(({ labels }) => labels.data.filter((l) => l > 0 && l < 4).length / 4096));
    expect(fraction(scenePresets.objectCentric)).toBeGreaterThan(0.45);
    expect(fraction(scenePresets.crowded)).toBeLessThan(0.4);
  });

  test('wrong ones are named', () => {
    const wrong: SceneOptions[] = [
      { size: 4 },
      { classes: 4 },
      { classes: [] },
      { classes: ['dragon'] },
      { classes: ['box', 'box'] },
      { styles: ['noto'] },
      { grounds: ['mud'] },
      { grounds: [] },
      { objects: [3, 2] },
      { scale: [0.5, 2] },
      { named: 1.5 },
      { rotation: 400 },
      { jitter: -1 },
      { redrawn: 1.5 },
    ];
    expect(wrong.map((options) => message(() => maker(options))).join('\n')).toMatchInlineSnapshot(`
      "SceneError: SceneMaker: size must be a whole number from 8 to 4096; got 4
      SceneError: SceneMaker: classes must be a whole number from 1 to 3; got 4
      SceneError: SceneMaker: classes must name at least one; got none
      SceneError: SceneMaker: classes must be of disc, box, umbrella; got dragon
      SceneError: SceneMaker: classes must be named once each; got box twice
      SceneError: SceneMaker: styles must be of plain, bold; got noto
      SceneError: SceneMaker: grounds must be of sky, night, grass, water, sand, snow, brick wall, wood, road, tiles, fire, leaves, stones, curtain; got mud
      SceneError: SceneMaker: grounds must name at least one; got none
      SceneError: SceneMaker: objects must be two whole numbers from 0 to 100, the smaller first; got 3, 2
      SceneError: SceneMaker: scale must be two numbers above 0 and up to 1.5, the smaller first; got 0.5, 2
      SceneError: SceneMaker: named must be 0 to 1; got 1.5
      SceneError: SceneMaker: rotation must be 0 to 180 degrees; got 400
      SceneError: SceneMaker: jitter must be 0 to 3; got -1
      SceneError: SceneMaker: redrawn must be 0 to 1; got 1.5"
    `);
    expect(message(() => maker().scene(-1, 0))).toMatchInlineSnapshot(
      `"SceneError: SceneMaker.scene: seed must be a whole number from 0; got -1"`,
    );
    expect(message(() => maker().scene(1, 0.5))).toMatchInlineSnapshot(
      `"SceneError: SceneMaker.scene: index must be a whole number from 0; got 0.5"`,
    );
    expect(message(() => maker({ classes: 1 }).classPhrases('box'))).toMatchInlineSnapshot(
      `"SceneError: SceneMaker.classPhrases: name must be one of the 15 names; got box"`,
    );
  });
});

describe('objects that are drawn anew', () => {
  const options = {
    shadow: 0,
    jitter: 0,
    named: 0,
    objects: [1, 1],
    scale: [0.6, 0.6],
    rotation: 0,
    tumbled: 0,
    flip: 0,
  } as const;
  const redrawn = count(maker({ ...options, redrawn: 1 }), 60);
  const of = (rendering: string) => redrawn.filter(({ objects: [object] }) => object?.rendering === rendering);
  /** Red, green and blue of the object's middle, and of its left border. */
  const coloursOf = ({ image, objects: [object] }: Scene) => {
    const { x, y, long } = object!;
    const at = (px: number, py: number) => (Math.floor(py) * image.width + Math.floor(px)) * 3;
    const [middle, border] = [at(x, y), at(x - long / 2 + 0.75, y)];
    return {
      middle: [...image.data.subarray(middle, middle + 3)],
      border: [...image.data.subarray(border, border + 3)],
    };
  };

  test('0 leaves all scenes as they are', () => {
    expect(count(maker({ redrawn: 0 }), 5)).toEqual(count(maker(), 5));
  });

  test('a fraction: about so many, in all ways, those of a class that follow each other alike', () => {
    const objects = count(maker({ redrawn: 0.5, objects: [4, 4], repeat: 0.5 }), 100).flatMap((scene) => scene.objects);
    const kinds = new Map<string, number>();
    for (const { rendering } of objects) kinds.set(rendering, (kinds.get(rendering) ?? 0) + 1);
    expect([...kinds.keys()].sort()).toEqual(['drawn', 'duotone', 'flat', 'grey', 'hue', 'inked', 'outline']);
    expect(kinds.get('drawn')! / objects.length).toBeGreaterThan(0.4);
    expect(kinds.get('drawn')! / objects.length).toBeLessThan(0.6);
    expect(of('drawn')).toEqual([]);
  });

  test('grey ones have no colour, of others the hue is another', () => {
    expect(of('grey').length).toBeGreaterThan(3);
    for (const scene of of('grey')) {
      const { middle } = coloursOf(scene);
      expect(Math.max(...middle) - Math.min(...middle)).toBeLessThanOrEqual(1);
    }
    const hues = new Set(of('hue').map((scene) => coloursOf(scene).middle.join()));
    expect(hues.size).toBe(of('hue').length);
  });

  test('outlines: a line along the border that differs from the paper within', () => {
    const outlines = of('outline').filter(({ objects: [object] }) => object!.name === 'box');
    expect(outlines.length).toBeGreaterThan(1);
    for (const scene of outlines) {
      const { middle, border } = coloursOf(scene);
      expect(Math.max(...middle.map((value, c) => Math.abs(value - border[c]!)))).toBeGreaterThan(40);
    }
  });

  test('inked ones: a black line along the border, few tones within', () => {
    const inked = of('inked').filter(({ objects: [object] }) => object!.name === 'box');
    expect(inked.length).toBeGreaterThan(1);
    for (const scene of inked) {
      const { middle, border } = coloursOf(scene);
      expect([...new Set(middle)].sort()).toEqual([0, 255]);
      expect(Math.max(...border)).toBeLessThan(100);
    }
  });

  test('flat ones are in few tones: magenta and cyan stay what they are', () => {
    for (const scene of of('flat')) {
      const { middle } = coloursOf(scene);
      expect([...new Set(middle)].sort()).toEqual([0, 255]);
    }
  });
});

describe('captions', () => {
  test('name all that is visible, in many words', () => {
    const scenes = maker({ objects: [1, 3], named: 1 });
    const captions = count(scenes, 200).map(({ caption, objects }) => {
      for (const { name } of objects) {
        const words = scenes.classPhrases(name).flatMap((word) => [word, plural(word)]);
        expect(words.some((word) => new RegExp(`\\b${word}\\b`).test(caption))).toBe(true);
      }
      expect(caption).not.toMatch(/[{}@]|undefined| {2}|,$|^,/);
      return caption;
    });
    expect(new Set(captions).size).toBeGreaterThan(180);
    expect(captions.slice(0, 8).join('\n')).toMatchInlineSnapshot(`
      "three discs can be seen on white snow in front of a blue sky with clouds
      in water under the stars, two umbrellas and a plate
      this picture shows a parasol and two boxes in front of a curtain
      a scene with a coin and two umbrellas on wooden boards
      a scene with a box and an umbrella on a road
      there is a box on tiling
      a parasol can be seen in snow in a dark night with stars
      two boxes and an umbrella in leafage"
    `);
  });

  test('keep to names where synonyms and details are off', () => {
    const scenes = maker({ synonyms: 0, details: 0, objects: [1, 1], named: 0, classes: ['umbrella'] });
    const captions = count(scenes, 40).map(({ caption }) => caption);
    expect(captions.filter((caption) => !/\ban umbrella\b/.test(caption))).toEqual([]);
  });

  test('articles and plurals', () => {
    expect(['umbrella', 'cat', 'apple', 'unicorn', 'ocean liner', 'ax'].map(withArticle)).toEqual([
      'an umbrella',
      'a cat',
      'an apple',
      'a unicorn',
      'an ocean liner',
      'an ax',
    ]);
    expect(
      ['bus', 'berry', 'mouse', 'fox', 'monkey', 'scissors', 'potted plant', 'toothbrush', 'sheep'].map(plural),
    ).toEqual([
      'buses',
      'berries',
      'mice',
      'foxes',
      'monkeys',
      'pairs of scissors',
      'potted plants',
      'toothbrushes',
      'sheep',
    ]);
  });

  test('colours by name', () => {
    const colours = [
      [220, 30, 40],
      [40, 160, 60],
      [50, 90, 220],
      [250, 220, 40],
      [250, 250, 250],
      [20, 20, 22],
      [128, 128, 128],
      [250, 140, 20],
    ] as const;
    expect(colours.map(colourName)).toEqual(['red', 'green', 'blue', 'yellow', 'white', 'black', 'grey', undefined]);
  });
});
