import { Command } from 'commander';
import { infoJson, infoLines, inspectPlace } from '../inspect/index.ts';
import { type Context, printLines } from '../shell/index.ts';
import { builtIn } from '../weights/index.ts';

/** `zeroseg info`: what something on disk is. */
export function infoCommand(context: Context): Command {
  return new Command('info')
    .description('tell what a file or folder is, what matters of it, and which commands take it')
    .argument(
      '<places...>',
      `models, CLIPs, runs, checkpoints, caches, scenes, segments, photos or folders of them, or ${builtIn}`,
    )
    .option('--json', 'print it as JSON: a list, one of a place')
    .addHelpText('after', '\nExamples:\n  zeroseg info built-in\n  zeroseg info out/run out/cache --json')
    .action((places: string[], options: { readonly json?: boolean }) => info(context, places, options));
}

async function info({ terminal }: Context, places: readonly string[], { json }: { json?: boolean }): Promise<void> {
  const found = [];
  for (const place of places) found.push(...(await inspectPlace(place)));
  if (json) return printLines(terminal.out, JSON.stringify(infoJson(found), undefined, 2));
  for (const [i, one] of found.entries()) {
    if (i > 0) terminal.out('');
    for (const line of infoLines(one)) terminal.out(line);
  }
}
