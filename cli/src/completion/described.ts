/** A program as scripts for shells need it: commands, options, and what may follow. */
import type { Argument, Command, Option } from 'commander';
import { offeredWords } from '../shell/index.ts';

/** What may stand where a value is asked for. */
export interface DescribedValue {
  /** `folder`, `steps`: how the help calls it. */
  readonly name: string;
  readonly words: readonly string[];
  /** Whether it may also be a file, a folder or neither. */
  readonly path: 'file' | 'folder' | undefined;
}

export interface DescribedOption {
  /** `--quiet`, and `-q` where there is one, which comes first. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Nothing for a flag. */
  readonly value: DescribedValue | undefined;
  readonly isRepeatable: boolean;
}

export interface DescribedCommand {
  readonly name: string;
  readonly description: string;
  /** Its own, and those that every command takes. */
  readonly options: readonly DescribedOption[];
  /** What its arguments are; nothing where it takes none. */
  readonly argument: DescribedValue | undefined;
}

export interface DescribedProgram {
  readonly name: string;
  /** Those that may stand before a command. */
  readonly options: readonly DescribedOption[];
  readonly commands: readonly DescribedCommand[];
}

/** Describes a program of one level of commands. */
export function describeProgram(program: Command): DescribedProgram {
  const options = [...program.options.map(describeOption), help];
  // The version is that of the program, and asked for without a command.
  const common = options.filter(({ flags }) => !flags.includes('--version'));
  return {
    name: program.name(),
    options,
    commands: program.commands.map((command) => ({
      name: command.name(),
      description: firstClause(command.description()),
      options: [...command.options.map(describeOption), ...common],
      argument: command.registeredArguments.map(describeArgument)[0],
    })),
  };
}

const help: DescribedOption = {
  flags: ['-h', '--help'],
  description: 'what it does and takes',
  value: undefined,
  isRepeatable: false,
};

function describeOption(option: Option): DescribedOption {
  const { flags, short, long, required, optional, description } = option;
  const name = /[<[]([^>\]]*)[>\]]/.exec(flags)?.[1] ?? 'value';
  const path = name === 'folder' ? 'folder' : /\b(?:file|place)\b/.test(name) ? 'file' : undefined;
  const words = [...offeredWords(option), ...(name === 'place' ? ['built-in'] : [])];
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    description: firstClause(description),
    value: required || optional ? { name, words, path } : undefined,
    isRepeatable: /may (?:come|be given) more than once/.test(description),
  };
}

/** Arguments are files and folders, unless there are words for them. */
function describeArgument(argument: Argument): DescribedValue {
  const words = offeredWords(argument);
  return { name: argument.name(), words, path: words.length > 0 ? undefined : 'file' };
}

/** What fits beside an option on one line. */
function firstClause(text: string): string {
  return text
    .replaceAll(/ ?\([^)]*\)/g, '')
    .replace(/[:;].*$/s, '')
    .trim();
}
