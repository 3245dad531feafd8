/** What scenes may look like: settings, their defaults and rules, and sets of them for different purposes. */
import { firstRepeated } from '../host/index.ts';
import { type SceneAtlas, SceneError } from './atlas.ts';
import { grounds } from './grounds/grounds.ts';

/** What scenes look like. Fractions are probabilities, in 0..1. */
export interface SceneOptions {
  /** Side of the square picture in pixels. Default 64. */
  readonly size?: number;
  /** Which objects: names, or the first so many in the atlas' order (`atlas.classes`). Default: all. */
  readonly classes?: readonly string[] | number;
  /** Drawing styles, one of which each object has. Default: all of the atlas. */
  readonly styles?: readonly string[];
  /** Which named grounds. Default: all of {@link groundNames}. */
  readonly grounds?: readonly string[];
  /** How many objects, at least and at most; fewer where they find no room. Default [1, 4]. */
  readonly objects?: readonly [min: number, max: number];
  /** Longer side of an object, before it is turned, relative to the picture's. Default [0.3, 0.6]. */
  readonly scale?: readonly [min: number, max: number];
  /** Fraction of scenes whose ground has a name; the others' is label 0. Default 0.8. */
  readonly named?: number;
  /** Fraction of these that have two grounds, one above the other. Default 0.4. */
  readonly horizon?: number;
  /** Fraction of objects that are of the same class as the one before. Default 0.15. */
  readonly repeat?: number;
  /** Objects are turned by at most so many degrees, to either side. Default 25. */
  readonly rotation?: number;
  /** Fraction of objects that are turned any way instead. Default 0.1. */
  readonly tumbled?: number;
  /** Fraction of objects that are mirrored. Default 0.5. */
  readonly flip?: number;
  /** Strength of changes of an object's colours: brightness, contrast, saturation, hue. 0 is none. Default 1. */
  readonly jitter?: number;
  /** Fraction of objects that are drawn anew: grey, in other colours, in two, in few flat tones, or as outlines. Default 0. */
  readonly redrawn?: number;
  /** Fraction of objects that throw a soft shadow. Default 0.3. */
  readonly shadow?: number;
  /** Of the pixels of every object at least this fraction is visible: inside the picture, not covered. Default 0.35. */
  readonly visible?: number;
  /** Fraction of captions' nouns that are synonyms. Default 0.35. */
  readonly synonyms?: number;
  /** Fraction of occasions for a colour, a size, a place that captions take. Default 0.4. */
  readonly details?: number;
}

/** All named grounds, in the order of labels. */
export const groundNames: readonly string[] = grounds.map(({ name }) => name);

/**
 * Settings for different purposes. `objectCentric`, for training with the paper's losses: one or two objects fill the picture, as
 * in ImageNet's photos, so that most crops show something of them. `mixed`, for training with a loss that knows where a view
 * lies: one to three, from half the picture to more than all of it. `crowded`, for scoring: up to four things of half the size.
 */
export const scenePresets: Readonly<Record<'objectCentric' | 'mixed' | 'crowded', SceneOptions>> = {
  objectCentric: { objects: [1, 2], scale: [0.7, 1.15] },
  mixed: { objects: [1, 3], scale: [0.5, 1.1] },
  crowded: { objects: [1, 4], scale: [0.3, 0.6] },
};

/** Beside a preset: no ground has a name, so that captions and labels are of objects alone. */
export const objectsOnly: Pick<SceneOptions, 'named' | 'grounds'> = { named: 0, grounds: [] };

/** Settings that are all there. */
export type Settings = Required<Omit<SceneOptions, 'classes' | 'styles' | 'grounds'>>;

const defaults: Settings = {
  size: 64,
  objects: [1, 4],
  scale: [0.3, 0.6],
  named: 0.8,
  horizon: 0.4,
  repeat: 0.15,
  rotation: 25,
  tumbled: 0.1,
  flip: 0.5,
  jitter: 1,
  redrawn: 0,
  shadow: 0.3,
  visible: 0.35,
  synonyms: 0.35,
  details: 0.4,
};

export function chooseClasses(atlas: SceneAtlas, classes: SceneOptions['classes']): readonly string[] {
  const known = atlas.classes.map(({ name }) => name);
  if (typeof classes !== 'number') return chooseNames('classes', classes, known);
  if (!Number.isInteger(classes) || classes < 1 || classes > known.length) {
    throw new SceneError(`SceneMaker: classes must be a whole number from 1 to ${known.length}; got ${classes}`);
  }
  return known.slice(0, classes);
}

export function chooseNames(
  option: string,
  chosen: readonly string[] | undefined,
  known: readonly string[],
  min = 1,
): readonly string[] {
  if (chosen === undefined) return known;
  if (chosen.length < min) throw new SceneError(`SceneMaker: ${option} must name at least one; got none`);
  const strange = chosen.find((name) => !known.includes(name));
  if (strange !== undefined) {
    const some = known.length > 20 ? `${known.slice(0, 8).join(', ')} and ${known.length - 8} more` : known.join(', ');
    throw new SceneError(`SceneMaker: ${option} must be of ${some}; got ${strange}`);
  }
  const twice = firstRepeated(chosen);
  if (twice !== undefined) throw new SceneError(`SceneMaker: ${option} must be named once each; got ${twice} twice`);
  return chosen;
}

const fractions = [
  'named',
  'horizon',
  'repeat',
  'tumbled',
  'flip',
  'redrawn',
  'shadow',
  'visible',
  'synonyms',
  'details',
] as const;

/** Options, with defaults for what is left out. @throws SceneError unless every value makes sense. */
export function completeSettings(options: SceneOptions): Settings {
  const settings: Settings = { ...defaults, ...options };
  const { size, objects, scale, rotation, jitter } = settings;
  const refuse = (option: string, rule: string, got: unknown): never => {
    throw new SceneError(`SceneMaker: ${option} must be ${rule}; got ${got}`);
  };
  if (!Number.isInteger(size) || size < 8 || size > 4096) refuse('size', 'a whole number from 8 to 4096', size);
  const [min, max] = objects;
  if (!objects.every(Number.isInteger) || min < 0 || max < min || max > 100) {
    refuse('objects', 'two whole numbers from 0 to 100, the smaller first', objects.join(', '));
  }
  const [small, large] = scale;
  if (!(small > 0 && large >= small && large <= 1.5)) {
    refuse('scale', 'two numbers above 0 and up to 1.5, the smaller first', scale.join(', '));
  }
  if (!(rotation >= 0 && rotation <= 180)) refuse('rotation', '0 to 180 degrees', rotation);
  if (!(jitter >= 0 && jitter <= 3)) refuse('jitter', '0 to 3', jitter);
  for (const option of fractions) {
    const fraction = settings[option];
    if (!(fraction >= 0 && fraction <= 1)) refuse(option, '0 to 1', fraction);
  }
  return settings;
}
