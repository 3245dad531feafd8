import type { KnownWords } from '../clip/index.ts';
import { captionAdjectives, type SceneMaker } from '../scenes/index.ts';
import type { TeacherScenes } from './teacher-validation.ts';

/**
 * What a teacher of these scenes is taught to name: for its file, by `knownWordsMetadata`.
 *
 * ```ts
 * const file = await clipFile(clip, { metadata: knownWordsMetadata(taughtWords(scenes)) });
 * ```
 */
export function taughtWords({ makers: [maker] }: Pick<TeacherScenes, 'makers'>): KnownWords {
  if (!maker) throw new Error('internal: a teacher is taught by no scenes');
  const { names, objectCount } = maker;
  return {
    seen: 'drawings',
    objects: synonymsOf(maker, names.slice(0, objectCount)),
    grounds: synonymsOf(maker, names.slice(objectCount)),
    adjectives: captionAdjectives,
  };
}

function synonymsOf(maker: SceneMaker, names: readonly string[]): Record<string, readonly string[]> {
  return Object.fromEntries(names.map((name) => [name, maker.classPhrases(name).slice(1)]));
}
