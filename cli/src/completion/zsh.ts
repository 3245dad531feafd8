import type { DescribedOption, DescribedProgram, DescribedValue } from './described.ts';

/** A script for zsh: for a folder of \`$fpath\`, as \`_zeroseg\`, or to be sourced after \`compinit\`. */
export function zshScript({ name, options, commands }: DescribedProgram): string {
  const described = commands.map((command) => `    ${quoted(`${command.name}:${escaped(command.description)}`)}`);
  const cases = commands.map((command) => {
    const { argument } = command;
    const specs = [...command.options.flatMap(optionSpecs), ...(argument ? [`'*${valueSpec(argument)}'`] : [])];
    return `    ${command.name})\n      _arguments -s \\\n        ${specs.join(' \\\n        ')}\n      ;;`;
  });
  return `#compdef ${name}
# Completion of ${name} for zsh; made by: ${name} completion zsh

_${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -s -C \\
    ${options.flatMap(optionSpecs).join(' \\\n    ')} \\
    '1:command:->command' \\
    '*::argument:->arguments'
  case $state in
  command) _describe -t commands command commands ;;
  arguments)
    case $line[1] in
${cases.join('\n')}
    esac
    ;;
  esac
}

if [ "$funcstack[1]" = "_${name}" ]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi`;
}

/** One for each flag: an option that may come once leaves out all of its flags when one is there. */
function optionSpecs({ flags, description, value, isRepeatable }: DescribedOption): string[] {
  const before = isRepeatable ? '*' : flags.length > 1 ? `(${flags.join(' ')})` : '';
  return flags.map((flag) => quoted(`${before}${flag}[${escaped(description)}]`, value ? valueSpec(value) : ''));
}

function valueSpec({ name, words, path }: DescribedValue): string {
  return `:${escaped(name)}:${action(words, path)}`;
}

/** How _arguments finds values. A blank in front: what follows is called as it stands. */
function action(words: readonly string[], path: DescribedValue['path']): string {
  const files = path === 'folder' ? '_files -/' : '_files';
  if (words.length === 0) return path ? files : ' ';
  if (!path) return `(${words.join(' ')})`;
  return ` _alternative "words\\:word\\:(${words.join(' ')})" "files\\:file\\:${files}"`;
}

function quoted(...texts: readonly string[]): string {
  return `'${texts.join('').replaceAll("'", "'\\''")}'`;
}

/** What _arguments and _describe take as a sign. */
function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}
