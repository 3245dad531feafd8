import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Device } from '@zeroseg/core';
import { wholePercent } from '@zeroseg/core/internal';
import { classFractions, type ModelAndText, type OpenVocabularyResult } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { hashFiles, systemReason } from '../files/index.ts';
import { fixedDataSets, ImageError, nameLettering, readPhoto } from '../photos/index.ts';
import {
  type AskedClass,
  askedClasses,
  type Claim,
  ContactSheet,
  classColours,
  findPhotos,
  type PhotoStamp,
  type PlacedPhoto,
  ResultsFolder,
  type ResultsOptions,
  type SegmentsRecord,
  settingsHash,
  shortList,
  writeResults,
} from '../segments/index.ts';
import {
  type Context,
  classesHelp,
  clipPlace,
  count,
  countIn,
  embedNames,
  formatDuration,
  gather,
  Interrupted,
  type Interruption,
  type KnownNames,
  knownNames,
  loadModel,
  type ModelAndWordsArguments,
  modelAndWordsOptions,
  modelFacts,
  notesTerminal,
  openModelAndWords,
  Progress,
  parseClasses,
  readColours,
  tellImagery,
  UsageError,
  withDevice,
  withNaming,
} from '../shell/index.ts';
import { builtIn } from '../weights/index.ts';

export interface SegmentArguments extends ModelAndWordsArguments {
  readonly classes: string;
  readonly out: string;
  readonly cutout?: readonly string[];
  readonly colors?: string;
  readonly json?: boolean;
}

/** `zeroseg segment`: photos divided into what words name. */
export function segmentCommand(context: Context): Command {
  const command = new Command('segment')
    .description('segment photos by words')
    .argument('<photos...>', "photos, folders of them, or patterns such as 'photos/*.jpg'")
    .requiredOption(
      '--classes <names>',
      `${classesHelp}; ${fixedDataSets.map(([name]) => name).join(', ')} or imagenet; or @file.txt, one a line (\`zeroseg words\` lists those that ${builtIn} knows)`,
    )
    .option(
      '--out <folder>',
      'where NAME.overlay.png, NAME.labels.png and NAME.json are written; what is done there stays',
      'out/segments',
    )
    .option('--cutout <word>', 'also a transparent PNG of what this class is on (may be given more than once)', gather)
    .option('--colors <file>', 'colours of classes, a line each: cat=#ff8800')
    .option('--json', 'print what NAME.json holds, a photo a line, all else on standard error');
  return modelAndWordsOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg segment photo.jpg --classes "cat, grass"\n' +
        '  zeroseg segment dog.jpg --model out/run --clip models/clip-vit-large-patch14 ' +
        '--classes "dog, sofa, window" --background 0.3 --out out/segments',
    )
    .action((photos: string[], options: SegmentArguments) => segment(context, photos, options));
}

/** A photo that is to be done, or why it cannot be. */
type Job = { readonly claim: Claim; readonly stamp: PhotoStamp } | { readonly path: string; readonly reason: string };

async function segment(given: Context, places: readonly string[], chosen: SegmentArguments): Promise<void> {
  const context = chosen.json ? { ...given, terminal: notesTerminal(given.terminal) } : given;
  const { terminal } = context;
  const asked = await parseClasses(chosen.classes);
  const colours = chosen.colors === undefined ? undefined : await readColours(chosen.colors);
  const strange = chosen.cutout?.find((word) => !asked.some(({ words }) => words.includes(word)));
  if (strange !== undefined) throw new UsageError(`--cutout: "${strange}" is none of --classes`);
  const photos = await findPhotos(places);
  if (!chosen.json) await checkAnyReads(photos.map(({ path }) => path));
  const opened = await openModelAndWords(context, chosen);
  const options = withNaming(opened, chosen);
  const clip = await clipPlace(chosen);
  const {
    names: known,
    unknown,
    notes,
  } = knownNames(
    context,
    opened.text,
    asked.map(({ words }) => words),
    { option: '--classes', clip },
  );
  const classes = askedClasses(asked, new Set(known), colours);
  const names = classes.map(({ name }) => name);
  const cutouts = classes
    .filter((one) => one.asked.some((word) => chosen.cutout?.includes(word)))
    .map(({ name }) => name);
  const letters = await nameLettering(names);
  if (letters.drawnAs.size > 0) {
    terminal.note(
      `no font of this system has the letters of ${shortList([...letters.drawnAs].map(([name, number]) => `${name} (${number})`))}; pictures show the numbers, JSON and contact sheet the names. Fonts such as Noto have them`,
    );
  }
  const files = photos.map(({ path }) => path);
  const imagery = await tellImagery(context, opened.text, files);
  const facts = await settingsOf(opened, unknown, [classes, cutouts, [...letters.drawnAs]], options);
  const results = await ResultsFolder.open(options.out, photos);
  try {
    await segmentInto(results, {
      ...{ given, context, photos, opened, classes, cutouts, letters, facts, options },
      notes: [...imagery, ...notes],
    });
  } finally {
    await results.close();
  }
}

