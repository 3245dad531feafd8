/** `docs/cli.md`: what `zeroseg --help` and the help of every command say. */
import { Command, Help } from 'commander';
import { commands } from '../../cli/src/commands/index.ts';
import { quietTerminal } from '../../cli/src/shell/index.ts';

const terminal = quietTerminal({ out: () => undefined, note: () => undefined });

/** The commands as the command line makes them, attached to a program that runs none of them. */
export function makeCommands(): readonly Command[] {
  const program = new Command('zeroseg').exitOverride();
  for (const make of commands) program.addCommand(make({ terminal }).exitOverride());
  return program.commands;
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
  const all = makeCommands();
  const list = all.map((command) => {
    const name = command.name();
    return `| [\`${name}\`](#zeroseg-${name}) | ${cell(command.description())} |`;
  });
  const table = ['| command | what it does |', '| --- | --- |', ...list].join('\n');
  return `${[`${intro}\n${table}`, ...all.map(section)].join('\n\n')}\n`;
}

function section(command: Command): string {
  const help = new Help();
  const rows = (entries: readonly (readonly [string, string])[], title: string) =>
    entries.length === 0
      ? []
      : [
          [
            `| ${title} | meaning |`,
            '| --- | --- |',
            ...entries.map(([term, text]) => `| \`${term}\` | ${cell(text)} |`),
          ].join('\n'),
        ];
  const args = help.visibleArguments(command).map((one) => [one.name(), help.argumentDescription(one)] as const);
  const options = help.visibleOptions(command).flatMap((one) => {
    if (one.long === '--help') return [];
    const needed = one.mandatory && one.defaultValue === undefined ? '**needed**: ' : '';
    return [[one.flags, `${needed}${help.optionDescription(one)}`] as const];
  });
  return [
    `## zeroseg ${command.name()}`,
    `\`${help.commandUsage(command)}\`: ${sentence(command.description())}`,
    ...rows(args, 'argument'),
    ...rows(options, 'option'),
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
