import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { RunError } from '../node/run-folder.ts';
import { kindOfPath } from '../node/weight-files.ts';
import { wholeNumber } from './arguments.ts';
import { cache } from './cache.ts';
import { adapterOption, type Context } from './context.ts';
import { segment } from './segment.ts';
import { train } from './train.ts';

/** The photos in the package: two folders up both from src and from dist. */
const photos = fileURLToPath(new URL('../../assets/photos', import.meta.url));
const clip = 'random-tiny';
const classes = 'airplane, boat, cat, field, flower, house, leaf, mountain, person, sheep, sky, tree, water';

// Nine photos make a small batch, so the rate for 256 must be high: 2e-3 in the end.
const baseRate = 0.06;

/** Half of `tiny`: the software adapter that comes by npm must do it within minutes. */
const smaller = ['dim=64', 'depth=2', 'dec_dim=32', 'dec_depth=1', 'dec_heads=2', 'proj_hidden=128'];

/** `zeroseg demo`: the whole path on nine photos, with a teacher that knows nothing. */
export function demoCommand(context: Context): Command {
  return new Command('demo')
    .description('cache, train and segment nine photos of the package with a tiny teacher of random weights')
    .option('--out <folder>', 'where everything is written', 'out/demo')
    .option('--steps <n>', 'training steps', wholeNumber(), 60)
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg demo --out out/demo')
    .action((options: DemoArguments) => demo(context, options));
}

interface DemoArguments {
  readonly out: string;
  readonly steps: number;
  readonly adapter?: string;
}

async function demo(context: Context, { out, steps, adapter }: DemoArguments): Promise<void> {
  const { terminal } = context;
  const where = { cache: join(out, 'cache'), run: join(out, 'run'), segments: join(out, 'segments') };
  const chosen = adapter ? { adapter } : {};

  terminal.out('1. What the teacher sees in nine photos');
  await cache(context, photos, {
    clip,
    out: where.cache,
    grids: [1, 2, 3, 4],
    viewSource: 'native',
    imageSize: 64,
    shard: 256,
    flush: 60,
    force: true,
    ...chosen,
  });

  terminal.out('\n2. Training a tiny model on it');
  const training = {
    cache: where.cache,
    out: where.run,
    config: 'tiny',
    set: smaller,
    baseLr: baseRate,
    steps,
    ...chosen,
  };
  const resume = (await kindOfPath(join(where.run, 'config.json'))) !== undefined;
  try {
    await train(context, { ...training, resume });
  } catch (error) {
    if (!resume || !(error instanceof RunError)) throw error;
    terminal.out('the run in this folder was begun differently; it is begun anew');
    await rm(where.run, { recursive: true });
    await train(context, training);
  }

  terminal.out(`\n3. Segmenting the photos into: ${classes}`);
  const overlays = await segment(context, [photos], {
    model: where.run,
    clip,
    classes,
    out: where.segments,
    templates: 'identity',
    tokenizer: 'clip',
    mode: 'slide',
    scoring: 'groupvit',
    top: 5,
    ...chosen,
  });
  terminal.out(
    "\nThe path is proven; the words are not: the teacher's weights are random, so it cannot tell a cat from a cloud, and\n" +
      'calls everything alike. How the model divides photos is in the report. With a trained CLIP (zeroseg cache --clip\n' +
      'FOLDER) the words mean what they say.\n\n' +
      `  curves and samples  ${join(where.run, 'report.html')}\n` +
      `  ${overlays.length} overlays          ${join(where.segments, '*.overlay.png')}`,
  );
}