/** What is known before anything is written. */
interface Begun {
  readonly given: Context;
  /** With `--json` all but the records goes to standard error. */
  readonly context: Context;
  readonly photos: readonly PlacedPhoto[];
  readonly opened: ModelAndText;
  readonly classes: readonly AskedClass[];
  readonly cutouts: readonly string[];
  readonly letters: ResultsOptions['letters'];
  readonly facts: ResultsOptions['facts'];
  readonly options: ReturnType<typeof withNaming<SegmentArguments>>;
  readonly notes: readonly string[];
}

async function segmentInto(results: ResultsFolder, begun: Begun): Promise<void> {
  const { given, context, photos, opened, classes, cutouts, letters, facts, options, notes } = begun;
  const { terminal } = context;
  const names = classes.map(({ name }) => name);
  const jobs: Job[] = [];
  const sheet = new ContactSheet();
  let done = 0;
  const cutOut = new Map(cutouts.map((word) => [word, 0]));
  const take = ({ name }: Claim, record: SegmentsRecord) => {
    done++;
    for (const word of Object.keys(record.files.cutouts)) cutOut.set(word, (cutOut.get(word) ?? 0) + 1);
    sheet.add(name, record);
    if (options.json) given.terminal.out(JSON.stringify(record));
  };
  for (const photo of photos) {
    const { path } = photo;
    const stamp = await stat(path).then(
      ({ size, mtimeMs }) => ({ bytes: size, modified: Math.floor(mtimeMs) }),
      (error) => systemReason(error),
    );
    if (typeof stamp === 'string') {
      jobs.push({ path, reason: stamp });
      continue;
    }
    const claim = await results.claim(photo);
    const { before } = claim;
    const isDone = before?.settings === facts.settings && sameStamp(before.source, stamp);
    if (isDone && (await results.isWhole(claim, before))) take(claim, before);
    else jobs.push({ claim, stamp });
  }
  if (done > 0) terminal.log(`${countIn(done, photos.length, 'photos')} done before`);

  const began = performance.now();
  const failed = new Map<string, string>();
  /** Also with what earlier runs found in other photos. */
  const tellSheet = async (): Promise<void> => {
    if (done === 0) return;
    for await (const { name, record } of results.others()) sheet.add(name, record);
    const page = await sheet.write(options.out, { notes, failed });
    const earlier = sheet.length - done;
    const more = earlier > 0 ? ` (with ${count(earlier, 'photos')} of earlier runs)` : '';
    terminal.out(`all on one page: ${pathToFileURL(page)}${more}`);
  };
  if (jobs.length > 0) {
    const resultsOptions: ResultsOptions = {
      folder: options.out,
      withBackground: options.background !== undefined || (options.rules.background?.length ?? 0) > 0,
      cutouts,
      letters,
      colour: classColours(classes),
      facts,
    };
    const work = async (device: Device, interruption: Interruption): Promise<void> => {
      using model = await loadModel(context, device, opened, options);
      const asWords = classes.map((one) => one.words);
      await embedNames(context, model, asWords, interruption, options.rules.background);
      const progress = new Progress(terminal, 'segmenting', jobs.length, 'photos');
      try {
        for (const [i, job] of jobs.entries()) {
          stopIfAsked(context, interruption, i, jobs.length);
          try {
            if ('reason' in job) throw new ImageError('segment', job.path, job.reason);
            const { path } = job.claim.photo;
            const photo = await readPhoto(path);
            const found = await model.segment(photo, asWords, {
              threshold: options.background,
              ...options.rules,
              short: options.short,
              window: options.window,
              stride: options.stride,
              mode: options.mode,
              scoring: options.scoring,
              top: options.top,
            });
            // A class is called by its own name also where only its synonyms are known.
            const result = { ...found, names: ['background', ...names] };
            const record = await writeResults(photo, job.stamp, job.claim, result, resultsOptions);
            take(job.claim, record);
            progress.say(
              `${path}: ${summary(result)} → ${join(options.out, job.claim.name, '..', record.files.overlay)}`,
              'out',
            );
          } catch (error) {
            if (!(error instanceof ImageError)) throw error;
            failed.set(error.file, error.reason);
            if (options.json) given.terminal.out(JSON.stringify({ photo: error.file, error: error.reason }));
            progress.say(`skipped ${error.file}: ${error.reason}`, 'note');
          }
          progress.at(i + 1);
        }
      } finally {
        progress.stop();
      }
    };
    await withDevice(context, options.adapter, work).catch(async (error: unknown) => {
      if (error instanceof Interrupted) await tellSheet();
      throw error;
    });
  }
  const seconds = (performance.now() - began) / 1000;
  const fresh = jobs.length - failed.size;
  if (fresh > 0) terminal.log(`${count(fresh, 'photos')} in ${formatDuration(seconds)}, written to ${options.out}`);
  for (const [word, times] of cutOut) terminal.out(`${word}: cut out of ${countIn(times, done, 'photos')}`);
  await tellSheet();
  if (failed.size > 0) {
    for (const [path, reason] of failed) terminal.error(`  ${path}: ${reason}`);
    const others = done > 0 ? '; the others are done' : '';
    throw new UsageError(`segment: ${countIn(failed.size, photos.length, 'photos')} could not be read${others}`);
  }
}

