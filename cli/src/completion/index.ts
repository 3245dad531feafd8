/** Scripts by which shells complete a command line, generated from the program: a shell asks nothing when Tab is pressed. */
import { bashScript } from './bash.ts';
import type { DescribedProgram } from './described.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

export { describeProgram } from './described.ts';

/** The script of each shell. */
export const completionScripts: Readonly<Record<'bash' | 'zsh' | 'fish', (program: DescribedProgram) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
