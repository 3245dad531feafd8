import { readdir } from 'node:fs/promises';
import { experiments } from '@zeroseg/core/internal';
import { presets as configurations, scenePresets } from '@zeroseg/core/zeroseg';
import { Argument, Command, Option } from 'commander';
import { isLeftover, LOCK_FILE } from '../files/index.ts';
import { type ComparisonName, comparisonTables } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  gather,
  offering,
  oneOf,
  seedRange,
  UsageError,
  wholeNumber,
  wholeNumbers,
} from '../shell/index.ts';
import { NEW } from '../studies/index.ts';
import { builtIn } from '../weights/index.ts';
import type { AblationArguments, AblationName } from './experiments/ablation-run.ts';
import { experimentAblation, sizes } from './experiments/ablations.ts';
import { experimentFigure, type SheetFigure, sheetFigures } from './experiments/figures.ts';
import { experimentHours } from './experiments/hours.ts';
import { experimentStudy } from './experiments/human-study.ts';
import { experimentTable } from './experiments/tables.ts';

interface ExperimentArguments extends AblationArguments {
  readonly model?: readonly string[];
  readonly data?: readonly string[];
  readonly photos?: readonly string[];
  readonly names: string;
  readonly votes?: readonly string[];
  readonly images: number;
  readonly limit?: number;
  readonly eval?: readonly string[];
  readonly segment?: readonly string[];
}

const presets = Object.keys(scenePresets) as (keyof typeof scenePresets)[];
const ablations = [...Object.keys(experiments), 'fig3'] as AblationName[];
const tables = Object.keys(comparisonTables) as ComparisonName[];
const names: readonly string[] = [...ablations, ...tables, 'table2', 'table8', ...sheetFigures].sort((a, b) =>
  a.localeCompare(b, 'en', { numeric: true }),
);

/** Photos of ImageNet-1k. */
const IMAGENET = 1_281_167;

/** `zeroseg experiment`: the tables and figures of the paper. */
export function experimentCommand(context: Context): Command {
  return new Command('experiment')
    .description(
      'repeat an ablation of the paper in miniature: table3 (grids), table4 (losses), table5 (mask ratio), fig3; or add one option\n' +
        'beyond the paper after the other: beyond; or score models on data sets beside published figures: table1, table6 (classes), table9;\n' +
        'or show what models find among many names: fig4, fig5, fig6, and ask people which they prefer: table2; or measure hours: table8',
    )
    .addArgument(offering(new Argument('<name>', names.join(', ')), ...names))
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
    .option('--clip <place>', `the teacher: folder or file of a CLIP, or ${builtIn}`, builtIn)
    .addOption(
      offering(
        new Option('--config <name or file>', 'the student: a configuration or a JSON file').default('scenes'),
        ...Object.keys(configurations),
      ),
    )
    .option('--set <key=value>', 'another value for a key of the configuration; may come more than once', gather)
    .option('--init <file>', `what students begin with, as \`zeroseg train\` takes it; or ${NEW}`, builtIn)
    .option(
      '--objects-only',
      'of table3, table4, table5 and fig3: grounds without names, scored over objects and background (docs/fair-test.md)',
    )
    .option('--quick', 'a few steps on a few scenes: shows that it works, and means nothing')
    .option(
      '--model <place>',
      'of table1, table2, table6, table9 and fig4 to fig6: a model, as `zeroseg eval` takes it; may come more than once',
      gather,
    )
    .option(
      '--data <kind=place>',
      'of table1, table6 and table9: a data set, such as voc=VOCdevkit/VOC2012; may come more than once',
      gather,
    )
    .option(
      '--photos <place>',
      'of table2 and fig4 to fig6: photos, a folder or a pattern; may come more than once',
      gather,
    )
    .option('--names <list>', 'of these: names to choose from, as `zeroseg segment --classes`', 'imagenet')
    .option('--votes <file>', 'of table2: votes that the page saved; may come more than once', gather)
    .option('--images <n>', 'of table8: photos of the training that is asked about', wholeNumber(), IMAGENET)
    .option(
      '--limit <n>',
      'of table1, table6, table9: only the first photos; of table2 (200) and figures (6): photos, drawn by the first of --seeds',
      wholeNumber(),
    )
    .option(
      '--eval <option>',
      'of table1, table6 and table9: an option of `zeroseg eval`, such as --eval=--scoring=softmax; may come more than once',
      gather,
    )
    .option('--segment <option>', 'of table2 and fig4 to fig6: an option of `zeroseg segment`, in the same way', gather)
    .option(
      '--plan',
      'only tell what would run, how long by the time of a few photos or steps, and what it takes on the disk',
    )
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg experiment table4 --out out/ablations\n' +
        '  zeroseg experiment fig3 --out out/ablations\n' +
        '  zeroseg experiment table1 --model built-in --data voc=VOCdevkit/VOC2012 --out out/table1\n' +
        '  zeroseg experiment fig4 --model out/run --model models/groupvit --photos photos --out out/fig4\n' +
        '  zeroseg experiment table8 --config base --clip models/clip-vit-large-patch14 --out out/table8\n\n' +
        'In one folder they share scenes, features and runs. Stop at any time: the same command goes on.',
    )
    .action(async (name: string, options: ExperimentArguments, command: Command) => {
      const isGiven = command.getOptionValueSource('clip') === 'cli';
      const { clip, eval: evalOptions = [], segment: segmentOptions = [], seeds, ...rest } = options;
      const ofModels = { ...rest, ...(isGiven && { clip }) };
      if (names.includes(name)) await refuseOthers(options.out);
      const ofPhotos = { ...ofModels, segmentOptions, seed: seeds?.[0] ?? 1 };
      if ((ablations as readonly string[]).includes(name))
        return experimentAblation(context, name as AblationName, options);
      if ((tables as readonly string[]).includes(name)) {
        return experimentTable(context, name as ComparisonName, { ...ofModels, evalOptions });
      }
      if ((sheetFigures as readonly string[]).includes(name)) {
        return experimentFigure(context, name as SheetFigure, ofPhotos);
      }
      if (name === 'table2') return experimentStudy(context, ofPhotos);
      if (name === 'table8') return experimentHours(context, options);
      throw new UsageError(`experiment: there is no '${name}'; give ${names.join(', ')}`);
    });
}

/** What experiments write in their folder. */
const own = /^(?:data|runs|times|results|segments|study|(?:table\d|fig\d|beyond)(?:-\d+)?(?:\.\w+)?)$/;

/** A folder of something else stays as it is. */
async function refuseOthers(folder: string): Promise<void> {
  const found = await readdir(folder).catch((): string[] => []); // what is wrong with it is told by what writes
  const visible = found.filter((name) => !name.startsWith('.') && name !== LOCK_FILE && !isLeftover(name));
  if (visible.length === 0 || visible.some((name) => own.test(name))) return;
  throw new UsageError(
    `experiment: ${folder}: the folder is not empty (${visible[0]}) and holds no experiment; choose another --out`,
  );
}
