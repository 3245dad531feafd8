/** Results that others published, as data: what a table shows beside what was measured here. */

/** Mean IoU in percent by kind of data set, as `zeroseg eval --data` calls them. */
export interface PublishedRow {
  readonly method: string;
  /** What it was trained on, or how it is used. */
  readonly note: string;
  readonly scores: Readonly<Record<string, number>>;
  readonly source: string;
}

const zeroseg = 'Chen et al. 2023 (ZeroSeg)';
const groupvit = 'Xu et al. 2022 (GroupViT)';
const trainingFree = 'training-free, ViT-B/16, its own protocol';

const rows = {
  zeroseg: {
    method: 'ZeroSeg',
    note: 'ImageNet-1k, no labels',
    scores: { voc: 40.8, context: 20.4, coco: 20.2 },
    source: `${zeroseg}, Table 1`,
  },
  zerosegSmall: {
    method: 'ZeroSeg',
    note: 'CC3M + COCO, no labels',
    scores: { voc: 37.3, context: 19.7, coco: 17.8 },
    source: `${zeroseg}, Table 1`,
  },
  zerosegMore: {
    method: 'ZeroSeg',
    note: 'CC12M + ImageNet-1k, no labels',
    scores: { voc: 42.9, context: 21.8, coco: 22.1 },
    source: `${zeroseg}, Table 9`,
  },
  groupvit: {
    method: 'GroupViT',
    note: 'CC12M + YFCC, image and text',
    scores: { voc: 52.3, context: 22.4, coco: 24.3 },
    source: groupvit,
  },
  segclip: {
    method: 'SegCLIP',
    note: 'CC3M + COCO, image and text',
    scores: { voc: 52.6, context: 24.7, coco: 26.5 },
    source: 'Luo et al. 2023, as copied by later work',
  },
  maskclipPlus: {
    method: 'MaskCLIP+',
    note: 'pseudo labels on the target images',
    scores: { context59: 31.1, stuff: 18 },
    source: 'MaskCLIP repository (the 18.0 that Table 1 lists as COCO is COCO-Stuff)',
  },
  deit: { method: 'DeiT', note: 'fine-tuned with labels, ViT-S', scores: { voc: 53, context: 35.9 }, source: groupvit },
  dino: {
    method: 'DINO',
    note: 'fine-tuned with labels, ViT-S',
    scores: { voc: 39.1, context: 20.4 },
    source: groupvit,
  },
  moco: {
    method: 'MoCo',
    note: 'fine-tuned with labels, ViT-S',
    scores: { voc: 34.3, context: 21.3 },
    source: groupvit,
  },
  clip: {
    method: 'CLIP, plain',
    note: trainingFree,
    scores: { voc: 18.6, context: 7.8 },
    source: 'NACLIP paper, as copied by later work',
  },
  maskclip: {
    method: 'MaskCLIP',
    note: "training-free, ViT-B/16, in SCLIP's harness",
    scores: {
      voc: 43.4,
      context: 23.2,
      coco: 20.6,
      voc20: 74.9,
      cityscapes: 24.9,
      context59: 26.4,
      ade: 11.9,
      stuff: 16.7,
    },
    source: 'SCLIP paper, as copied by later work',
  },
  sclip: {
    method: 'SCLIP',
    note: trainingFree,
    scores: {
      voc: 59.1,
      context: 30.4,
      coco: 30.5,
      voc20: 80.4,
      cityscapes: 32.2,
      context59: 34.2,
      ade: 16.1,
      stuff: 22.4,
    },
    source: 'SCLIP paper, as copied by later work',
  },
  clearclip: {
    method: 'ClearCLIP',
    note: trainingFree,
    scores: {
      voc: 51.8,
      context: 32.6,
      coco: 33,
      voc20: 80.9,
      cityscapes: 30,
      context59: 35.9,
      ade: 16.7,
      stuff: 23.9,
    },
    source: 'ClearCLIP paper, as copied by later work',
  },
  naclip: {
    method: 'NACLIP',
    note: trainingFree,
    scores: {
      voc: 58.9,
      context: 32.2,
      coco: 33.2,
      voc20: 79.7,
      cityscapes: 35.5,
      context59: 35.2,
      ade: 17.4,
      stuff: 23.3,
    },
    source: 'NACLIP paper, as copied by later work',
  },
  naclipPamr: {
    method: 'NACLIP with PAMR',
    note: trainingFree,
    scores: {
      voc: 64.07,
      context: 34.99,
      coco: 36.19,
      voc20: 83.03,
      cityscapes: 38.27,
      context59: 38.35,
      ade: 19.05,
      stuff: 25.69,
    },
    source: 'NACLIP repository',
  },
} as const satisfies Record<string, PublishedRow>;

