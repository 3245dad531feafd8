/** The scenes that students are scored on: the same for every command and every study, and never those of a training. */
import { type SceneAtlas, SceneMaker, type SceneOptions, scenePresets } from '../scenes/index.ts';

/** Added to the seed of scoring: trainings use small seeds, and validate on those from a million on. */
export const SCORING_SEED = 500_000_000;

export interface ScoringScenesOptions {
  /** Objects by name, or the first so many of the atlas. */
  readonly classes: readonly string[] | number;
  /** Side of the scenes in pixels; {@link sceneSide} for a student. */
  readonly size: number;
  /** Which grounds (`groundNames`). Default: all. */
  readonly grounds?: readonly string[] | undefined;
  /** Drawing styles. Default: all of the atlas that draws them. */
  readonly styles?: readonly string[] | undefined;
  /** Draws the objects instead: cut-outs of another style, under names of the first atlas. */
  readonly drawings?: SceneAtlas | undefined;
  /** Fraction of objects that are drawn anew: see `SceneOptions`. Default 0. */
  readonly redrawn?: number | undefined;
}

/**
 * Crowded scenes with a name for every pixel. Which classes there are, and their order, is decided by `atlas`, so that labels are
 * the same whatever atlas draws the objects.
 *
 * ```ts
 * const scenes = scoringScenes(atlas, { classes: 40, size: 128 });
 * const scene = scenes.scene(SCORING_SEED + 1, 0); // what `zeroseg score --seed 1` begins with
 * ```
 */
export function scoringScenes(
  atlas: SceneAtlas,
  { classes, size, grounds, styles, redrawn = 0, drawings = atlas }: ScoringScenesOptions,
): SceneMaker {
  const options: SceneOptions = { ...scenePresets.crowded, size, named: 1, redrawn, ...(grounds && { grounds }) };
  const { names, objectCount } = new SceneMaker(atlas, { ...options, classes });
  return new SceneMaker(drawings, {
    ...options,
    classes: names.slice(0, objectCount),
    ...(styles === undefined ? {} : { styles }),
  });
}
