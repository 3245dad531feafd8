/** What every command takes beside its own options: `--quiet`, options from a file, and what holds in the form of that file. */
import { ownValue, shownValue } from '@zeroseg/core/internal';
import { type Command, CommanderError, InvalidArgumentError, type Option } from 'commander';
import { closest, distance } from 'fastest-levenshtein';
import { readJson } from '../files/index.ts';
import { gather, isMissing } from './arguments.ts';
import { UsageError } from './errors.ts';

/** A value as a file of options holds it. */
type OptionValue = string | number | boolean | readonly (string | number)[];

/**
 * Adds the options, which may stand before or after the command's name, to a program that has its commands. `quieten` is called
 * before a command that is to be quiet, `print` instead of one that only prints its options.
 */
export function addCommonOptions(
  program: Command,
  { quieten, print }: { readonly quieten: () => void; readonly print: (text: string) => void },
): void {
  program
    .option('-q, --quiet', 'results and errors only: no progress, no notes')
    .option(
      '--options <file>',
      'options from a JSON file, by their long names: { "base-lr": 0.001, "set": ["dim=32"] }; the command line wins',
    )
    .option('--print-options', 'print the options that hold, as --options takes them, and do nothing else');
  const given = new Map<Option, string[]>();
  let file: OptionsFile | undefined;
  for (const command of program.commands) {
    command.configureHelp({ showGlobalOptions: true });
    tellAllMissing(command);
    for (const option of command.options) {
      command.on(`option:${option.name()}`, (text?: string | null) => {
        given.set(option, [...(given.get(option) ?? []), text ?? '']);
      });
    }
    const parse = command.parseOptions.bind(command);
    // After the command line, whose values win, and before what is missing is looked for.
    command.parseOptions = (args) => {
      const parsed = parse(args);
      strangers.set(command, parsed.unknown);
      if (file) applyOptions(command, file);
      return parsed;
    };
  }
  program.hook('preSubcommand', async () => {
    const path: string | undefined = program.getOptionValue('options');
    file = path === undefined ? undefined : await readOptions(path);
  });
  program.hook('preAction', (_, command) => {
    if (program.getOptionValue('quiet')) quieten();
    if (!printsOptions(command)) {
      refuseEmpty(command);
      return;
    }
    print(JSON.stringify(printedOptions(command, given, file), undefined, 2));
    throw new CommanderError(0, 'zeroseg.printOptions', 'printed');
  });
}

/** A script's variable that was never set comes as an empty text, which names no file, folder or place. */
function refuseEmpty(command: Command): void {
  const isEmpty = (value: unknown): boolean => [value].flat().some((one) => one === '');
  command.registeredArguments.forEach((argument, i) => {
    if (isEmpty(command.processedArgs[i])) throw new UsageError(`<${argument.name()}>: an empty text was given`);
  });
  for (const option of command.options) {
    const [, kind] = /<(file|folder|place|name or file)>/.exec(option.flags) ?? [];
    if (kind === undefined || !isEmpty(command.getOptionValue(option.attributeName()))) continue;
    throw new UsageError(`${option.long}: an empty text was given; give a ${kind}`);
  }
}

/** Whether a command only prints its options, which needs none of them. */
function printsOptions(command: Command): boolean {
  return command.optsWithGlobals()['printOptions'] === true;
}

/** What stood on the command line and is no option, of each command. */
const strangers = new WeakMap<Command, readonly string[]>();

/** Tells everything that a command needs and was not given, not one thing a run. */
function tellAllMissing(command: Command): void {
  const tell = (): void => {
    if (printsOptions(command)) return;
    // A misspelt option is why another is missing.
    const [stranger] = strangers.get(command) ?? [];
    if (stranger?.startsWith('-'))
      (command as Command & { unknownOption(flag: string): never }).unknownOption(stranger);
    const args = command.registeredArguments.filter(({ required }, i) => required && command.args[i] === undefined);
    const options = command.options.filter((option) => isMissing(command, option));
    const all = [...args.map((argument) => `<${argument.name()}>`), ...options.map(({ flags }) => flags)];
    command.error(`missing: ${all.join(', ')}`, { code: 'zeroseg.missing' });
  };
  Object.assign(command, { missingArgument: tell, missingMandatoryOptionValue: tell });
}

