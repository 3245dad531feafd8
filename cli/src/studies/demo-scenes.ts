/** The scenes that a demo shows: of everything there is, or of the things that somebody asks for. */
import { type SceneAtlas, SceneMaker, scoringScenes } from '@zeroseg/core/zeroseg';
import { UsageError } from '../shell/index.ts';

/** Scenes, and the words that their names are looked for by: the names themselves or the synonyms that were asked for. */
export interface WordedScenes {
  readonly scenes: SceneMaker;
  readonly words: readonly string[];
}

export interface DemoScenesOptions {
  /** Kinds of objects: the first so many of the atlas. */
  readonly classes: number;
  readonly size: number;
}

/** Scenes of all names: those that students are scored on. */
export function allScenes(atlas: SceneAtlas, options: DemoScenesOptions): WordedScenes {
  const scenes = scoringScenes(atlas, options);
  return { scenes, words: scenes.names };
}

/**
 * Scenes of the things that are asked for, on the grounds that are; where no ground is, on any.
 *
 * @throws {UsageError} for a word that no scene shows, and for two words for one thing.
 */
export function scenesOf(atlas: SceneAtlas, asked: readonly string[], options: DemoScenesOptions): WordedScenes {
  const { scenes: all } = allScenes(atlas, options);
  const nameOf = new Map(all.names.flatMap((name) => all.classPhrases(name).map((phrase) => [phrase, name] as const)));
  const grounds = all.names.slice(all.objectCount);
  const unknown = asked.filter((word) => !nameOf.has(word.toLowerCase()));
  if (unknown.length > 0) {
    const objects = all.names.slice(0, all.objectCount);
    throw new UsageError(
      `demo: --classes: the demo's scenes show no ${unknown.map((word) => `"${word}"`).join(', no ')}; ` +
        `they show ${objects.join(', ')}, on ${grounds.join(', ')}`,
    );
  }
  const wordOf = new Map<string, string>();
  for (const word of asked) {
    const name = nameOf.get(word.toLowerCase()) as string;
    const other = wordOf.get(name);
    if (other !== undefined) throw new UsageError(`demo: --classes: "${other}" and "${word}" are one thing in scenes`);
    wordOf.set(name, word);
  }
  const [objects, behind] = [all.names.slice(0, all.objectCount), grounds].map((names) =>
    names.filter((name) => wordOf.has(name)),
  ) as [string[], string[]];
  if (objects.length === 0) {
    throw new UsageError('demo: --classes: give at least one object beside the grounds, such as "cat, grass"');
  }
  const scenes = new SceneMaker(atlas, {
    ...all.options,
    classes: objects,
    ...(behind.length > 0 ? { grounds: behind } : {}),
  });
  return { scenes, words: scenes.names.map((name) => wordOf.get(name) ?? name) };
}
