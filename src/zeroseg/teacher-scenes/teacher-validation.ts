/// <reference lib="esnext.disposable" preserve="true" />
/** Scenes that a small teacher is trained on, and how well it names crops of scenes that it was not trained on. */
import type { Device } from '../../gpu/index.ts';
import { type ClipVision, makeVocabulary, Teacher, type TemplateSet, type TextTower } from '../clip/index.ts';
import { type SceneAtlas, SceneMaker, type SceneOptions, scenePresets } from '../scenes/index.ts';
import type { TextTokens } from '../text/index.ts';
import { type NamingScore, namingScore, type SceneCrops, sceneCrops } from './naming-score.ts';

export interface TeacherScenes {
  /** Of training, all of the same names. */
  readonly makers: readonly SceneMaker[];
  readonly classes: readonly string[];
  readonly styles: readonly string[];
  /** Of styles that training does not see. */
  readonly unseen: SceneMaker | undefined;
}

export interface TeacherScenesOptions
  extends Pick<SceneOptions, 'classes' | 'styles' | 'named' | 'grounds' | 'redrawn'> {
  /** Cut-outs of other styles, to validate on as well. */
  readonly validationAtlas?: SceneAtlas | undefined;
}

/**
 * Scenes of two kinds, taken in turn: with things that fill the picture, and with many small ones. The latter are larger: a crop
 * round a small thing should have about as many pixels as a view of the teacher.
 */
export function teacherScenes(
  atlas: SceneAtlas,
  { validationAtlas, ...chosen }: TeacherScenesOptions = {},
): TeacherScenes {
  const small = { ...scenePresets.crowded, size: 96 };
  const makers = [scenePresets.objectCentric, small].map((preset) => new SceneMaker(atlas, { ...preset, ...chosen }));
  const [first] = makers as [SceneMaker];
  const classes = first.names.slice(0, first.objectCount);
  return {
    makers,
    classes,
    styles: chosen.styles ?? atlas.styles,
    unseen:
      validationAtlas &&
      new SceneMaker(validationAtlas, { ...small, ...chosen, redrawn: 0, styles: validationAtlas.styles, classes }),
  };
}

/** Fractions of crops that are named right, of scenes that training does not see. */
export interface TeacherScores {
  readonly scenes: NamingScore;
  /** The same with every name that has one replaced by a synonym. */
  readonly synonyms?: NamingScore;
  /** Of drawing styles that training does not see. */
  readonly unseenStyle?: NamingScore;
}

/** Crops of scenes that training does not see, by kind. */
export interface ValidationCrops {
  readonly scenes: SceneCrops;
  readonly unseen: SceneCrops | undefined;
}

/** Added to the seed of training, once for validations on the way and twice for the final score: scenes are never those of training. */
export const VALIDATION_SEED = 1_000_000;

/** `count` crops of either kind of scenes, `side` pixels wide. */
export function validationCrops(
  { makers, unseen }: TeacherScenes,
  { seed, count, side }: { readonly seed: number; readonly count: number; readonly side: number },
): ValidationCrops {
  return {
    scenes: sceneCrops(makers, seed, count, side),
    unseen: unseen && sceneCrops([unseen], seed, count, side),
  };
}

/** A teacher that is validated. */
export interface ValidatedTeacher {
  readonly vision: ClipVision;
  readonly text: TextTower;
  readonly tokens: TextTokens;
}

export interface TeacherScoreOptions {
  /** Sentences around the names. */
  readonly templates: TemplateSet;
  /** Whether names are replaced by synonyms as well. Default: no. */
  readonly synonyms?: boolean;
}

/** Crops that go through the image tower at once, and sentences through the text tower. */
const IMAGES = 100;
const TEXTS = 128;

/**
 * How many crops are given the name of something that they show, the nearest of all names.
 *
 * ```ts
 * const scenes = teacherScenes(atlas, { classes: 40 });
 * const crops = validationCrops(scenes, { seed: VALIDATION_SEED, count: 400, side: 32 });
 * const { scenes: { present } } = await scoreTeacher(device, clip, scenes, crops, { templates: 'subset' }); // 0.62
 * ```
 */
export async function scoreTeacher(
  device: Device,
  { vision, text, tokens }: ValidatedTeacher,
  { makers: [maker] }: TeacherScenes,
  crops: ValidationCrops,
  { templates, synonyms = false }: TeacherScoreOptions,
): Promise<TeacherScores> {
  if (!maker) throw new Error('internal: a teacher is validated on no scenes');
  using teacher = await Teacher.create(device, vision, { batch: IMAGES });
  const embed = async (names: readonly string[]) =>
    (await makeVocabulary(device, text, tokens, names, { templates, batch: TEXTS })).embeddings;
  const names = await embed(maker.names);
  const features = await teacher.features(crops.scenes.pixels);
  const score = (shown: SceneCrops, found: Float32Array, embeddings: Float32Array) =>
    namingScore(shown, found, embeddings, maker.objectCount);
  const scores: { -readonly [K in keyof TeacherScores]: TeacherScores[K] } = {
    scenes: score(crops.scenes, features, names),
  };
  if (crops.unseen) scores.unseenStyle = score(crops.unseen, await teacher.features(crops.unseen.pixels), names);
  if (synonyms) {
    const others = await embed(maker.names.map((name) => maker.classPhrases(name)[1] ?? name));
    scores.synonyms = score(crops.scenes, features, others);
  }
  return scores;
}