interface OptionsFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

async function readOptions(path: string): Promise<OptionsFile> {
  const values = await readJson(path);
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new UsageError(
      `--options: ${path}: it must be an object of options by their long names, such as { "seed": 7 }; got ${shownValue(values)}`,
    );
  }
  return { path, values: values as OptionsFile['values'] };
}

/** Sets what the command line does not, by the command line's own parsers. */
function applyOptions(command: Command, { path, values }: OptionsFile): void {
  const options = [...command.options, ...(command.parent?.options.filter(({ long }) => long === '--quiet') ?? [])];
  for (const [key, value] of Object.entries(values)) {
    const option = options.find((one) => one.long === `--${key}`);
    if (!option) throw new UsageError(`--options: ${path}: ${unknownKey(command, options, key)}`);
    const owner = command.options.includes(option) ? command : (command.parent as Command);
    const parsed = parsedValue(option, value, (problem) => `--options: ${path}: "${key}" ${problem}`);
    const name = option.attributeName();
    if (parsed === undefined || owner.getOptionValueSource(name) === 'cli') continue;
    owner.setOptionValueWithSource(name, parsed, 'config');
  }
}

function unknownKey(command: Command, options: readonly Option[], key: string): string {
  const where = `zeroseg ${command.name()}`;
  if (command.registeredArguments.some((one) => one.name() === key)) {
    return `"${key}" is no option but an argument of ${where}: it stands on the command line`;
  }
  const bare = key.replace(/^-+/, '');
  const names = options.map(({ long }) => long?.slice(2) ?? '');
  const near = closest(bare.slice(0, 100), names);
  const isNear = distance(bare.slice(0, 100), near) <= Math.max(1, Math.floor(near.length / 3));
  return `${shownValue(key, 100)} is no option of ${where}${isNear ? `; did you mean "${near}"?` : `; ${where} --help lists them`}`;
}

/** A value of the file as the command line's parser makes it; nothing for a flag that is off. */
function parsedValue(option: Option, value: unknown, words: (problem: string) => string): unknown {
  if (option.isBoolean() || option.negate) {
    if (typeof value !== 'boolean') throw new UsageError(words(`must be true or false; got ${shownValue(value, 60)}`));
    return value ? !option.negate : undefined;
  }
  const isValue = (one: unknown): one is string | number => typeof one === 'string' || Number.isFinite(one);
  const isRepeatable = option.parseArg === gather;
  if (Array.isArray(value) && !isRepeatable) {
    throw new UsageError(words(`takes one value, as ${option.flags} does; got ${shownValue(value, 60)}`));
  }
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!parts.every(isValue)) {
    const kinds = isRepeatable ? 'a text, a number or a list of them' : 'a text or a number';
    throw new UsageError(words(`must be ${kinds}; got ${shownValue(value, 60)}`));
  }
  let parsed: unknown;
  for (const part of parts) {
    try {
      parsed = option.parseArg ? option.parseArg(String(part), parsed as string) : String(part);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      const rule = error.message.replace(/\.$/, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
      throw new UsageError(words(`may not be ${shownValue(part, 60)}: ${rule}`), { cause: error });
    }
  }
  return parsed;
}

/** What holds, in the form of a file. */
function printedOptions(
  command: Command,
  given: ReadonlyMap<Option, readonly string[]>,
  file: OptionsFile | undefined,
): Record<string, OptionValue> {
  const printed: Record<string, OptionValue> = {};
  for (const option of command.options) {
    const name = option.attributeName();
    const key = (option.long as string).slice(2);
    const value = command.getOptionValue(name);
    if (value === undefined) continue;
    if (option.isBoolean() || option.negate) {
      if (value !== (option.negate === true)) printed[key] = true;
      continue;
    }
    const inFile = command.getOptionValueSource(name) === 'config' ? ownValue(file?.values ?? {}, key) : undefined;
    const texts = given.get(option);
    if (typeof value === 'number') printed[key] = value;
    else if (inFile !== undefined) printed[key] = inFile as OptionValue;
    else if (texts) printed[key] = option.parseArg === gather ? texts : (texts.at(-1) as string);
    else printed[key] = String(value);
  }
  return printed;
}
