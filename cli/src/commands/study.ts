import { basename, resolve } from 'node:path';
import { checkVotes, type TieRule, tallyVotes } from '@zeroseg/core/zeroseg';
import { Command, Option } from 'commander';
import { readJson } from '../files/index.ts';
import { jsonTarget, writeJson } from '../reports/index.ts';
import {
  type Context,
  catchInterruption,
  checkResultFile,
  count,
  Interrupted,
  notesTerminal,
  oneOf,
  Progress,
  parseNames,
  seedRange,
  UsageError,
  wholeNumber,
} from '../shell/index.ts';
import { makeStudy, pairFolders, tallyLines, unknownLines } from '../votes/index.ts';

interface StudyArguments {
  readonly out: string;
  readonly titles?: readonly string[];
  readonly count?: number;
  readonly votes: number;
  readonly seed: number;
  readonly question: string;
  readonly side: number;
  readonly tally?: boolean;
  readonly ties: TieRule;
  readonly json?: string;
}

const QUESTION = 'Which one divides and names the picture better?';

/** `zeroseg study`: which of two results people prefer, blind, as in the paper's Table 2. */
export function studyCommand(context: Context): Command {
  return new Command('study')
    .description("ask people which of two results is better, blind, as in the paper's Table 2")
    .argument(
      '<places...>',
      'two folders that `zeroseg segment` wrote of the same photos; with --tally: files of votes',
    )
    .option('--out <folder>', 'a new folder for the study, which the page opens (#study)', 'out/study')
    .option(
      '--titles <names>',
      'what the two are called when all is counted (default: the names of the folders)',
      parseNames,
    )
    .option('--count <n>', 'pictures, drawn by the seed (default: all that both have)', wholeNumber(1))
    .option('--votes <n>', 'votes that a picture gets, each from another voter', wholeNumber(1, 1000), 5)
    .option('--seed <n>', 'decides pictures, their order and sides', wholeNumber(...seedRange), 1)
    .option('--question <text>', 'what voters are asked', QUESTION)
    .option('--side <pixels>', 'longer side of the pictures', wholeNumber(64, 4096), 1024)
    .addOption(
      new Option('--tally', 'instead: count the votes of these files, with 95 % intervals and sign tests').conflicts([
        'titles',
        'count',
      ]),
    )
    .option(
      '--ties <rule>',
      'with --tally: omit leaves them out, split gives half to each',
      oneOf('omit', 'split'),
      'omit',
    )
    .option('--json <file>', 'with --tally: write the counts; - prints them instead of the table', jsonTarget)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg segment photos --classes imagenet --model out/run --out out/ours\n' +
        '  zeroseg segment photos --classes imagenet --model models/groupvit --out out/theirs\n' +
        '  zeroseg study out/ours out/theirs --titles "ZeroSeg, GroupViT" --count 200 --out out/study\n' +
        '  zeroseg study --tally votes-ada.json votes-grace.json',
    )
    .action((places: string[], options: StudyArguments) =>
      options.tally ? tally(context, places, options) : make(context, places, options),
    );
}

async function make({ terminal }: Context, places: readonly string[], options: StudyArguments): Promise<void> {
  const [a, b] = places;
  if (a === undefined || b === undefined || places.length > 2) {
    throw new UsageError(`study: give two folders of results, one for each side; got ${places.length}`);
  }
  if (options.json !== undefined) throw new UsageError('--json: only with --tally');
  if (resolve(a) === resolve(b)) throw new UsageError(`study: both are the same folder, ${a}`);
  const titles = options.titles ?? [basename(resolve(a)), basename(resolve(b))];
  const [titleOfA, titleOfB] = titles;
  if (titleOfA === undefined || titleOfB === undefined || titles.length > 2 || titleOfA === titleOfB) {
    throw new UsageError('--titles: give two different names, with a comma between');
  }
  const { pairs, alone } = await pairFolders(a, b);
  if (alone.length > 0) {
    terminal.note(
      `${count(alone.length, 'pictures')} that only one of the folders has: ${alone.slice(0, 3).join(', ')}${alone.length > 3 ? ', …' : ''}`,
    );
  }
  if (options.count !== undefined && options.count > pairs.length) {
    throw new UsageError(
      `--count: both folders have ${count(pairs.length, 'pictures')} in common; ${options.count} were asked for`,
    );
  }
  const interruption = catchInterruption();
  const progress = new Progress(terminal, 'drawing', options.count ?? pairs.length, 'pairs');
  try {
    const study = await makeStudy(options.out, pairs, {
      ...options,
      titles: { a: titleOfA, b: titleOfB },
      signal: interruption.abortSignal,
      onProgress: ({ done }) => progress.at(done),
    });
    progress.stop();
    const left = study.same > 0 ? `; ${count(study.same, 'photos')} left out, of which both made the same` : '';
    terminal.out(`${options.out}: ${count(study.pictures.length, 'pairs')}, ${study.votes} votes each${left}`);
    for (const line of unknownLines(study.titles, study.unknown)) terminal.note(line);
    terminal.out('open it in the page: zeroseg page, then Study');
  } catch (error) {
    if (error instanceof Interrupted) terminal.log('stopped; nothing was written');
    throw error;
  } finally {
    progress.stop();
    interruption.release();
  }
}

async function tally(context: Context, paths: readonly string[], { ties, json }: StudyArguments): Promise<void> {
  await checkResultFile('study: --json', json, 'byPicture');
  const files = [];
  for (const file of paths) files.push({ file, content: checkVotes(await readJson(file), file) });
  const found = tallyVotes(files, { ties });
  const terminal = json === '-' ? notesTerminal(context.terminal) : context.terminal;
  for (const line of tallyLines(found)) terminal.out(line);
  await writeJson(context.terminal, json, found);
}
