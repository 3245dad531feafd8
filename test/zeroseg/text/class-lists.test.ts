import { describe, expect, test } from 'vitest';
import {
  cocoLabels,
  contextLabels,
  dataSets,
  imagenetClasses,
  promptTemplates,
} from '../../../src/zeroseg/text/class-names.ts';

/** Tells that a list is the one that was checked against its source, in its order. */
async function sha256(list: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(list.join('\n')));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

describe('data sets', () => {
  test.each([
    ['voc', 21, 0.95, 255],
    ['context', 60, 0.05, 255],
    ['coco', 81, 0.35, null],
  ] as const)('%s: %i classes with background, a prompt for each of the others', (name, count, threshold, ignore) => {
    const { classes, prompts } = dataSets[name];
    expect(classes).toHaveLength(count);
    expect(prompts).toHaveLength(count - 1);
    expect(new Set(classes).size).toBe(count);
    expect(new Set(prompts).size).toBe(count - 1);
    expect(classes[0]).toBe('background');
    expect(dataSets[name]).toMatchObject({ threshold, ignore });
  });

  test('prompts that are other words than the class', () => {
    const changed = Object.entries(dataSets).map(([name, { classes, prompts }]) => [
      name,
      prompts.flatMap((prompt, i) => (prompt === classes[i + 1] ? [] : [`${i + 1} ${classes[i + 1]}: ${prompt}`])),
    ]);
    expect(Object.fromEntries(changed)).toMatchInlineSnapshot(`
      {
        "coco": [],
        "context": [
          "1 aeroplane: airplane",
          "40 pottedplant: plant",
          "55 tvmonitor: monitor",
        ],
        "voc": [
          "11 diningtable: table",
          "16 pottedplant: plant",
          "20 tvmonitor: monitor",
        ],
      }
    `);
  });

  test('names and prompts, letter by letter', async () => {
    expect(await sha256(dataSets.voc.classes)).toBe('301e5e4e2a9a7ab6bfd6c7e2b1d381d4dd465ddedf787b4b4ed802b3366deb6c');
    expect(await sha256(dataSets.voc.prompts)).toBe('171ea29d02a93e8d7f1e213ec18e35b21c0d19945b8ad081ff67a1f5715c40e1');
    expect(await sha256(dataSets.context.classes)).toBe(
      'e29ff1a0eaea71eb3e090f0ff6abdbcc592fa17f74b4a17ecc6d33c5a9daea4e',
    );
    expect(await sha256(dataSets.context.prompts)).toBe(
      '0a04aa6d7424c49423f4b82f0a320acd921f98b49d38bba9436cafab615caced',
    );
    expect(await sha256(dataSets.coco.classes)).toBe(
      '1f17b53017e442257cad2025ab981ddeb28d048af00dcac8ae810bc25a6a9a77',
    );
    expect(await sha256(dataSets.coco.prompts)).toBe(
      'd7654b26101572841ed1cd80aa03aa60e35f1b8acb4aea6906c4066886f16e07',
    );
  });
});

describe('label maps', () => {
  const all = (count: number) => Uint16Array.from({ length: count }, (_, value) => value);

  test('Context: 59 of 459 categories, in their order', () => {
    const labels = contextLabels(all(500));
    const used = [...labels.entries()].filter(([, label]) => label > 0);
    expect(used.map(([, label]) => label)).toEqual([...Array(59).keys()].map((i) => i + 1));
    expect(used.slice(0, 3)).toEqual([
      [2, 1],
      [9, 2],
      [18, 3],
    ]);
    expect(used.at(-1)).toEqual([458, 59]);
    expect(dataSets.context.classes[labels[284]!]).toBe('person');
    expect(dataSets.context.classes[labels[360]!]).toBe('sky');
    expect(used.reduce((sum, [category]) => sum + category, 0)).toBe(12378);
  });

  test('COCO: the values of 80 objects, in their order', () => {
    const labels = cocoLabels(all(300));
    const used = [...labels.entries()].filter(([, label]) => label > 0);
    expect(used.map(([, label]) => label)).toEqual([...Array(80).keys()].map((i) => i + 1));
    // Category ids as in instances_val2017.json; the maps hold one less.
    const named = (id: number) => dataSets.coco.classes[labels[id - 1]!];
    expect([1, 11, 13, 18, 44, 64, 67, 70, 72, 84, 90].map(named)).toEqual([
      'person',
      'fire hydrant',
      'stop sign',
      'dog',
      'bottle',
      'potted plant',
      'dining table',
      'toilet',
      'tv',
      'book',
      'toothbrush',
    ]);
    expect([12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91, 92, 182, 256].map(named)).toEqual(Array(14).fill('background'));
  });

  test('each data set has the map of its own', () => {
    const values = Uint8Array.of(0, 2, 9, 255);
    expect(dataSets.context.renumber?.(values)).toEqual(Uint8Array.of(0, 1, 2, 0));
    expect(dataSets.coco.renumber?.(values)).toEqual(Uint8Array.of(1, 3, 10, 0));
    expect(dataSets.voc.renumber).toBeUndefined();
  });
});

test('ImageNet: 1,000 names in the order of the labels', async () => {
  expect(imagenetClasses).toHaveLength(1000);
  expect([0, 207, 281, 657, 744, 999].map((label) => imagenetClasses[label])).toMatchInlineSnapshot(`
    [
      "tench",
      "Golden Retriever",
      "tabby cat",
      "missile",
      "missile",
      "toilet paper",
    ]
  `);
  expect(await sha256(imagenetClasses)).toBe('571ae1c583b4be7da87519494c52bf405a46af05d5815627c7a0dee997068b60');
});

test('templates: each has one place for the name', async () => {
  const all = Object.values(promptTemplates).flat();
  expect(all.filter((template) => template.split('{}').length !== 2)).toEqual([]);
  expect(Object.entries(promptTemplates).map(([name, list]) => [name, list.length])).toEqual([
    ['full', 80],
    ['subset', 7],
    ['simple', 1],
    ['identity', 1],
  ]);
  expect(promptTemplates.simple).toEqual(['a photo of a {}.']);
  expect(await sha256(all)).toBe('c4ac83e86daf6568f3935cca6aa491e0444c4a4feab1231f6c1af49b694a01d3');
});
