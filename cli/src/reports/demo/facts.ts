/** What the demo's report is made of. */
import type { Findings, LiveScores, ModelInfo, SceneMaker } from '@zeroseg/core/zeroseg';
import type { FreshStudent } from '../../studies/index.ts';
import type { BuiltInScores } from '../../weights/index.ts';

export interface DemoFacts {
  readonly version: string;
  readonly adapter: string;
  readonly seed: number;
  /** Of the whole demo. */
  readonly seconds: number;
  readonly shipped: Pick<ModelInfo, 'step' | 'config'>;
}

export interface DemoReport {
  readonly findings: Findings<string>;
  readonly scores: LiveScores;
  /** What is known of the shipped student from many more scenes; of a student of one's own nothing is. */
  readonly known: BuiltInScores | undefined;
  readonly fresh: FreshStudent | undefined;
  /** The scenes that are scored. */
  readonly scenes: SceneMaker;
  /** What the shown scenes show, by the words that were looked for, and whether somebody asked for them. */
  readonly words: readonly string[];
  readonly isAsked: boolean;
  readonly facts: DemoFacts;
}
