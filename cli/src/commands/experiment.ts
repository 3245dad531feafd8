import { join } from 'node:path';
import { type ExperimentName, experiments } from '@zeroseg/core/internal';
import { scenePresets, type ZeroSeg } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { FolderLock, refuseLinks, sweepLeftovers } from '../files/index.ts';
import { lossFigure, writeExperiment } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  commandText,
  count,
  formatDuration,
  gather,
  Interrupted,
  oneOf,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  wholeNumbers,
  withDevice,
} from '../shell/index.ts';
import {
  type ExperimentArguments,
  type Lab,
  NEW,
  plan,
  prepare,
  type Sizes,
  scoreRuns,
  timeSteps,
  trainMissing,
  vocabularyOf,
  withModel,
} from '../studies/index.ts';
import { builtIn, openClip } from '../weights/index.ts';

/** Sizes with which table 4 takes some twenty-five minutes on two cores without a GPU, and those of `--quick`. */
const sizes: Sizes = { seeds: [1, 2, 3], steps: 300, scenes: 1024, unseen: 200, set: [], templates: 'full' };
const quickSizes: Sizes = { seeds: [1, 2], steps: 4, scenes: 32, unseen: 6, set: ['batch=8'], templates: 'simple' };
/** Scenes on a sheet of Fig. 3. */
const FIGURE_SCENES = 6;

const presets = Object.keys(scenePresets) as (keyof typeof scenePresets)[];
const names = [...Object.keys(experiments), 'fig3'] as (ExperimentName | 'fig3')[];

/** `zeroseg experiment`: the paper's ablations on made-up scenes. */
export function experimentCommand(context: Context): Command {
  return new Command('experiment')
    .description(
      'repeat an ablation of the paper in miniature: table3 (grids), table4 (losses), table5 (mask ratio), fig3; or add one option\n' +
        'beyond the paper after the other: beyond',
    )
    .argument('<name>', names.join(', '))
    .requiredOption('--out <folder>', 'table, plot, and all runs; one that was stopped goes on')
    .option('--seeds <list>', 'trainings of every row, by seed (default: 1,2,3)', wholeNumbers(seedRange[1], 1000))
    .option('--steps <n>', `length of a training (default: ${sizes.steps})`, wholeNumber())
    .option('--scenes <n>', `scenes to train on (default: ${sizes.scenes})`, wholeNumber())
    .option('--unseen <n>', `scenes to score on, never seen in training (default: ${sizes.unseen})`, wholeNumber())
    .option(
      '--classes <n>',
      'kinds of objects: few, so that short trainings meet each of them often',
      wholeNumber(),
      12,
    )
    .option(
      '--preset <name>',
      `what scenes to train on are like: ${presets.join(', ')}`,
      oneOf(...presets),
      'objectCentric',
    )
    .option('--clip <place>', 'the teacher', builtIn)
    .option('--config <name>', 'the student: a configuration or a JSON file', 'scenes')
    .option('--set <key=value>', 'another value for a key of the configuration; may come more than once', gather)
    .option('--init <file>', `what students begin with, as \`zeroseg train\` takes it; or ${NEW}`, builtIn)
    .option('--quick', 'a few steps on a few scenes: shows that it works, and means nothing')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg experiment table4 --out out/ablations\n' +
        '  zeroseg experiment fig3 --out out/ablations\n\n' +
        'In one folder they share scenes, features and runs. Stop at any time: the same command goes on.',
    )
    .action((name: string, options: ExperimentArguments) => experiment(context, name, options));
}

