import { ownValue } from '../../gpu/index.ts';
/**
 * A data set of photos with a class for every pixel: what its labels mean, and what to ask the text encoder for.
 *
 * ```ts
 * const { classes, prompts, threshold } = dataSets.voc;
 * classes[12]; // 'dog': the class of label 12
 * prompts[11]; // 'dog': background, label 0, is not asked for
 * ```
 */
export interface DataSetDefinition {
  readonly title: string;
  /** The data set's own names by label; 0 is `background`. */
  readonly classes: readonly string[];
  /** The words for the text encoder: `prompts[i]` is for label `i + 1`. Often other words than the data set's. */
  readonly prompts: readonly string[];
  /** The label of pixels that do not count, or `null` where all do. */
  readonly ignore: number | null;
  /** The paper's threshold on the score (0 to 1) of the best class, below which a pixel is background. */
  readonly threshold: number;
  /** How many of the first classes behind the background are objects, where the others are grounds. */
  readonly objects?: number;
  /** Makes labels out of the values of the original annotation, where they differ. */
  readonly renumber?: (values: Uint8Array | Uint16Array) => Uint8Array;
}

// The prompts are those of GroupViT's evaluation (NVlabs/GroupViT), which the paper follows; the thresholds are the
// paper's (GroupViT's: 0.95, 0.35, 0.95). A threshold belongs to a model as much as to a data set.

const voc = words(`
  aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person,
  pottedplant, sheep, sofa, train, tvmonitor
`);

const context = words(`
  aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, cabinet, car, cat,
  ceiling, chair, cloth, computer, cow, cup, curtain, dog, door, fence, floor, flower, food, grass, ground, horse,
  keyboard, light, motorbike, mountain, mouse, person, plate, platform, pottedplant, road, rock, sheep, shelves,
  sidewalk, sign, sky, snow, sofa, table, track, train, tree, truck, tvmonitor, wall, water, window, wood
`);

const coco = words(`
  person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
  parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
  handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
  surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
  broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
  mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors,
  teddy bear, hair drier, toothbrush
`);

/** The three data sets of the paper's comparison. */
export const dataSets: { readonly [name in 'voc' | 'context' | 'coco']: DataSetDefinition } = {
  voc: {
    title: 'PASCAL VOC 2012',
    classes: ['background', ...voc],
    prompts: renamed(voc, { diningtable: 'table', pottedplant: 'plant', tvmonitor: 'monitor' }),
    ignore: 255,
    threshold: 0.95,
  },
  context: {
    title: 'PASCAL Context',
    classes: ['background', ...context],
    prompts: renamed(context, { aeroplane: 'airplane', pottedplant: 'plant', tvmonitor: 'monitor' }),
    ignore: 255,
    threshold: 0.05,
    renumber: contextLabels,
  },
  coco: {
    title: 'COCO objects',
    classes: ['background', ...coco],
    prompts: coco,
    ignore: null,
    threshold: 0.35,
    renumber: cocoLabels,
  },
};

// Categories 0..458 of the original annotation that have a class; their places in this list are the labels, as in
// MMSegmentation's conversion.
const contextCategories = [
  0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
  162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
  415, 416, 420, 424, 427, 440, 445, 454, 458,
];

/** Labels of PASCAL Context (0..59) out of the 459 categories of its original annotation; others are background, 0. */
export function contextLabels(values: Uint8Array | Uint16Array): Uint8Array<ArrayBuffer> {
  const labels = new Uint8Array(459);
  for (const [label, category] of contextCategories.entries()) labels[category] = label;
  return lookUp(labels, values);
}

// Of COCO's category ids 1..91 those that no object class has. Its pixel maps hold the id less one.
const unusedIds = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91];

/**
 * Labels of COCO's 80 objects (1..80) out of the values of COCO-Stuff pixel maps; stuff (91 and more) and what is
 * unlabelled (255) are background, 0. So nothing is left out of the score.
 */
export function cocoLabels(values: Uint8Array | Uint16Array): Uint8Array<ArrayBuffer> {
  const labels = new Uint8Array(91);
  let label = 0;
  for (let id = 1; id <= 91; id++) if (!unusedIds.includes(id)) labels[id - 1] = ++label;
  return lookUp(labels, values);
}

/** `labels[value]` for each value, 0 beyond the end. A loop, since `from` with a function takes ten times as long. */
function lookUp(labels: Uint8Array, values: Uint8Array | Uint16Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = labels[values[i]!] ?? 0;
  return out;
}

function words(text: string): readonly string[] {
  return text.trim().split(/,\s+/);
}

function renamed(names: readonly string[], changes: Readonly<Record<string, string>>): readonly string[] {
  return names.map((name) => ownValue(changes, name) ?? name);
}
