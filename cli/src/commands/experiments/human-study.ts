/** Table 2: which of two models people prefer. Pictures and pairs are made here, votes are taken by the page. */
import { basename, join, resolve } from 'node:path';
import { checkStudy, checkVotes, studyFile, tallyVotes, type VotesFile } from '@zeroseg/core/zeroseg';
import { nodeFileSystem, readJson, refuseLinks } from '../../files/index.ts';
import { humanStudy, type ResultRow, writeResultPage } from '../../reports/index.ts';
import {
  type Context,
  catchInterruption,
  commandText,
  count,
  formatPercent,
  Progress,
  UsageError,
  version,
} from '../../shell/index.ts';
import { makeStudy, type PairedPicture, tallyLines, unknownLines } from '../../votes/index.ts';
import {
  checkPhotosArguments,
  drawPhotos,
  overlaysOf,
  type PhotosArguments,
  segmentSides,
  sidesOf,
  tellPhotosPlan,
} from './photos-by-models.ts';

export interface HumanStudyArguments extends PhotosArguments {
  readonly limit?: number;
  readonly plan?: boolean;
  /** Files of votes. */
  readonly votes?: readonly string[];
}

/** As in the paper. */
const PHOTOS = 200;
const VOTES = 5;
const SIDE = 1024;
const QUESTION = 'Which one divides and names the picture better?';

/** `zeroseg experiment table2`. */
export async function experimentStudy(context: Context, options: HumanStudyArguments): Promise<void> {
  const { terminal } = context;
  checkPhotosArguments('table2', options, 2);
  const { out, limit = PHOTOS, votes = [] } = options;
  const sides = sidesOf(options);
  const [a, b] = sides;
  if (a === undefined || b === undefined || sides.length > 2 || a.model === b.model) {
    throw new UsageError(`experiment: table2 compares two models; got ${sides.map(({ model }) => model).join(', ')}`);
  }
  const photos = await drawPhotos(options, limit);
  if (options.plan) return tellPhotosPlan(context, options, sides, photos);
  const files = nodeFileSystem(out);
  const lock = await files.lock('experiment');
  try {
    await refuseLinks(out, 'segments', 'study', 'table2.md', 'table2.html', 'table2.json');
    const folder = join(out, 'study');
    if ((await files.status(`study/${studyFile}`))?.kind === 'file') {
      terminal.log(`${folder}: the study is there; votes may belong to it, and it stays as it is`);
    } else {
      await segmentSides(context, options, sides, photos);
      await makePairs(context, folder, options, [a.model, b.model], await pairsOf(photos, a, b));
    }
    const { id, titles, unknown } = checkStudy(await readJson(join(folder, studyFile)), join(folder, studyFile));
    const tally =
      votes.length === 0 ? undefined : tallyVotes(await Promise.all(votes.map((file) => readVotes(file, id, folder))));
    const { model, photos: places, names, clip, segmentOptions } = options;
    const command = commandText('experiment table2', {
      ...{ out, model, photos: places, names, clip, limit, seeds: options.seed, segment: segmentOptions, votes },
    });
    const [first, second] = humanStudy.votes;
    const rows: ResultRow[] = [
      {
        cells: [
          ...humanStudy.titles.map((title, i) => `${title}: ${humanStudy.votes[i]}`),
          share(first, second),
          '200',
          humanStudy.source,
        ],
        isMeasured: false,
      },
    ];
    if (tally) {
      const { titles, votes: standing, pictures } = tally;
      const sure = standing.shareOfA;
      const interval = sure ? ` (${formatPercent(sure.low)} to ${formatPercent(sure.high)})` : '';
      rows.push({
        cells: [
          `${titles.a}: ${standing.a}`,
          `${titles.b}: ${standing.b}`,
          `${share(standing.a, standing.b)}${interval}`,
          String(pictures.voted),
          'counted here',
        ],
        isMeasured: true,
      });
    }
    const written = await writeResultPage(files, 'table2', {
      title: 'Table 2: human study',
      question: QUESTION,
      head: ['votes for', 'against', 'share', 'pictures', 'source'],
      rows,
      notes: [
        ...(tally
          ? [
              'In brackets the 95 % interval (Wilson). Ties are left out. Votes on one picture resemble each other, so it is too narrow.',
            ]
          : [
              `Nobody has voted yet. Open ${folder} in the page (zeroseg page, then Study): pairs come blind, in an order and on sides by seed and voter. Then give the files of votes by --votes.`,
            ]),
        ...unknownLines(titles, unknown).map((line) => `${line}.`),
      ],
      command,
      json: { format: 'zeroseg-human-study-1', version, command, published: humanStudy, tally: tally ?? null },
    });
    for (const line of tally ? tallyLines(tally) : written.lines) terminal.out(line);
    for (const file of written.files) terminal.out(file);
    if (!tally) terminal.out(`to vote: zeroseg page, then Study, and ${folder}`);
  } finally {
    await lock.release();
  }
}

/** Votes of one voter. @throws UsageError where they are of another study. */
async function readVotes(file: string, study: unknown, folder: string): Promise<{ file: string; content: VotesFile }> {
  const content = checkVotes(await readJson(file), file);
  if (content.study === study) return { file, content };
  throw new UsageError(`experiment: --votes ${file}: these votes are of another study than ${folder}`);
}

function share(a: number, b: number): string {
  return a + b === 0 ? '–' : formatPercent(a / (a + b));
}

async function pairsOf(
  photos: readonly string[],
  ...sides: readonly Parameters<typeof overlaysOf>[0][]
): Promise<PairedPicture[]> {
  const [ofA, ofB] = (await Promise.all(sides.map(overlaysOf))) as [Map<string, string>, Map<string, string>];
  return photos.flatMap((photo) => {
    const [a, b] = [ofA.get(resolve(photo)), ofB.get(resolve(photo))];
    return a === undefined || b === undefined ? [] : [{ name: basename(photo).replace(/\.[^.]+$/, ''), a, b }];
  });
}

async function makePairs(
  { terminal }: Context,
  folder: string,
  { seed }: HumanStudyArguments,
  [a, b]: readonly [string, string],
  pairs: readonly PairedPicture[],
): Promise<void> {
  const interruption = catchInterruption();
  const progress = new Progress(terminal, 'drawing', pairs.length, 'pairs');
  try {
    const study = await makeStudy(folder, pairs, {
      ...{ seed, votes: VOTES, question: QUESTION, titles: { a, b }, side: SIDE, signal: interruption.abortSignal },
      onProgress: ({ done }) => progress.at(done),
    });
    const left = study.same > 0 ? `; ${count(study.same, 'photos')} left out, of which both made the same` : '';
    terminal.log(`${folder}: ${count(study.pictures.length, 'pairs')}${left}`);
  } finally {
    progress.stop();
    interruption.release();
  }
}
