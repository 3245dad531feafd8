import { basename, extname, join } from 'node:path';
import {
  classColour,
  classShares,
  drawSegmentation,
  type Image,
  type ModelAndText,
  type OpenVocabularyResult,
  pascalPalette,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { writeFileAtomic } from '../files/index.ts';
import {
  fixedDataSets,
  ImageError,
  interLettering,
  listPhotos,
  readPhoto,
  writeLabelPng,
  writePng,
} from '../photos/index.ts';
import {
  type Context,
  count,
  embedNames,
  formatDuration,
  Interrupted,
  knownNames,
  loadModel,
  type ModelAndWordsArguments,
  modelAndWordsOptions,
  modelFacts,
  openModelAndWords,
  Progress,
  parseClasses,
  tellImagery,
  UsageError,
  withDevice,
  withNaming,
} from '../shell/index.ts';
import { builtIn, kindOfPath } from '../weights/index.ts';

export interface SegmentArguments extends ModelAndWordsArguments {
  readonly classes: string;
  readonly out: string;
}

/** `zeroseg segment`: photos divided into what words name. */
export function segmentCommand(context: Context): Command {
  const command = new Command('segment')
    .description('segment photos by words')
    .argument('<photos...>', 'photos, or folders of them')
    .requiredOption(
      '--classes <names>',
      `"dog, sofa, window"; ${fixedDataSets.map(([name]) => name).join(', ')} or imagenet; or @file.txt, one a line`,
    )
    .option('--out <folder>', 'where NAME.overlay.png, NAME.labels.png and NAME.json are written', 'out/segments');
  return modelAndWordsOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg segment photo.jpg --classes "cat, grass"\n' +
        '  zeroseg segment dog.jpg --model out/run --clip models/clip-vit-large-patch14 ' +
        '--classes "dog, sofa, window" --background 0.3 --out out/segments',
    )
    .action(async (photos: string[], options: SegmentArguments) => {
      await segment(context, photos, options);
    });
}

/** Segments photos; returns the overlays that were written. */
export async function segment(context: Context, places: readonly string[], given: SegmentArguments): Promise<string[]> {
  const { terminal } = context;
  const asked = await parseClasses(given.classes);
  const photos = await findPhotos(places);
  const opened = await openModelAndWords(context, given);
  const options = withNaming(opened, given);
  const { names } = knownNames(context, opened.text, asked, {
    option: '--classes',
    clip: given.clip ?? builtIn,
  });
  await tellImagery(
    context,
    opened.text,
    photos.map(({ path }) => path),
  );
  const written: string[] = [];
  await withDevice(context, options.adapter, async (device, interruption) => {
    using model = await loadModel(context, device, opened, options);
    await embedNames(context, model, names, interruption);
    const progress = new Progress(terminal, 'segmenting', photos.length, 'photos');
    const began = performance.now();
    const failed: string[] = [];
    try {
      for (const [i, { path, name }] of photos.entries()) {
        if (interruption.signal) {
          terminal.out(`stopped after ${count(i, 'photos')} of ${photos.length}; what was written is whole`);
          throw new Interrupted(interruption.signal);
        }
        try {
          const photo = await readPhoto(path);
          const result = await model.segment(photo, names, {
            threshold: options.background,
            short: options.short,
            stride: options.stride,
            mode: options.mode,
            scoring: options.scoring,
            top: options.top,
          });
          const overlay = await writeResult(photo, path, name, result, opened, options);
          written.push(overlay);
          progress.say(`${path}: ${summary(result)} → ${overlay}`);
        } catch (error) {
          if (!(error instanceof ImageError)) throw error;
          failed.push(path);
          progress.say(`skipped ${path}: ${error.reason}`, 'note');
        }
        progress.at(i + 1);
      }
    } finally {
      progress.stop();
    }
    if (written.length === 0) throw new UsageError(`segment: none of ${count(photos.length, 'photos')} could be read`);
    const seconds = (performance.now() - began) / 1000;
    const broken = failed.length > 0 ? `; ${count(failed.length, 'photos')} could not be read` : '';
    terminal.out(
      `${count(written.length, 'photos')} in ${formatDuration(seconds)}, written to ${options.out}${broken}`,
    );
  });
  return written;
}

/** The photos that are meant, each with a name of its own for what is written. */
async function findPhotos(places: readonly string[]): Promise<{ path: string; name: string }[]> {
  const paths: string[] = [];
  for (const place of places) {
    if ((await kindOfPath(place)) === 'folder') {
      for (const path of await listPhotos(place)) paths.push(join(place, path));
    } else paths.push(place);
  }
  const taken = new Set<string>();
  return paths.map((path) => {
    const own = basename(path, extname(path));
    let name = own;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${own}-${n}`;
    taken.add(name.toLowerCase());
    return { path, name };
  });
}

async function writeResult(
  photo: Image,
  path: string,
  name: string,
  { labels, windows, resized, names: [, ...names] }: OpenVocabularyResult,
  opened: ModelAndText,
  options: SegmentArguments,
): Promise<string> {
  const withBackground = options.background !== undefined;
  const files = {
    overlay: join(options.out, `${name}.overlay.png`),
    labels: join(options.out, `${name}.labels.png`),
    json: join(options.out, `${name}.json`),
  };
  const drawn = [withBackground ? 'background' : undefined, ...names];
  const within = { within: options.out };
  await writePng(files.overlay, drawSegmentation(photo, labels, { names: drawn, lettering: interLettering() }), within);
  await writeLabelPng(files.labels, labels, pascalPalette(Math.min(256, names.length + 1)), within);
  const classes = classShares(labels.data).map(({ label, share }) => ({
    label,
    name: label === 0 ? 'background' : names[label - 1],
    share,
    colour: classColour(label),
  }));
  const description = {
    photo: path,
    width: photo.width,
    height: photo.height,
    classes,
    files: { overlay: basename(files.overlay), labels: basename(files.labels) },
    names,
    resized,
    windows: windows.map(({ box }) => box),
    options: {
      background: options.background ?? null,
      mode: options.mode,
      scoring: options.scoring,
      top: options.top,
      templates: options.templates,
      mean_first: options.meanFirst ?? false,
      tokenizer: options.tokenizer,
    },
    model: modelFacts(opened),
    clip: opened.kind === 'zeroseg' ? { name: opened.clip.name, weights: await opened.clip.weightsHash() } : null,
  };
  await writeFileAtomic(files.json, `${JSON.stringify(description, undefined, 2)}\n`, within);
  return files.overlay;
}

function summary({ labels, names }: OpenVocabularyResult): string {
  const shares = classShares(labels.data).slice(0, 4);
  return shares.map(({ label, share }) => `${names[label]} ${Math.round(share * 100)} %`).join(', ');
}
