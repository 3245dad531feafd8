import type { Command } from 'commander';
import type { Context } from '../shell/index.ts';
import { benchCommand } from './bench.ts';
import { cacheCommand } from './cache.ts';
import { completionCommand } from './completion.ts';
import { convertCommand } from './convert.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { downloadCommand } from './download.ts';
import { evalCommand } from './eval.ts';
import { experimentCommand } from './experiment.ts';
import { exportCommand } from './export.ts';
import { finetuneCommand } from './finetune.ts';
import { infoCommand } from './info.ts';
import { pageCommand } from './page.ts';
import { planCommand } from './plan.ts';
import { scenesCommand } from './scenes.ts';
import { scoreCommand } from './score.ts';
import { segmentCommand } from './segment.ts';
import { studyCommand } from './study.ts';
import { trainCommand } from './train.ts';
import { trainTeacherCommand } from './train-teacher.ts';
import { verifyCommand } from './verify.ts';
import { wordsCommand } from './words.ts';

/** A command, and what several processes of it do that `mpirun` or `srun` has started. */
export interface CommandEntry {
  readonly make: (context: Context) => Command;
  /**
   * `share`: they share its work. `each`: each does all of it, which is to read and to print. `one`: each would do all of it and write the same
   * files, so they are refused.
   */
  readonly processes: 'share' | 'each' | 'one';
}

/** The commands of `zeroseg` in the order of its help: each is a file of this folder and a line of this list. */
export const commands: readonly CommandEntry[] = [
  { make: scenesCommand, processes: 'one' },
  { make: planCommand, processes: 'one' },
  { make: cacheCommand, processes: 'share' },
  { make: trainCommand, processes: 'share' },
  { make: trainTeacherCommand, processes: 'share' },
  { make: finetuneCommand, processes: 'one' },
  { make: segmentCommand, processes: 'one' },
  { make: wordsCommand, processes: 'each' },
  { make: evalCommand, processes: 'share' },
  { make: scoreCommand, processes: 'share' },
  { make: experimentCommand, processes: 'one' },
  { make: studyCommand, processes: 'one' },
  { make: exportCommand, processes: 'one' },
  { make: convertCommand, processes: 'one' },
  { make: downloadCommand, processes: 'one' },
  { make: verifyCommand, processes: 'one' },
  { make: benchCommand, processes: 'one' },
  { make: infoCommand, processes: 'each' },
  { make: doctorCommand, processes: 'each' },
  { make: demoCommand, processes: 'one' },
  { make: pageCommand, processes: 'one' },
  { make: completionCommand, processes: 'each' },
];
