import type { KnownWords } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { type Context, countOf, printLines } from '../shell/index.ts';
import { builtIn, openClip } from '../weights/index.ts';

interface WordsArguments {
  readonly clip: string;
  readonly json?: boolean;
}

/** `zeroseg words`: what may be asked for. */
export function wordsCommand(context: Context): Command {
  return new Command('words')
    .description('list the words that a CLIP knows, which may be given as --classes')
    .option('--clip <place>', `folder or file of a CLIP, or ${builtIn}`, builtIn)
    .option('--json', 'print them as JSON')
    .addHelpText('after', '\nExamples:\n  zeroseg words\n  zeroseg words --clip out/teacher --json')
    .action((options: WordsArguments) => listWords(context, options));
}

async function listWords({ terminal }: Context, { clip, json }: WordsArguments): Promise<void> {
  const { name, words } = await openClip(clip);
  if (json) {
    printLines(terminal.out, JSON.stringify({ clip: name, any_word: words === undefined, ...words }, undefined, 2));
    return;
  }
  if (!words) {
    terminal.out(`${name} does not limit its words: any may be asked for, in English as a rule`);
    return;
  }
  const { objects, grounds, adjectives, seen } = words;
  const kinds = Object.keys(objects).length + Object.keys(grounds).length;
  terminal.out(
    `${name} knows ${kinds} names and ${countOf(words) - kinds} synonyms (in brackets); it has seen ${seen} only`,
  );
  for (const [title, table] of [
    ['Objects', objects],
    ['Grounds', grounds],
  ] as const) {
    if (Object.keys(table).length === 0) continue;
    terminal.out('');
    terminal.out(title);
    for (const line of wrap(entries(table))) terminal.out(`  ${line}`);
  }
  if (adjectives.length > 0) {
    terminal.out('');
    terminal.out(`Before any of them: ${adjectives.join(', ')}`);
  }
}

function entries(table: KnownWords['objects']): string[] {
  return Object.entries(table).map(([name, synonyms]) =>
    synonyms.length > 0 ? `${name} (${synonyms.join(', ')})` : name,
  );
}

const WIDTH = 100;

/** Entries with commas between, on lines of at most {@link WIDTH} letters. */
function wrap(parts: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '';
  for (const [i, part] of parts.entries()) {
    const word = i < parts.length - 1 ? `${part},` : part;
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
