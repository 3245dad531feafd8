/** `docs/cli.md`: what `zeroseg --help` and the help of every command say. */
import { Command, Help } from 'commander';
import { commands } from '../../cli/src/commands/index.ts';
import { addCommonOptions, printableTerminal } from '../../cli/src/shell/index.ts';

const terminal = printableTerminal({ out: () => undefined, note: () => undefined });

/** The commands as the command line makes them, attached to a program that runs none of them. */
export function makeCommands(): readonly Command[] {
  return makeProgram().commands;
}

/** The program of {@link makeCommands}. */
export function makeProgram(): Command {
  const program = new Command('zeroseg').exitOverride();
  for (const { make } of commands) program.addCommand(make({ terminal }).exitOverride());
  addCommonOptions(program, { quieten: () => undefined, print: () => undefined });
  return program;
}

const intro = `# Command line

<!-- Made by \`npm run docs\` from the commands' own help; do not edit. -->

\`zeroseg COMMAND --help\` prints what stands here. In a checkout the command is \`npx zeroseg\`, after \`npm ci\`.

- **Places.** Where a command takes a model or a CLIP, a *place* is a file, a folder, or \`built-in\` for what
  [\`@zeroseg/pretrained\`](../pretrained/README.md) brings.
- **Exit codes.** 0: done. 1: an error, told in one sentence on standard error. 130 and 143: stopped by Ctrl-C or by a signal.
- **Adapters.** \`--adapter\`, or the variable \`ZEROSEG_ADAPTER\`: see [adapters](adapters.md).
- **One writer.** One process at a time writes to a run, teacher, cache, experiment, demo or folder of scenes; a second is told which.
`;

/** The whole page. */
export function commandReference(): string {
  const program = makeProgram();
  const all = program.commands;
  const list = all.map((command) => {
    const name = command.name();
    return `| [\`${name}\`](#zeroseg-${name}) | ${cell(command.description())} |`;
  });
  const table = ['| command | what it does |', '| --- | --- |', ...list].join('\n');
  const common = [commonIntro, ...rows(optionRows(program), 'option')].join('\n\n');
  return `${[`${intro}\n${table}`, common, ...all.map(section)].join('\n\n')}\n`;
}

const commonIntro = `## Options of every command

Before or after the command's name. \`--options\` reads a JSON file whose keys are the long names of the command's options, without
\`--\`: texts and numbers as on the command line, \`true\` for options without a value, lists for those that may come more than once.
Paths in it are relative to where the command runs. Arguments, such as photos, stay on the command line, which wins where both say
something. \`--print-options\` writes such a file, so this is the same run twice:

\`\`\`sh
zeroseg train --cache out/cache --out out/run --steps 500 --base-lr 0.001 --print-options > run.json
zeroseg train --options run.json
\`\`\``;

type Row = readonly [term: string, text: string];

function rows(entries: readonly Row[], title: string): string[] {
  if (entries.length === 0) return [];
  const lines = entries.map(([term, text]) => `| \`${term}\` | ${cell(text)} |`);
  return [[`| ${title} | meaning |`, '| --- | --- |', ...lines].join('\n')];
}

function optionRows(command: Command): Row[] {
  const help = new Help();
  return help.visibleOptions(command).flatMap((one) => {
    if (one.long === '--help') return [];
    const needed = one.mandatory && one.defaultValue === undefined ? '**needed**: ' : '';
    return [[one.flags, `${needed}${help.optionDescription(one)}`] as const];
  });
}

function section(command: Command): string {
  const help = new Help();
  const args = help.visibleArguments(command).map((one) => [one.name(), help.argumentDescription(one)] as const);
  return [
    `## zeroseg ${command.name()}`,
    `\`${help.commandUsage(command)}\`: ${sentence(command.description())}`,
    ...rows(args, 'argument'),
    ...rows(optionRows(command), 'option'),
    ...closing(command),
  ].join('\n\n');
}

/** What stands below the options: examples as commands, the rest as sentences. */
function closing(command: Command): string[] {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  const after = text.slice(command.helpInformation().length).trim();
  const blocks: { isCode: boolean; lines: string[] }[] = [];
  for (const line of after.split('\n')) {
    const isCode = line.startsWith('  ');
    const last = blocks.at(-1);
    if (line.trim() === '' || /^Examples?:$/.test(line)) continue;
    if (last?.isCode === isCode) last.lines.push(line.trim());
    else blocks.push({ isCode, lines: [line.trim()] });
  }
  return blocks.map(({ isCode, lines }) => (isCode ? `\`\`\`sh\n${lines.join('\n')}\n\`\`\`` : lines.join('\n')));
}

/** Words inside of a table: no bar ends the cell, no `<` begins a tag. */
export function cell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function sentence(text: string): string {
  return `${text.replaceAll('\n', ' ')}.`;
}