/** Photos that are misspelt or no photos are told before the model is loaded, unless there is one to be done. */
async function checkAnyReads(paths: readonly string[]): Promise<void> {
  const reasons: string[] = [];
  for (const path of paths) {
    try {
      await readPhoto(path);
      return;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      reasons.push(`${path}: ${error.reason}`);
    }
  }
  throw new UsageError(shortList(reasons));
}

function stopIfAsked({ terminal }: Context, { signal }: Interruption, done: number, all: number): void {
  if (!signal) return;
  terminal.log(
    `stopped after ${countIn(done, all, 'photos')}; what was written is whole, and the same command goes on`,
  );
  throw new Interrupted(signal);
}

function sameStamp(before: PhotoStamp, now: PhotoStamp): boolean {
  return before.bytes === now.bytes && before.modified === now.modified;
}

/** What records say of how they were made, and the hash of it and of all else that decides what is written. */
async function settingsOf(
  opened: ModelAndText,
  unknown: KnownNames['unknown'],
  drawn: unknown,
  options: ReturnType<typeof withNaming<SegmentArguments>>,
): Promise<ResultsOptions['facts']> {
  const made = {
    options: {
      background: options.background ?? null,
      mode: options.mode,
      scoring: options.scoring,
      top: options.top,
      scale: options.scale,
      short: options.short ?? null,
      window: options.window ?? null,
      stride: options.stride ?? null,
      ...options.rules,
      templates: options.templates,
      mean_first: options.meanFirst,
      tokenizer: options.tokenizer,
    },
    unknown: unknown.map(({ name }) => name),
    model: modelFacts(opened),
    clip: 'clip' in opened ? { name: opened.clip.name, weights: await opened.clip.weightsHash() } : null,
  };
  const settings = settingsHash([made, opened.kind === 'clip' ? '' : await hashFiles([opened.file]), drawn]);
  return { ...made, settings };
}

function summary({ labels, names }: OpenVocabularyResult): string {
  const fractions = classFractions(labels.data);
  const first = fractions.slice(0, 4).map(({ label, fraction }) => `${names[label]} ${wholePercent(fraction)}`);
  const more = fractions.length > 4 ? ` and ${fractions.length - 4} more` : '';
  return `${first.join(', ')}${more}`;
}
