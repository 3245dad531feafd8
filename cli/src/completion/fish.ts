import type { DescribedOption, DescribedProgram, DescribedValue } from './described.ts';

/** A script for fish. */
export function fishScript({ name, options, commands }: DescribedProgram): string {
  const begin = '__fish_use_subcommand';
  const lines = [
    `# Completion of ${name} for fish; made by: ${name} completion fish`,
    '',
    `complete -c ${name} -f`,
    ...options.map((option) => optionLine(begin, option)),
    ...commands.map(
      (command) => `complete -c ${name} -n ${begin} -a ${command.name} -d ${quoted(command.description)}`,
    ),
  ];
  for (const command of commands) {
    const where = quoted(`__fish_seen_subcommand_from ${command.name}`);
    lines.push('', ...command.options.map((option) => optionLine(where, option)));
    if (command.argument) lines.push(`complete -c ${name} -n ${where} ${value(command.argument)}`);
  }
  return lines.join('\n');

  function optionLine(where: string, option: DescribedOption): string {
    const flags = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
    const more = option.value ? ` -r ${value(option.value)}` : '';
    return `complete -c ${name} -n ${where} ${flags.join(' ')}${more} -d ${quoted(option.description)}`;
  }
}

/** What is offered: words, and files or folders or neither. */
function value({ words, path }: DescribedValue): string {
  const folders = path === 'folder' ? ['(__fish_complete_directories)'] : [];
  const offered = [...words, ...folders].join(' ');
  return [path === 'file' ? '-F' : '-f', ...(offered === '' ? [] : [`-a ${quoted(offered)}`])].join(' ');
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