async function experiment(context: Context, name: string, given: ExperimentArguments): Promise<void> {
  if (!names.includes(name as ExperimentName)) {
    throw new UsageError(`experiment: there is no '${name}'; give ${names.join(', ')}`);
  }
  const { set = [], ...rest } = given;
  const usual = given.quick ? quickSizes : sizes;
  // Only the paper's losses: what a configuration adds to them is left out here, unless it is asked for.
  const options = { ...usual, ...rest, set: ['w_compose=0', ...usual.set, ...set], given: set };
  const clip = await openClip(options.clip);
  const lock = await FolderLock.take('experiment', options.out);
  try {
    await refuseLinks(options.out, 'data', 'runs', 'times', name);
    await sweepLeftovers(options.out);
    await withDevice(context, options.adapter, async (device, interruption) => {
      const lab = await prepare({ context, device, interruption, options, clip, lock });
      try {
        if (name === 'fig3') await figure3(lab);
        else await table(lab, name as ExperimentName);
      } finally {
        await lab.cache.close();
      }
    });
  } finally {
    await lock.release();
  }
}

async function table(lab: Lab, name: ExperimentName): Promise<void> {
  const { context, device, options, interruption, base, scoring, identity } = lab;
  const { terminal } = context;
  const began = performance.now();
  const made = experiments[name];
  const planned = plan(lab, made.settings);
  // First, while nothing else is warm: it is short, and its numbers are the ones that noise disturbs.
  const times = name === 'table5' ? await timeSteps(lab, made) : undefined;
  const ended = await trainMissing(lab, planned);
  const scored = interruption.signal ? [] : await scoreRuns(lab, ended);
  if (interruption.signal) {
    terminal.out(
      `stopped: ${ended.length} of ${count(planned.length, 'runs')} are done and kept in ${options.out}; the same command goes on`,
    );
    throw new Interrupted(interruption.signal);
  }
  const files = await writeExperiment(lab.lock, name, {
    experiment: made,
    runs: scored,
    planned: planned.length,
    times,
    about: {
      version,
      adapter: device.name,
      command: commandOf(name, options),
      seeds: options.seeds,
      steps: options.steps,
      preset: options.preset,
      teacher: lab.teacher,
      training: identity,
      scoring,
      names: lab.unseen.names.length,
      config: base.config,
      settings: base.settings,
      init: options.init,
      isQuick: options.quick ?? false,
    },
  });
  for (const line of files.lines) terminal.out(line);
  for (const file of files.files) terminal.out(file);
  terminal.out(`${count(planned.length, 'runs')} in ${formatDuration((performance.now() - began) / 1000)}`);
}

/** The command with all that decides its numbers, to be run again. */
function commandOf(name: ExperimentName, options: Lab['options']): string {
  const { out, seeds, steps, scenes, unseen, classes, preset, clip, config, given, init, quick } = options;
  const lengths = { out, seeds: seeds.join(','), steps, scenes, unseen, classes };
  return commandText(`experiment ${name}`, { ...lengths, preset, clip, config, set: given, init, quick });
}

/** Fig. 3: three of table 4's models on the same unseen scenes. */
async function figure3(lab: Lab): Promise<void> {
  const { context, options, interruption, device, unseen, scoring } = lab;
  const shown = experiments.table4.settings.filter(({ key }) => key !== 'matching');
  const seed = options.seeds[0] as number;
  const planned = plan(lab, shown, [seed]);
  const ended = await trainMissing(lab, planned);
  if (interruption.signal) {
    context.terminal.out(
      `stopped: ${ended.length} of ${count(planned.length, 'runs')} are kept; the same command goes on`,
    );
    throw new Interrupted(interruption.signal);
  }
  const vocabulary = await vocabularyOf(lab);
  const scenes = Array.from({ length: Math.min(FIGURE_SCENES, options.unseen) }, (_, i) =>
    unseen.scene(scoring.seed, i),
  );
  const models = planned.map(({ setting, identity }) => ({
    name: setting.name,
    look: <T>(work: (model: ZeroSeg) => Promise<T>) => withModel(lab, identity, work),
  }));
  const file = join(options.out, 'fig3.png');
  await lossFigure(file, { device, scenes, names: unseen.names, vocabulary, models, lock: lab.lock });
  context.terminal.out(file);
}
