import type { Baseline, TemplateSet } from '@zeroseg/core/internal';
import {
  promptTemplates,
  SceneMaker,
  type SceneScore,
  type SceneScores,
  type ScoreScenesOptions,
  type StudentScore,
  scenePresets,
  sceneScore,
  sceneSide,
  scoreScenes,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { writeNamedFile } from '../files/files.ts';
import { loadAtlas } from '../photos/scene-folder.ts';
import { oneOf, seedRange, wholeNumber } from '../shell/arguments.ts';
import { adapterOption, type Context, withDevice } from '../shell/context.ts';
import { Interrupted, UsageError } from '../shell/errors.ts';
import { count, formatDuration, formatShare, Progress, printLines, quietTerminal } from '../shell/terminal.ts';
import { builtIn } from '../weights/built-in.ts';
import { kindOfPath } from '../weights/weight-files.ts';
import { embedNames, loadModel, openModelAndClip } from './model-and-words.ts';
import { parseNames, parseNamesOrCount } from './scenes.ts';

interface ScoreArguments {
  readonly model: string;
  readonly clip: string;
  readonly scenes: number;
  readonly seed: number;
  readonly classes: readonly string[] | number;
  readonly styles?: readonly string[];
  readonly atlas?: string;
  readonly size?: number;
  readonly templates: TemplateSet;
  readonly scoring: NonNullable<ScoreScenesOptions['scoring']>;
  readonly top: number;
  readonly json?: boolean;
  readonly out?: string;
  readonly force?: boolean;
  readonly adapter?: string;
}

/** Added to the seed: trainings use small ones and validate on those from a million on. */
export const SCORING_SEED = 500_000_000;

/** `zeroseg score`: a student and what it is compared with, on scenes that nothing was trained on. */
export function scoreCommand(context: Context): Command {
  const sets = Object.keys(promptTemplates) as TemplateSet[];
  return new Command('score')
    .description(
      'score a model on made-up scenes, beside guessing, its teacher, clusters and the best that patches can do',
    )
    .option('--model <place>', `model file, run folder of \`zeroseg train\`, or ${builtIn}`, builtIn)
    .option('--clip <place>', "the teacher that made the model's features", builtIn)
    .option('--scenes <n>', 'how many', wholeNumber(), 500)
    .option('--seed <n>', 'which ones; never those of any training', wholeNumber(...seedRange), 1)
    .option('--classes <names>', 'objects: "cat, dog", or how many of the fixed order', parseNamesOrCount, 40)
    .option('--styles <names>', 'drawing styles (default: all of the atlas)', parseNames)
    .option('--atlas <folder>', 'atlas.png and atlas.json of other cut-outs, such as of a style that training left out')
    .option(
      '--size <pixels>',
      'side of the scenes (default: twice that of training, or that of training from 65 pixels on)',
      wholeNumber(8, 4096),
    )
    .option('--templates <set>', `sentences around names: ${sets.join(', ')}`, oneOf(...sets), 'full')
    .option(
      '--scoring <kind>',
      'softmax, or groupvit (times the softmax of the few classes that the whole image lets through, which small models choose badly)',
      oneOf('groupvit', 'softmax'),
      'softmax',
    )
    .option('--top <n>', 'classes that the whole image lets through', wholeNumber(1, 65_535), 5)
    .option('--json', 'print the result as JSON, all else on standard error')
    .option('--out <file>', 'write the result as JSON')
    .option('--force', 'even if the model was trained with another teacher')
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg score --model out/run --scenes 500 --seed 7 --out scores.json')
    .action((options: ScoreArguments) => score(context, options));
}

async function score(given: Context, options: ScoreArguments): Promise<void> {
  const context = options.json ? { terminal: quietTerminal(given.terminal) } : given;
  const { terminal } = context;
  if (options.out && (await kindOfPath(options.out)) === 'folder') {
    throw new UsageError(`score: --out ${options.out}: this is a folder; give a file`);
  }
  const opened = await openModelAndClip(context, options);
  const scenes = await scoringScenes({ ...options, size: options.size ?? sceneSide(opened.info.config) });
  // What the package brings is told from what was trained here.
  const kind = options.model === builtIn ? 'shipped' : 'fresh';

  await withDevice(context, options.adapter, async (device, interruption) => {
    const kinds = `${count(scenes.objectCount, 'objects')} and ${scenes.names.length - scenes.objectCount} kinds of stuff`;
    terminal.out(`${count(options.scenes, 'scenes')} of seed ${options.seed}, ${kinds}, on ${device.name}`);
    using model = await loadModel(device, opened, { templates: options.templates });
    const vocabulary = await embedNames(context, model, scenes.names, interruption);
    const progress = new Progress(terminal, 'scoring', options.scenes, 'scenes');
    const began = performance.now();
    let scores: SceneScores;
    try {
      scores = await scoreScenes(device, {
        scenes,
        seed: SCORING_SEED + options.seed,
        count: options.scenes,
        vocabulary,
        teacher: opened.clip.vision(device),
        students: { [kind]: model.model },
        scoring: options.scoring,
        top: options.top,
        progress: (done, all) => {
          const so = all.get(`${kind} ${options.scoring}`);
          progress.at(done, so && `objects ${formatShare(sceneScore(so, scenes.objectCount).objects)} so far`);
          return interruption.signal === undefined;
        },
      });
    } finally {
      progress.stop();
    }
    if (interruption.signal) {
      terminal.out(`stopped after ${count(scores.scenes, 'scenes')}; a score of a part is not reported`);
      throw new Interrupted(interruption.signal);
    }
    const result = {
      ...scores.students,
      baselines: scores.baselines,
      scenes: scores.scenes,
      seed: options.seed,
      size: scenes.options.size,
      names: scenes.names,
      objects: scenes.objectCount,
      styles: scenes.options.styles ?? null,
      atlas: options.atlas ?? null,
      options: { scoring: options.scoring, top: options.top, templates: options.templates },
      model: { file: options.model, step: opened.info.step, teacher: opened.info.teacher },
      adapter: device.name,
    };
    const json = JSON.stringify(result, undefined, 2);
    if (options.json) printLines(given.terminal.out, json);
    for (const line of scoreTable(scores, { [kind]: `student (${kind})` })) terminal.out(line);
    terminal.out(`${count(scores.scenes, 'scenes')} in ${formatDuration((performance.now() - began) / 1000)}`);
    if (options.out) await writeNamedFile(options.out, `${json}\n`);
  });
}

/** Crowded scenes with a name for every pixel. The first so many classes are those of the package's atlas, whatever the atlas. */
export async function scoringScenes({
  classes,
  size,
  styles,
  atlas,
}: Pick<ScoreArguments, 'classes' | 'styles' | 'atlas'> & { readonly size: number }): Promise<SceneMaker> {
  const own = await loadAtlas();
  const options = { ...scenePresets.crowded, size, named: 1 };
  const { names, objectCount } = new SceneMaker(own, { ...options, classes });
  return new SceneMaker(atlas === undefined ? own : await loadAtlas(atlas), {
    ...options,
    classes: names.slice(0, objectCount),
    ...(styles === undefined ? {} : { styles }),
  });
}

/** What each baseline is, for people. */
export const baselineWords: Readonly<Record<Baseline, string>> = {
  crops: 'teacher on 4 × 4 crops',
  plain: "teacher's patches (plain)",
  value: "teacher's patches (value)",
  kmeans: 'k-means of patches',
  ceiling: 'ceiling of the patch grid',
  chance: 'chance',
};

/** Scores as a table, the students first. */
export function scoreTable({ students, baselines }: SceneScores, titles: Readonly<Record<string, string>>): string[] {
  const ways = (name: string, { scoring, others, ...own }: StudentScore): [string, SceneScore][] => [
    [`${name}, ${scoring}`, own],
    ...Object.entries(others).map(([way, other]): [string, SceneScore] => [`${name}, ${way}`, other]),
  ];
  const rows: [string, SceneScore][] = [
    ...Object.entries(students).flatMap(([key, student]) => ways(titles[key] ?? key, student)),
    ...Object.entries(baselines).map(([key, own]): [string, SceneScore] => [baselineWords[key as Baseline], own]),
  ];
  const widest = Math.max(...rows.map(([name]) => name.length));
  const cells = ({ objects, stuff, accuracy }: SceneScore) =>
    [objects, stuff, accuracy].map((value) => formatShare(value).padStart(9)).join('');
  return [
    `${'mean IoU'.padEnd(widest)}  objects    stuff   pixels right`,
    ...rows.map(([name, own]) => `${name.padEnd(widest)}${cells(own)}`),
    ...Object.entries(students).map(([key, own]) => `${titles[key] ?? key}: ${habitWords(own)}`),
  ];
}

function habitWords({ groupsUsed, things, entropy, namesPresent, nearestGrids }: StudentScore): string {
  const grids = Object.entries(nearestGrids).map(
    ([grid, share]) => `${grid.replace('x', ' × ')} ${formatShare(share)}`,
  );
  return (
    `${groupsUsed.toFixed(2)} segments in use for ${things.toFixed(2)} things a scene; entropy ${entropy.rollout.toFixed(2)} ` +
    `(stages ${entropy.first.toFixed(2)}, ${entropy.second.toFixed(2)}); the image embedding names an object that is there in ` +
    `${formatShare(namesPresent)}; nearest views ${grids.join(', ')}`
  );
}
