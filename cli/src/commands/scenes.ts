import { SceneMaker, scenePresets } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { loadAtlas, writeScenes } from '../photos/index.ts';
import {
  type Context,
  catchInterruption,
  count,
  formatDuration,
  groundsOption,
  Interrupted,
  numberFrom,
  oneOf,
  Progress,
  parseNames,
  parseNamesOrCount,
  redrawnOption,
  seedRange,
  wholeNumber,
} from '../shell/index.ts';

interface ScenesArguments {
  readonly out: string;
  readonly count: number;
  readonly seed: number;
  readonly preset: keyof typeof scenePresets;
  readonly classes?: readonly string[] | number;
  readonly size: number;
  readonly styles?: readonly string[];
  readonly grounds?: readonly string[];
  readonly named?: number;
  readonly redrawn?: number;
  readonly atlas?: string;
}

const presets = Object.keys(scenePresets) as (keyof typeof scenePresets)[];

/** `zeroseg scenes`: made-up pictures with exact label maps, as a data set. */
export function scenesCommand(context: Context): Command {
  return new Command('scenes')
    .description('make pictures with exact label maps and captions, laid out as PASCAL VOC')
    .requiredOption('--out <folder>', 'where they are written; scenes that are there are replaced')
    .option('--count <n>', 'how many', wholeNumber(), 500)
    .option('--seed <n>', 'which ones: a seed gives the same scenes everywhere', wholeNumber(...seedRange), 1)
    .option(
      '--preset <name>',
      'crowded (up to four things, for scoring), objectCentric (one or two that fill the picture) or mixed (for training)',
      oneOf(...presets),
      'crowded',
    )
    .option(
      '--classes <names>',
      'objects: "cat, dog", or how many of the fixed order (default: all 137)',
      parseNamesOrCount,
    )
    .option('--size <pixels>', 'side of the pictures', wholeNumber(8, 4096), 64)
    .option('--styles <names>', 'drawing styles (default: all of the atlas)', parseNames)
    .option(...groundsOption)
    .option('--named <fraction>', 'fraction of scenes whose ground has a name (default: 0.8)', numberFrom(0, 1))
    .option(...redrawnOption)
    .option('--atlas <folder>', "atlas.png and atlas.json of other cut-outs (default: the package's)")
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg scenes --out out/scenes --count 500 --seed 1 --classes 40\n' +
        '  zeroseg cache out/scenes/JPEGImages --clip models/clip --out out/cache\n' +
        '  zeroseg eval --data scenes --root out/scenes --model out/run --clip models/clip',
    )
    .action((options: ScenesArguments) => makeScenes(context, options));
}

/** Makes a folder of scenes. */
export async function makeScenes({ terminal }: Context, options: ScenesArguments): Promise<void> {
  const { out, seed, preset, size, classes, styles, grounds, named, redrawn } = options;
  const scenes = new SceneMaker(await loadAtlas(options.atlas), {
    ...scenePresets[preset],
    size,
    ...(classes === undefined ? {} : { classes }),
    ...(styles === undefined ? {} : { styles }),
    ...(grounds === undefined ? {} : { grounds }),
    ...(named === undefined ? {} : { named }),
    ...(redrawn === undefined ? {} : { redrawn }),
  });
  const interruption = catchInterruption();
  const progress = new Progress(terminal, 'painting', options.count, 'scenes');
  const began = performance.now();
  try {
    await writeScenes(out, scenes, {
      seed,
      count: options.count,
      signal: interruption.abortSignal,
      onProgress: ({ done }) => progress.at(done),
    });
  } catch (error) {
    if (error instanceof Interrupted) terminal.log('stopped; nothing was written');
    throw error;
  } finally {
    progress.stop();
    interruption.release();
  }
  const kinds = `${count(scenes.objectCount, 'objects')} and ${scenes.names.length - scenes.objectCount} kinds of ground`;
  const time = formatDuration((performance.now() - began) / 1000);
  terminal.out(`${out}: ${count(options.count, 'scenes')} of seed ${seed}, ${kinds}, in ${time}`);
}
