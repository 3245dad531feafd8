import type { TemplateSet } from '@zeroseg/core/internal';
import { rounded } from '@zeroseg/core/internal';
import {
  promptTemplates,
  SCORING_SEED,
  type SceneScores,
  type ScoreScenesOptions,
  sceneScore,
  sceneSide,
  scoreScenes,
  scoringScenes,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { writeNamedFile } from '../files/index.ts';
import { adapterOf, agree, bindingNote, endWithOthers, joinMpi } from '../mpi/index.ts';
import { atlasHash, loadAtlas } from '../photos/index.ts';
import { scoreTable } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  checkPatches,
  checkResultFile,
  count,
  embedNames,
  formatDuration,
  formatPercent,
  type GroupArguments,
  groundsOption,
  groupOptions,
  groupRules,
  Interrupted,
  loadModel,
  notesTerminal,
  numberFrom,
  oneOf,
  openModelAndClip,
  Progress,
  parseNames,
  parseNamesOrCount,
  parseSynonyms,
  printLines,
  quietTerminal,
  type RefineArguments,
  redrawnOption,
  refineOptions,
  refineRule,
  seedRange,
  teacherPriorOption,
  tellUnknown,
  version,
  weightHashes,
  wholeNumber,
  withDevice,
  withoutUnknown,
  withSynonyms,
} from '../shell/index.ts';
import { builtIn } from '../weights/index.ts';

interface ScoreArguments extends GroupArguments, RefineArguments {
  readonly model: string;
  readonly clip: string;
  readonly scenes: number;
  readonly seed: number;
  readonly classes: readonly string[] | number;
  readonly grounds?: readonly string[];
  readonly styles?: readonly string[];
  readonly atlas?: string;
  readonly redrawn?: number;
  readonly size?: number;
  readonly templates: TemplateSet;
  readonly scoring?: NonNullable<ScoreScenesOptions['scoring']>;
  readonly top: number;
  readonly scale?: number;
  readonly json?: boolean;
  readonly out?: string;
  readonly synonyms?: string;
  readonly force?: boolean;
  readonly cache?: boolean;
  readonly adapter?: string;
}

/** `zeroseg score`: a student and what it is compared with, on scenes that nothing was trained on. */
export function scoreCommand(context: Context): Command {
  const sets = Object.keys(promptTemplates) as TemplateSet[];
  return refineOptions(teacherPriorOption(groupOptions(new Command('score'))))
    .description(
      'score a model on made-up scenes, beside guessing, its teacher, clusters and the best that patches can do',
    )
    .option('--model <place>', `model file, run folder of \`zeroseg train\`, or ${builtIn}`, builtIn)
    .option('--clip <place>', `the CLIP that made the model's features, or ${builtIn}`, builtIn)
    .option('--scenes <n>', 'how many', wholeNumber(), 500)
    .option('--seed <n>', 'which ones; never those of any training', wholeNumber(...seedRange), 1)
    .option('--classes <names>', 'objects: "cat, dog", or how many of the fixed order', parseNamesOrCount, 40)
    .option(...groundsOption)
    .option('--styles <names>', 'drawing styles (default: all of the atlas)', parseNames)
    .option('--atlas <folder>', 'atlas.png and atlas.json of other cut-outs, such as of a style that training left out')
    .option(...redrawnOption)
    .option(
      '--size <pixels>',
      'side of the scenes (default: twice that of training, or that of training from 65 pixels on)',
      wholeNumber(8, 4096),
    )
    .option('--templates <set>', `sentences around names: ${sets.join(', ')}`, oneOf(...sets), 'full')
    .option(
      '--scoring <kind>',
      "softmax, or groupvit (times the softmax of the few classes that the whole picture lets through, which small models choose badly) (default: what the model's file says, else softmax)",
      oneOf('groupvit', 'softmax'),
    )
    .option('--top <n>', 'classes that the whole picture lets through', wholeNumber(1, 65_535), 5)
    .option(
      '--scale <factor>',
      "factor on cosines before the softmax (default: what the model's file says, else that of the CLIP)",
      numberFrom(1e-6, 1e4),
    )
    .option('--synonyms <names>', 'other words for objects and grounds: "dog|puppy, cat|kitten", or @file.txt')
    .option('--json', 'print the result as JSON, all else on standard error')
    .option('--out <file>', 'write the result as JSON')
    .option('--no-cache', 'read all words anew, instead of those in ~/.cache/zeroseg (or XDG_CACHE_HOME)')
    .option('--force', 'even if the model was trained with another teacher')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg score --model out/run --scenes 500 --seed 7 --out scores.json\n' +
        '  mpirun -n 2 --bind-to none npx zeroseg score --model out/run --scenes 500',
    )
    .action((options: ScoreArguments) => score(context, options));
}

