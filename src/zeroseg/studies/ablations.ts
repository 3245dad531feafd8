/** The paper's ablations in miniature, as data: what is trained, and which orderings are expected. */
import type { ZeroSegConfig } from '../model/index.ts';

/** One row of a table: what differs from the base run, and the paper's number. */
export interface Setting {
  readonly key: string;
  /** For people, as in the paper. */
  readonly name: string;
  readonly config: Partial<ZeroSegConfig>;
  /** Begins with new weights, whatever the others begin with. */
  readonly isNew?: boolean;
  /** Mean IoU on PASCAL VOC, in percent; none where the paper has no such row. */
  readonly paper?: number;
  /** Fraction of the time of a step that the paper saves, relative to no masking, in percent. */
  readonly paperSaved?: number;
}

/** An ordering of the paper, from the lowest to the highest. */
export interface Ordering {
  /** As the paper's text says it. */
  readonly statement: string;
  /** Keys of settings; of each pair the first must be lower than the second. */
  readonly pairs: readonly (readonly [lower: string, higher: string])[];
  /** Mean IoU over objects, as PASCAL VOC has no other names; or seconds a step. */
  readonly measure: 'objects' | 'seconds';
  /** Whether equal counts too. Default: no. */
  readonly mayBeEqual?: boolean;
}

/** A table of the paper, or one of what this package adds to it. */
export interface Experiment {
  readonly title: string;
  readonly question: string;
  readonly settings: readonly Setting[];
  readonly orderings: readonly Ordering[];
}

export type ExperimentName = 'table3' | 'table4' | 'table5' | 'beyond';

/** Options that `scenes` leaves off, whatever the configuration that is given. */
const plainOptions = { compose_by: 'area', assign_start: 'queries' } as const satisfies Partial<ZeroSegConfig>;
/** What `scenes` changes beside sizes, as in the paper; and two steps on the way to it. */
const paperOptions: Partial<ZeroSegConfig> = {
  seg_init: 'normal',
  assign_scale: 1,
  assign_centre: false,
  assign_rounds: 0,
  mask_ratio: 0.6,
  segment_reduce: 'sum',
  w_rec: 1,
  w_compose: 0,
  ...plainOptions,
};
const betterLogits: Partial<ZeroSegConfig> = { seg_init: 'xavier', assign_scale: 8, assign_centre: true };
const sphericalKMeans: Partial<ZeroSegConfig> = { ...betterLogits, assign_scale: 16, assign_rounds: 3 };

const grids = (key: string, name: string, sides: readonly number[], paper: number): Setting => ({
  key,
  name,
  // Of the whole picture alone there are no local views to match.
  config: { grids: sides, ...(sides.length === 1 ? { w_match: 0 } : {}) },
  paper,
});

const ratio = (mask_ratio: number, paper: number, paperSaved: number): Setting => ({
  key: String(mask_ratio),
  name: String(mask_ratio),
  config: { mask_ratio },
  paper,
  paperSaved,
});

const ratios = [
  ratio(0, 35.6, 0),
  ratio(0.2, 37.6, 15),
  ratio(0.3, 38.7, 19),
  ratio(0.4, 40.4, 26),
  ratio(0.5, 39.8, 32),
  ratio(0.6, 40.8, 36),
  ratio(0.7, 33.3, 39),
  ratio(0.8, 32.8, 43),
];

/** Tables 3, 4 and 5 (spec §15), with the orderings to look for; and the options that are not in the paper, one after the other. */
export const experiments: Readonly<Record<ExperimentName, Experiment>> = {
  table3: {
    title: 'Table 3: grids of views',
    question: 'Which views of the teacher does the student need?',
    settings: [
      grids('1', '1×1', [1], 21.1),
      grids('1,2', '1×1, 2×2', [1, 2], 23.7),
      grids('1,3', '1×1, 3×3', [1, 3], 40.2),
      grids('1,4', '1×1, 4×4', [1, 4], 32.4),
      grids('1,2,3,4', 'all four', [1, 2, 3, 4], 40.8),
    ],
    orderings: [
      {
        statement: '1×1 alone is the worst',
        pairs: ['1,2', '1,3', '1,4', '1,2,3,4'].map((other) => ['1', other] as const),
        measure: 'objects',
      },
      {
        statement: '3×3 is the best single grid beside 1×1',
        pairs: [
          ['1,2', '1,3'],
          ['1,4', '1,3'],
        ],
        measure: 'objects',
      },
      {
        statement: 'all four are the best',
        pairs: ['1', '1,2', '1,3', '1,4'].map((other) => [other, '1,2,3,4'] as const),
        measure: 'objects',
      },
    ],
  },
  table4: {
    title: 'Table 4: losses',
    question: 'What do multi-scale distillation and segment matching add?',
    settings: [
      { key: 'base', name: 'Base', config: { distill_views: 'first', w_match: 0 }, paper: 21.1 },
      { key: 'multi-scale', name: '+ multi-scale', config: { w_match: 0 }, paper: 28.5 },
      { key: 'matching', name: '+ matching', config: { distill_views: 'first' }, paper: 38.6 },
      { key: 'both', name: 'both', config: {}, paper: 40.8 },
    ],
    orderings: [
      { statement: 'Base < + multi-scale', pairs: [['base', 'multi-scale']], measure: 'objects' },
      { statement: '+ multi-scale < + matching', pairs: [['multi-scale', 'matching']], measure: 'objects' },
      { statement: '+ matching ≤ both', pairs: [['matching', 'both']], measure: 'objects', mayBeEqual: true },
    ],
  },
  table5: {
    title: 'Table 5: mask ratio',
    question: 'How much may be hidden from the encoder, and what does that save?',
    settings: ratios,
    orderings: [
      {
        statement: 'time per step falls with the mask ratio',
        pairs: ratios.slice(1).map(({ key }, i) => [key, (ratios[i] as Setting).key] as const),
        measure: 'seconds',
      },
      {
        statement: '0.6 is the best ratio',
        pairs: ratios.filter(({ key }) => key !== '0.6').map(({ key }) => [key, '0.6'] as const),
        measure: 'objects',
      },
      {
        statement: '0.7 and 0.8 are worse than no masking',
        pairs: [
          ['0.7', '0'],
          ['0.8', '0'],
        ],
        measure: 'objects',
      },
    ],
  },
  beyond: {
    title: 'Beyond the paper',
    question: 'What does each option add to those above it?',
    settings: [
      { key: 'paper', name: 'paper', config: { ...paperOptions, stem: 'patch' }, isNew: true },
      { key: 'stem', name: '+ conv stem', config: paperOptions, isNew: true },
      { key: 'tower', name: '+ tower', config: paperOptions },
      { key: 'init', name: '+ head init', config: { ...paperOptions, seg_init: 'xavier' } },
      { key: 'logits', name: '+ logits', config: { ...paperOptions, ...betterLogits } },
      { key: 'rounds', name: '+ rounds', config: { ...paperOptions, ...sphericalKMeans } },
      { key: 'weights', name: '+ weights', config: { ...plainOptions, w_compose: 0 } },
      { key: 'compose', name: '+ composition', config: { ...plainOptions, w_compose: 8 } },
      { key: 'root', name: '+ root of areas', config: { ...plainOptions, w_compose: 8, compose_by: 'root' } },
      { key: 'medoids', name: '+ medoids', config: { w_compose: 8, compose_by: 'root', assign_start: 'medoids' } },
    ],
    orderings: [],
  },
};