/** A table of the paper over whole models: which rows it has, or which classes it is about. */
export interface ComparisonTable {
  readonly title: string;
  readonly question: string;
  readonly published: readonly PublishedRow[];
  /** Only these classes of the data set, by its own names, with the published IoU of each in percent. */
  readonly classes?: readonly string[];
  /** What is to be known when rows are held beside each other. */
  readonly caution: string;
}

const protocols =
  'Published rows are each of their own protocol (thresholds, windows, prompts), and their COCO columns do not all mean the same classes; measured rows are all of the harness of `zeroseg eval`.';

export const comparisonTables: Readonly<Record<'table1' | 'table6' | 'table9', ComparisonTable>> = {
  table1: {
    title: 'Table 1: main results',
    question: 'How do models segment that were never shown a mask?',
    published: [
      ...[rows.deit, rows.dino, rows.moco],
      ...[rows.maskclipPlus, rows.clip, rows.maskclip, rows.sclip, rows.clearclip, rows.naclip, rows.naclipPamr],
      ...[rows.groupvit, rows.segclip, rows.zerosegSmall, rows.zeroseg],
    ],
    caution: protocols,
  },
  table6: {
    title: 'Table 6: compound words and others',
    question: 'How well are four classes of PASCAL Context found that captions seldom name?',
    classes: ['bedclothes', 'ground', 'keyboard', 'motorbike'],
    published: [
      {
        method: 'GroupViT',
        note: 'image and text',
        scores: { bedclothes: 0.91, ground: 9.33, keyboard: 7.39, motorbike: 21.47 },
        source: `${zeroseg}, Table 6`,
      },
      {
        method: 'ZeroSeg',
        note: 'ImageNet-1k',
        scores: { bedclothes: 11.21, ground: 23.31, keyboard: 29.1, motorbike: 47.77 },
        source: `${zeroseg}, Table 6`,
      },
    ],
    caution: 'IoU of single classes in percent.',
  },
  table9: {
    title: 'Table 9: more data',
    question: 'Does a student that saw more photos segment better?',
    published: [rows.zeroseg, rows.zerosegMore],
    caution: protocols,
  },
};

export type ComparisonName = keyof typeof comparisonTables;

/** Table 2: 200 pictures of Conceptual Captions, 1000 ImageNet names, five votes a picture. */
export const humanStudy: {
  readonly titles: readonly [string, string];
  readonly votes: readonly [number, number];
  readonly source: string;
} = {
  titles: ['ZeroSeg', 'GroupViT'],
  votes: [677, 323],
  source: `${zeroseg}, Table 2`,
};

/** Table 8: hours of one V100 GPU for a whole training. */
export const trainingHours: readonly {
  readonly method: string;
  readonly device: string;
  readonly hours: number;
  readonly source: string;
}[] = [
  { method: 'GroupViT', device: 'V100', hours: 768, source: `${zeroseg}, Table 8` },
  {
    method: 'ZeroSeg',
    device: 'V100',
    hours: 84,
    source: `${zeroseg}, Table 8; whether the teacher is among it is not said`,
  },
];
