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

/** The commands of `zeroseg` in the order of its help: each is a file of this folder and a line of this list. */
export const commands: readonly ((context: Context) => Command)[] = [
  scenesCommand,
  planCommand,
  cacheCommand,
  trainCommand,
  trainTeacherCommand,
  finetuneCommand,
  segmentCommand,
  wordsCommand,
  evalCommand,
  scoreCommand,
  experimentCommand,
  studyCommand,
  exportCommand,
  convertCommand,
  downloadCommand,
  verifyCommand,
  benchCommand,
  infoCommand,
  doctorCommand,
  demoCommand,
  pageCommand,
  completionCommand,
];
