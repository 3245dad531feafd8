import { Command, CommanderError } from 'commander';
import type { Context } from '../../cli/src/shell/context.ts';
import { errorWords, Interrupted } from '../../cli/src/shell/errors.ts';
import { signalExitCodes } from '../../cli/src/shell/interruption.ts';
import { printableTerminal, printLines, processTerminal, type Terminal } from '../../cli/src/shell/terminal.ts';
import { version } from '../../cli/src/shell/version.ts';
import { benchCommand } from './bench.ts';
import { cacheCommand } from './cache.ts';
import { demoCommand } from './demo.ts';
import { evalCommand } from './eval.ts';
import { experimentCommand } from './experiment.ts';
import { exportCommand } from './export.ts';
import { scenesCommand } from './scenes.ts';
import { scoreCommand } from './score.ts';
import { segmentCommand } from './segment.ts';
import { trainCommand } from './train.ts';
import { trainTeacherCommand } from './train-teacher.ts';
import { verifyCommand } from './verify.ts';

/**
 * Runs `zeroseg` with the arguments after its name and returns its exit code: 0, 1 for errors (one sentence on standard
 * error), 130 and 143 after signals.
 */
export async function commandLine(args: readonly string[], given: Terminal = processTerminal): Promise<number> {
  const terminal = printableTerminal(given);
  let failure = 0;
  const context: Context = { terminal };
  const program = new Command('zeroseg')
    .description('Open-vocabulary segmentation learnt without labels, on WebGPU.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    .addCommand(scenesCommand(context))
    .addCommand(cacheCommand(context))
    .addCommand(trainCommand(context))
    .addCommand(trainTeacherCommand(context))
    .addCommand(segmentCommand(context))
    .addCommand(evalCommand(context))
    .addCommand(scoreCommand(context))
    .addCommand(experimentCommand(context))
    .addCommand(exportCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(benchCommand(context))
    .addCommand(demoCommand(context))
    .addHelpText(
      'after',
      '\nFrom photos to words:\n' +
        '  zeroseg cache photos --clip models/clip-vit-large-patch14 --out out/cache\n' +
        '  zeroseg train --cache out/cache --out out/run\n' +
        '  zeroseg segment dog.jpg --model out/run --clip models/clip-vit-large-patch14 --classes "dog, sofa" --out out/segments',
    );
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => printLines(terminal.out, text.trimEnd()),
      writeErr: (text) => printLines(terminal.note, text.trimEnd()),
      outputError: (text, write) => {
        const where = command === program ? 'zeroseg' : `zeroseg ${command.name()}`;
        write(
          `${where}: ${text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n\s*/g, ' ')} See ${where} --help.`.replace(/([^.)?]) See/, '$1. See'),
        );
      },
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    failure = Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) failure = error.exitCode;
    else if (error instanceof Interrupted) failure = signalExitCodes[error.signal];
    else {
      printLines(terminal.note, `zeroseg: ${errorWords(error)}`);
      failure = 1;
    }
  }
  return failure;
}
