/** Commands of the documentation, as a shell would take them apart. */
import { parse } from 'shell-quote';

/** Commands of a block in `sh`, each as its words: lines that end in `\` go on, `&&` and `;` part commands, `>` names a file, `#` begins a comment. */
export function commandsIn(text: string): string[][] {
  return text
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const commands: string[][] = [[]];
      let isFile = false;
      for (const part of parse(line, (name) => `$${name}`)) {
        if (isFile) isFile = false;
        else if (typeof part === 'string') commands.at(-1)?.push(part);
        else if ('comment' in part) continue;
        else if (part.op === 'glob') commands.at(-1)?.push(part.pattern);
        else if (part.op === '>') isFile = true;
        else commands.push([]);
      }
      return commands;
    })
    .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
    .filter((words) => words.length > 0);
}
