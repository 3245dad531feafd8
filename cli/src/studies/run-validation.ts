/** What a training is validated on: photos that are held out, made-up scenes, or both. */
import type { Device } from '@zeroseg/core';
import { sameTeacher, shortTeacher, teacherIdentity } from '@zeroseg/core/internal';
import {
  type ClipSource,
  makeVocabulary,
  type RunDescription,
  SceneValidation,
  sceneSide,
  scoringScenes,
  type TrainingStart,
  VALIDATION_SEED,
  type Validation,
} from '@zeroseg/core/zeroseg';
import { loadAtlas } from '../photos/index.ts';
import { clipOf, UsageError } from '../shell/index.ts';
import { openClip } from '../weights/index.ts';

export interface ValidationArguments {
  readonly validate?: number;
  readonly validateScenes?: number;
  readonly validateEvery?: number;
  readonly clip?: string;
}

/** Steps between validations, where nothing is said. */
const EVERY = 100;
/** Kinds of objects on the scenes: those that the built-in teacher knows. */
const CLASSES = 40;

/** What is asked for, or of a run that goes on what it was begun with. */
export function validationOf(options: ValidationArguments, was: Validation | undefined): Validation | undefined {
  const fraction = options.validate ?? was?.fraction;
  const scenes = options.validateScenes ?? was?.scenes;
  if (options.clip !== undefined && scenes === undefined) {
    throw new UsageError('train: --clip is for runs with --validate-scenes <n>: its words name what the scenes show');
  }
  if (fraction !== undefined || scenes !== undefined) {
    const on = { ...(fraction !== undefined && { fraction }), ...(scenes !== undefined && { scenes }) };
    return { ...on, every: options.validateEvery ?? was?.every ?? EVERY };
  }
  if (options.validateEvery === undefined) return undefined;
  throw new UsageError('train: --validate-every is for runs with --validate <fraction> or --validate-scenes <n>');
}

/** The CLIP that names what the scenes show: the one that made the features. @throws UsageError for another. */
export async function validatingClip(
  { validateScenes, clip: place }: ValidationArguments,
  { validation, cache }: Pick<RunDescription, 'validation' | 'cache'>,
): Promise<ClipSource | undefined> {
  if ((validateScenes ?? validation?.scenes) === undefined) return undefined;
  const learnt = teacherIdentity(cache.key.teacher, cache.key.weights);
  const given =
    place ?? (await clipOf(learnt, `the cache ${cache.folder}, whose CLIP names what --validate-scenes shows,`));
  const clip = await openClip(given);
  const own = teacherIdentity(clip.name, await clip.weightsHash());
  if (!sameTeacher(learnt, own)) {
    throw new UsageError(
      `train: --clip ${given}: the cache ${cache.folder} learnt from ${shortTeacher(learnt)}, and this is ${shortTeacher(own)}; give the one that made the cache`,
    );
  }
  // Whether its tokenizer fits is told before a GPU is looked for.
  await clip.tokens();
  return clip;
}

/** Makes what scores a model on `count` scenes that neither training nor `zeroseg score` uses. */
export async function sceneValidation(
  device: Device,
  clip: ClipSource,
  { config, settings }: Pick<RunDescription, 'config' | 'settings'>,
  count: number,
): Promise<NonNullable<TrainingStart['validateScenes']>> {
  const scenes = scoringScenes(await loadAtlas(), { classes: CLASSES, size: sceneSide(config) });
  const tokens = await clip.tokens();
  const vocabulary = await makeVocabulary(device, await clip.text(device), tokens, scenes.names, {
    // Seven templates, not eighty: the words come out alike, in a tenth of the time.
    templates: 'subset',
    scale: clip.scale,
  });
  const seed = VALIDATION_SEED + settings.seed;
  return (model) => SceneValidation.create(device, model, { scenes, seed, count, vocabulary });
}
