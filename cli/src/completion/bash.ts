import type { DescribedOption, DescribedProgram, DescribedValue } from './described.ts';

/** A script for bash, from 3.2, which macOS has: no `mapfile`, no `compopt`. */
export function bashScript({ name, options, commands }: DescribedProgram): string {
  const all = [{ name: '', options }, ...commands];
  const values = all.flatMap(({ name: command, options: own }) =>
    own.flatMap(({ flags, value }) =>
      value ? [`    ${flags.map((flag) => `${command}:${flag}`).join('|')}) ${offer(value)}; return ;;`] : [],
    ),
  );
  const flags = all.map(({ name: command, options: own }) => `    ${command || "''"}) flags='${list(own)}' ;;`);
  const places = commands.map(
    (command) => `    ${command.name}) ${command.argument ? offer(command.argument) : ':'} ;;`,
  );
  return `# Completion of ${name} for bash; made by: ${name} completion bash

_${name}_offer() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$@")
}

_${name}() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command='' flags='' i
  # --option=value comes as three words.
  if [[ "$word" == '=' ]]; then
    word=''
  elif [[ "$before" == '=' ]]; then
    before="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
    ${commands.map((command) => command.name).join('|')})
      command="\${COMP_WORDS[i]}"
      break
      ;;
    esac
  done
  COMPREPLY=()
  case "$command:$before" in
${values.join('\n')}
  esac
  case "$command" in
${flags.join('\n')}
  esac
  if [[ "$word" == -* ]]; then
    _${name}_offer -W "$flags" -- "$word"
    return
  fi
  case "$command" in
    '') _${name}_offer -W '${commands.map((command) => command.name).join(' ')}' -- "$word" ;;
${places.join('\n')}
  esac
}

complete -o filenames -F _${name} ${name}`;

  function offer({ words, path }: DescribedValue): string {
    const parts = [
      ...(words.length > 0 ? [`_${name}_offer -W '${words.join(' ')}' -- "$word"`] : []),
      ...(path ? [`_${name}_offer ${path === 'folder' ? '-d' : '-f'} -- "$word"`] : []),
    ];
    return parts.length > 0 ? parts.join('; ') : ':';
  }
}

function list(options: readonly DescribedOption[]): string {
  return options.flatMap(({ flags }) => flags).join(' ');
}
