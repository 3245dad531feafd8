import type { DenseMode } from '../clip/index.ts';
import type { NamingRules } from './division.ts';

/** How the authors of a way to segment with CLIP look at photos, in sides of the images that the CLIP was trained at. */
export interface DenseSettings {
  readonly short: number;
  readonly window: number;
  readonly stride: number;
  /** Windows are filled up with zeros to whole patches, the smaller half left and top. */
  readonly pad?: boolean;
  /** λ over the CLIP's own factor on cosines, which is 100 for all published ones. */
  readonly scale: number;
  readonly refine?: NamingRules['refine'];
}

const sclip: DenseSettings = { short: 1.5, window: 1, stride: 0.5, scale: 0.4 };
const naclip: DenseSettings = { ...sclip, refine: { steps: 10, dilations: [8, 16] } };

/**
 * The settings of the authors' repositories, where the data set has none of its own. `plain` and MaskCLIP have those of SCLIP's
 * comparison.
 */
export const denseSettings: Readonly<Record<DenseMode, DenseSettings>> = {
  plain: sclip,
  maskclip: sclip,
  maskclip_reduced: sclip,
  sclip,
  clearclip: { short: 2, window: 2, stride: 1, pad: true, scale: 0.5 },
  naclip,
  naclip_kk: naclip,
};

/** What a model's authors set for one data set. */
export interface DataSettings extends Pick<NamingRules, 'threshold' | 'area'> {
  /** λ over the CLIP's own factor, where it is not {@link DenseSettings.scale}. */
  readonly scale?: number;
  readonly mode?: 'whole';
  /** Words that stand for background. */
  readonly background?: readonly string[];
  /** Words of a class, by its name in the data set, where they are others. */
  readonly words?: Readonly<Record<string, readonly string[]>>;
}

/** SCLIP's words for background in PASCAL VOC and COCO. */
export const stuffWords: readonly string[] =
  'sky,wall,tree,wood,grass,road,sea,river,mountain,sands,desk,bed,building,cloud,lamp,door,window,wardrobe,ceiling,shelf,curtain,stair,floor,hill,rail,fence'.split(
    ',',
  );

/** Of a CLIP by itself, which always has words for background. */
export type DenseDataSettings = DataSettings & Required<Pick<DataSettings, 'background'>>;

const person = ['in shirt', 'in jeans', 'in dress', 'in sweater', 'in skirt', 'in jacket'].map(
  (how) => `person ${how}`,
);
const vocWords = {
  boat: ['ship'],
  diningtable: ['table'],
  person: ['person', ...person],
  tvmonitor: ['television monitor', 'tv monitor', 'monitor', 'television', 'screen'],
};
const voc = { background: stuffWords, words: vocWords, threshold: 0.1 };
const coco = { background: stuffWords, words: { person: ['person', ...person, 'body'] }, threshold: 0.1 };
const context = { background: ['background'], threshold: 0.1 };

type ByData = Readonly<Record<'voc' | 'context' | 'coco', DenseDataSettings>>;

const sclipData: ByData = {
  voc: { ...voc, area: 0.1, scale: 0.65 },
  context: { ...context, scale: 0.5 },
  coco: { ...coco, scale: 0.5 },
};
const naclipData: ByData = { voc: { ...voc, mode: 'whole' }, context, coco };

/** The authors' settings for PASCAL VOC (21 classes), PASCAL Context (60) and COCO objects (81). */
export const denseDataSettings: Readonly<Record<DenseMode, ByData>> = {
  plain: sclipData,
  maskclip: sclipData,
  maskclip_reduced: sclipData,
  sclip: sclipData,
  clearclip: {
    voc: {
      ...context,
      threshold: 0.5,
      words: { boat: ['ship'], diningtable: ['table'], tvmonitor: ['tvmonitor'] },
    },
    context: { ...context, threshold: 0.15 },
    coco: { ...context, threshold: 0.4 },
  },
  naclip: naclipData,
  naclip_kk: naclipData,
};