async function score(asked: Context, options: ScoreArguments): Promise<void> {
  const group = await joinMpi();
  // Of several processes the first counts, tells and writes.
  const isFirst = !group || group.rank === 0;
  const given = isFirst ? asked : { ...asked, terminal: quietTerminal(asked.terminal) };
  const bound = group && isFirst && bindingNote();
  if (bound) given.terminal.note(bound);
  const context = options.json ? { ...given, terminal: notesTerminal(given.terminal) } : given;
  const { terminal } = context;
  await checkResultFile('score: --out', options.out, 'baselines');
  const opened = await openModelAndClip(context, options);
  const synonyms = options.synonyms === undefined ? [] : await parseSynonyms(options.synonyms);
  await agree(group, 'score', version, options, {
    inputs: async () => ({
      ...(await weightHashes(opened, options)),
      ...(options.atlas !== undefined && { [`--atlas ${options.atlas}`]: await atlasHash(options.atlas) }),
      ...(options.synonyms !== undefined && { [`--synonyms ${options.synonyms}`]: JSON.stringify(synonyms) }),
    }),
  });
  const scenes = scoringScenes(await loadAtlas(), {
    ...options,
    size: options.size ?? sceneSide(opened.info.config),
    drawings: options.atlas === undefined ? undefined : await loadAtlas(options.atlas),
  });
  checkPatches('score', scenes.options.size ?? 0, options, opened);
  const scoring = options.scoring ?? (opened.info.naming.scoring === 'groupvit' ? 'groupvit' : 'softmax');
  const rules = {
    ...groupRules(options, opened.info.naming, { isGrouping: true }),
    refine: refineRule(options, opened.info.naming),
  };
  const words = withSynonyms(scenes.names, synonyms);
  const { unknown } = tellUnknown(context, opened.text, words, options.clip);
  // What the package brings is told from what was trained here.
  const kind = options.model === builtIn ? 'shipped' : 'fresh';

  await withDevice(context, adapterOf(options.adapter, group), async (device, interruption) => {
    if (group) endWithOthers(group, interruption.abortSignal, 'score', terminal);
    const shared = group ? `, shared by ${group.size} processes` : '';
    const kinds = `${count(scenes.objectCount, 'objects')} and ${scenes.names.length - scenes.objectCount} kinds of ground`;
    terminal.log(`${count(options.scenes, 'scenes')} of seed ${options.seed}, ${kinds}, on ${device.name}${shared}`);
    using model = await loadModel(context, device, opened, {
      templates: options.templates,
      scale: options.scale ?? opened.info.naming.scale,
      cache: options.cache,
    });
    const vocabulary = await embedNames(context, model, withoutUnknown(words, unknown), interruption);
    const progress = new Progress(terminal, 'scoring', options.scenes, 'scenes');
    const began = performance.now();
    let scored = 0;
    let scores: SceneScores;
    try {
      scores = await scoreScenes(device, {
        scenes,
        seed: SCORING_SEED + options.seed,
        count: options.scenes,
        vocabulary,
        teacher: await opened.clip.vision(device),
        teacherScale: opened.clip.scale,
        students: { [kind]: model.model },
        scoring,
        top: options.top,
        rules,
        signal: interruption.abortSignal,
        group,
        onProgress: ({ done, scores }) => {
          scored = done;
          const so = scores.get(`${kind} ${scoring}`);
          progress.at(done, so && `objects ${formatPercent(sceneScore(so, scenes.objectCount).objects)} so far`);
        },
      });
    } catch (error) {
      if (error instanceof Interrupted) {
        progress.stop();
        terminal.log(`stopped after ${count(scored, 'scenes')}; a score of a part is not reported`);
      }
      throw error;
    } finally {
      progress.stop();
    }
    if (!isFirst) return;
    const measured = {
      ...scores.students,
      baselines: scores.baselines,
      scenes: scores.scenes,
      seed: options.seed,
      size: scenes.options.size,
      names: scenes.names,
      unknown,
      objects: scenes.objectCount,
      styles: scenes.options.styles ?? null,
      atlas: options.atlas ?? null,
      ...(options.redrawn !== undefined && { redrawn: options.redrawn }),
      options: {
        ...{ scoring, top: options.top, scale: vocabulary.scale, templates: options.templates, ...rules },
        ...(synonyms.length > 0 && { synonyms: synonyms.map(({ words }) => words) }),
      },
      model: { file: options.model, step: opened.info.step, teacher: opened.info.teacher },
      adapter: device.name,
    };
    const result = { ...rounded(measured), options: measured.options };
    const json = JSON.stringify(result, undefined, 2);
    if (options.json) printLines(given.terminal.out, json);
    for (const line of scoreTable(scores, { [kind]: `student (${kind})` }, rules)) terminal.out(line);
    terminal.log(`${count(scores.scenes, 'scenes')} in ${formatDuration((performance.now() - began) / 1000)}`);
    if (options.out) await writeNamedFile(options.out, `${json}\n`);
  });
}
