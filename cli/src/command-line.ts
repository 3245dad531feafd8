import type { Device } from '@zeroseg/core';
import type { WordStore } from '@zeroseg/core/zeroseg';
import { Command, CommanderError } from 'commander';
import { commands } from './commands/index.ts';
import { leaveMpi, rankWords, refuseSeveral } from './mpi/index.ts';
import {
  addCommonOptions,
  type Context,
  errorWords,
  Interrupted,
  printableTerminal,
  printLines,
  processTerminal,
  quietTerminal,
  type Streams,
  signalExitCodes,
  version,
} from './shell/index.ts';

/**
 * Runs `zeroseg` with the arguments after its name and returns its exit code: 0, 1 for errors (one sentence on standard
 * error), 130 and 143 after signals. With `device`, commands compute on that one, and it stays open; else each opens its own. Vectors
 * of `words` are kept between commands.
 */
export async function commandLine(
  args: readonly string[],
  given: Streams = processTerminal,
  device?: Device,
  words?: WordStore,
): Promise<number> {
  const terminal = printableTerminal(given);
  let failure = 0;
  const context: { -readonly [Key in keyof Context]: Context[Key] } = { terminal, device, words };
  const program = new Command('zeroseg')
    .description('Open-vocabulary segmentation learnt without labels, on WebGPU.')
    .version(version, '-V, --version', 'print the version')
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nAt once, with what the package brings:\n' +
        '  zeroseg demo\n' +
        '  zeroseg segment photo.jpg --classes "cat, grass"\n' +
        '\nFrom photos of your own to words:\n' +
        '  zeroseg cache photos --clip models/clip-vit-large-patch14 --out out/cache\n' +
        '  zeroseg train --cache out/cache --out out/run\n' +
        '  zeroseg segment dog.jpg --model out/run --clip models/clip-vit-large-patch14 --classes "dog, sofa" --out out/segments',
    );
  const [alone, sharing]: [Set<Command>, string[]] = [new Set(), []];
  for (const { make, processes } of commands) {
    const command = make(context);
    program.addCommand(command);
    if (processes === 'one') alone.add(command);
    if (processes === 'share') sharing.push(command.name());
  }
  addCommonOptions(program, {
    quieten: () => {
      context.terminal = quietTerminal(terminal);
    },
    print: (text) => printLines(terminal.out, text),
  });
  for (const command of [program, ...program.commands]) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => printLines(terminal.out, text.trimEnd()),
      writeErr: (text) => printLines(terminal.error, text.trimEnd()),
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
  let running: Command | undefined;
  program.hook('preAction', (_, command) => {
    running = command;
    if (alone.has(command)) refuseSeveral(command.name(), sharing);
  });
  try {
    await program.parseAsync(asHelp(args, program), { from: 'user' });
    failure = Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) failure = error.exitCode;
    else if (error instanceof Interrupted) failure = signalExitCodes[error.signal];
    else {
      printLines(
        terminal.error,
        `zeroseg: ${await rankWords()}${errorWords(
          error,
          running?.options.map(({ long }) => long),
        )}`,
      );
      failure = 1;
    }
  }
  leaveMpi(failure);
  return failure;
}

/** `help segment` as `segment --help`; after `help` an unknown command is refused as it is without. */
function asHelp(args: readonly string[], program: Command): readonly string[] {
  if (args[0] !== 'help') return args;
  const name = args[1];
  if (name === undefined || name.startsWith('-')) return ['--help'];
  return program.commands.some((command) => command.name() === name) ? [name, '--help'] : [name];
}
