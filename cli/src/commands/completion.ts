import { Argument, Command } from 'commander';
import { completionScripts, describeProgram } from '../completion/index.ts';
import { type Context, printLines } from '../shell/index.ts';

/** `zeroseg completion`: what makes Tab complete commands, options and values. */
export function completionCommand(context: Context): Command {
  const shells = Object.keys(completionScripts) as (keyof typeof completionScripts)[];
  return new Command('completion')
    .description('print a script by which a shell completes commands, options, choices and files')
    .addArgument(new Argument('<shell>', shells.join(', ')).choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg completion bash > ~/.local/share/bash-completion/completions/zeroseg\n' +
        '  zeroseg completion zsh > ~/.zfunc/_zeroseg\n' +
        '  zeroseg completion fish > ~/.config/fish/completions/zeroseg.fish\n' +
        '\nIn bash without the package bash-completion: source that file in ~/.bashrc. In zsh the folder must be in $fpath, by\n' +
        'fpath+=(~/.zfunc) before compinit in ~/.zshrc. A new shell takes it.',
    )
    .action((shell: (typeof shells)[number], _options: object, command: Command) => {
      const program = command.parent as Command;
      printLines(context.terminal.out, completionScripts[shell](describeProgram(program)));
    });
}
