/** What the ablations have in common: their options, the training of what is missing, and the command that makes them again. */
import {
  type ExperimentName,
  type PlannedRun,
  type StudyContext,
  studyState,
  type TemplateSet,
  trainRuns,
} from '@zeroseg/core/internal';
import type { FileSystem, ResolvedTraining, scenePresets } from '@zeroseg/core/zeroseg';
import { type Context, commandText, countIn, Interrupted, Progress } from '../../shell/index.ts';

export type AblationName = ExperimentName | 'fig3';

export interface AblationArguments {
  readonly out: string;
  readonly seeds?: readonly number[];
  readonly steps?: number;
  readonly scenes?: number;
  readonly unseen?: number;
  readonly classes: number;
  readonly preset: keyof typeof scenePresets;
  readonly clip: string;
  readonly config: string;
  readonly set?: readonly string[];
  readonly init: string;
  /** By the protocol of docs/fair-test.md. */
  readonly objectsOnly?: boolean;
  readonly quick?: boolean;
  /** Only to say what would run. */
  readonly plan?: boolean;
  readonly adapter?: string;
}

/** How large an experiment is. */
export interface Sizes {
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly scenes: number;
  readonly unseen: number;
  /** As `--set` takes them. */
  readonly set: readonly string[];
  /** Sentences around the names. */
  readonly templates: TemplateSet;
}

/** What the parts of an experiment share. */
export interface Running {
  readonly context: Context;
  readonly study: StudyContext;
  readonly files: FileSystem;
  readonly base: ResolvedTraining;
  /** `given`: what `--set` said, before what is set besides. */
  readonly options: AblationArguments & Sizes & { readonly given: readonly string[] };
  readonly signal: AbortSignal;
}

/** Trains what is missing, with progress. */
export async function train(running: Running, planned: readonly PlannedRun[]): Promise<void> {
  const { context, study, options, signal } = running;
  const { terminal } = context;
  const { ended, missing, differences } = await studyState(study, planned);
  if (ended.length > 0) terminal.log(`${countIn(ended.length, planned.length, 'runs')} done before`);
  if (missing.length === 0) return;
  if (differences.length > 0) {
    terminal.note(
      `runs in ${study.runs.files.name} were made with other settings (${differences.join('; ')}); they are kept, and not used`,
    );
  }
  const progress = new Progress(terminal, 'training', missing.length * options.steps, 'steps');
  try {
    await trainRuns(study, missing, {
      signal,
      onProgress: ({ run, index, step, loss }) => {
        const place = `run ${index + 1} of ${missing.length}: ${run.setting.name}, seed ${run.seed}`;
        progress.at(index * options.steps + step, `${place}, loss ${loss.toPrecision(3)}`);
      },
    });
  } catch (error) {
    progress.stop();
    sayStopped(running, error, (await studyState(study, planned)).ended.length, planned.length);
  } finally {
    progress.stop();
  }
}

/** Says what is kept where the work was stopped. */
export function sayStopped({ context, options }: Running, error: unknown, kept: number, planned: number): never {
  if (error instanceof Interrupted) {
    context.terminal.log(
      `stopped: ${countIn(kept, planned, 'runs')} done and kept in ${options.out}; the same command goes on`,
    );
  }
  throw error;
}

/** The command with all that decides its numbers, to be run again. */
export function commandOf(name: ExperimentName, options: Running['options']): string {
  const { out, seeds, steps, scenes, unseen, classes, preset, clip, config, given, init, quick } = options;
  const lengths = { out, seeds: seeds.join(','), steps, scenes, unseen, classes };
  return commandText(`experiment ${name}`, {
    ...{ ...lengths, preset, clip, config, set: given, init },
    ...{ 'objects-only': options.objectsOnly, quick },
  });
}
