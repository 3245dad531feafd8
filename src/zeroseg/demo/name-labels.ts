import type { Vocabulary } from '../clip/index.ts';
import type { LabelMap } from '../image/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import { type StudentOutput, studentLabels } from '../studies/index.ts';

/** Labels of the names that are asked for. What scenes show has the scenes' label, and so the same colour everywhere. */
export interface NameLabels {
  /** Names by label: those of the scenes, then names that are none of them. */
  readonly names: readonly (string | undefined)[];
  /** The label of each name that is asked for. */
  readonly labelOf: readonly number[];
}

export function nameLabels(scenes: SceneMaker, asked: readonly string[]): NameLabels {
  const names: (string | undefined)[] = [undefined, ...scenes.names];
  const labelOf = asked.map((name) => {
    const known = scenes.names.indexOf(name);
    return known >= 0 ? known + 1 : names.push(name) - 1;
  });
  return { names, labelOf };
}

/** A student's labels, 1 + the index of a name, at so many times the size of the image. */
export function labelsAt(
  output: StudentOutput,
  vocabulary: Vocabulary,
  scoring: Omit<ScoringOptions, 'scale'>,
  factor: number,
): LabelMap {
  const grid = { ...output.grid, height: output.grid.height * factor, width: output.grid.width * factor };
  return { width: grid.width, height: grid.height, data: studentLabels({ ...output, grid }, vocabulary, scoring) };
}
