import { pathToFileURL } from 'node:url';
import type { Device } from '@zeroseg/core';
import { dataSettings, firstRepeated, rounded } from '@zeroseg/core/internal';
import {
  ConfusionMatrix,
  EvaluationMeasures,
  evaluate,
  type SegmentationScore,
  sceneScore,
} from '@zeroseg/core/zeroseg';
import { Command, InvalidArgumentError } from 'commander';
import { EvaluationFolder, resultTable } from '../evaluations/index.ts';
import { recordText, writeNamedFile } from '../files/index.ts';
import { adapterOf, agree, bindingNote, endWithOthers, joinMpi } from '../mpi/index.ts';
import { type DataSet, dataSetKinds, fixedDataSets, openDataSet } from '../photos/index.ts';
import { classColours, shortList } from '../segments/index.ts';
import {
  type Context,
  checkResultFile,
  clipPlace,
  count,
  countIn,
  dataSetWords,
  embedNames,
  formatDuration,
  formatPercent,
  Interrupted,
  type Interruption,
  loadModel,
  type ModelAndWordsArguments,
  modelAndWordsOptions,
  modelFacts,
  notesTerminal,
  numberFrom,
  oneOf,
  openModelAndWords,
  Progress,
  parseSynonyms,
  printLines,
  quietTerminal,
  readColours,
  seedRange,
  tellImagery,
  tellUnknown,
  UsageError,
  version,
  weightHashes,
  wholeNumber,
  withDevice,
  withNaming,
  withoutUnknown,
  withSynonyms,
} from '../shell/index.ts';
import { builtIn } from '../weights/index.ts';

interface EvalArguments extends ModelAndWordsArguments {
  readonly data: string;
  readonly root: string;
  readonly split?: string;
  readonly limit?: number;
  readonly sweep?: true | readonly number[];
  readonly resamples: number;
  readonly seed: number;
  readonly ground?: boolean;
  readonly json?: boolean;
  readonly out?: string;
  readonly save?: string;
  readonly synonyms?: string;
  readonly colors?: string;
}

/** Thresholds of `--sweep`. */
const sweep: readonly number[] = Array.from({ length: 19 }, (_, i) => Number(((i + 1) * 0.05).toFixed(2)));

/** `zeroseg eval`: mean IoU on a labelled data set. */
export function evalCommand(context: Context): Command {
  const names = Object.keys(dataSetKinds);
  const titles = Object.values(dataSetKinds).map(({ title }) => title);
  const command = new Command('eval')
    .description(`score a model on ${titles.slice(0, -1).join(', ')} or ${titles.at(-1)}: mean intersection over union`)
    .requiredOption('--data <name>', `kind of data set: ${names.join(', ')}`, oneOf(...names))
    .requiredOption(
      '--root <folder>',
      'folder or archive of the data set, such as VOCdevkit/VOC2012 (docs/data-sets.md has the layouts)',
    )
    .option(
      '--split <name>',
      `part of the data set (default: ${[...new Set(Object.values(dataSetKinds).flatMap(({ split }) => split ?? []))].join(', ')}, as it is called there)`,
    )
    .option('--limit <n>', 'only the first photos', wholeNumber())
    .option(
      '--sweep [thresholds]',
      'also score other background thresholds, in the same pass of the network: 0.05 to 0.95, or a list such as 0.1,0.2,0.5',
      thresholdList,
    )
    .option('--resamples <n>', 'draws of the photos that the 95 % intervals come from', wholeNumber(1, 1e6), 1000)
    .option('--seed <n>', 'seed of these draws', wholeNumber(...seedRange), 1)
    .option('--ground', 'scenes: also count ground without a name, as background')
    .option('--json', 'print the result as JSON, all else on standard error')
    .option('--out <file>', 'write the result as JSON')
    .option(
      '--synonyms <names>',
      'other words for classes: "sofa|couch, tvmonitor|tv|screen", or @file.txt; the first is the class',
    )
    .option('--colors <file>', 'colours of classes for --save, a line each: cat=#ff8800')
    .option(
      '--save <folder>',
      'write a page: the worst photos beside their truth, IoU of each class, what was taken for what',
    );
  return modelAndWordsOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg eval --data voc --root VOCdevkit/VOC2012 --model out/run --clip models/clip-vit-large-patch14\n' +
        '  mpirun -n 2 --bind-to none npx zeroseg eval --data voc --root VOCdevkit/VOC2012 --model out/run\n\n' +
        `Without --background the paper's thresholds are used (of other models, those of their authors): ${fixedDataSets.map(([name, , { threshold }]) => `${name} ${threshold}`).join(', ')}.\n` +
        'Scenes have none: their ground without a name does not count, unless --ground says so.\n\n' +
        'Photos that cannot be used are named and left out of the scores; the exit code is 1 then, as after any error.',
    )
    .action((options: EvalArguments) => evalModel(context, options));
}

async function evalModel(asked: Context, chosen: EvalArguments): Promise<void> {
  const group = await joinMpi();
  // Of several processes the first counts, tells and writes.
  const isFirst = !group || group.rank === 0;
  const given = isFirst ? asked : { ...asked, terminal: quietTerminal(asked.terminal) };
  const bound = group && isFirst && bindingNote();
  if (bound) given.terminal.note(bound);
  const context = chosen.json ? { ...given, terminal: notesTerminal(given.terminal) } : given;
  const { terminal } = context;
  await checkResultFile('eval: --out', chosen.out, 'mean_iou');
  const { definition, hasUnnamedGround } = dataSetKinds[chosen.data] as DataSet;
  const set = typeof definition === 'function' ? await definition(chosen.root) : definition;
  if (chosen.ground && !hasUnnamedGround) {
    throw new UsageError(`eval: --ground is for --data scenes; ${chosen.data} counts its background always`);
  }
  const unit = hasUnnamedGround ? 'scenes' : 'photos';
  const title = (n: number): string => (hasUnnamedGround ? '' : `${set.title}: `) + count(n, unit);
  const ignore = chosen.ground ? null : set.ignore;
  const found = await openDataSet(chosen.data, chosen.root, chosen.split);
  const photos = found.slice(0, chosen.limit ?? found.length);
  const opened = await openModelAndWords(context, chosen);
  await agree(group, 'eval', version, chosen, {
    facts: { [unit]: photos.length },
    inputs: () => weightHashes(opened, chosen),
  });
  const data = dataSettings(opened, chosen.data);
  const options = withNaming(opened, chosen, data);
  const synonyms = options.synonyms === undefined ? [] : await parseSynonyms(options.synonyms);
  const words =
    synonyms.length > 0 ? withSynonyms(set.prompts, synonyms, set.classes.slice(1)) : dataSetWords(set, data);
  const { unknown, notes } = tellUnknown(context, opened.text, words, await clipPlace(chosen));
  const imagery = await tellImagery(
    context,
    opened.text,
    photos.map(({ photo }) => photo),
  );
  const colours = options.colors === undefined ? undefined : await readColours(options.colors);
  const colour = classColours(
    set.prompts.map((name, i) => ({ name, colour: colours?.get(name) ?? colours?.get(set.classes[i + 1] ?? '') })),
  );
  const threshold = options.background ?? set.threshold;
  const swept = options.sweep === true ? sweep : (options.sweep ?? []);
  const thresholds = [threshold, ...swept];
  const failed = new Map<string, string>();
  const folder =
    options.save === undefined || !isFirst
      ? undefined
      : await EvaluationFolder.open(options.save, { classes: set.classes.length, ignore, colour });

  const work = async (device: Device, interruption: Interruption): Promise<void> => {
    const classes = ignore === 0 ? set.classes.length - 1 : set.classes.length;
    if (group) endWithOthers(group, interruption.abortSignal, 'eval', terminal);
    const shared = group ? `, shared by ${group.size} processes` : '';
    terminal.log(`${title(photos.length)}, ${count(classes, 'classes')}, on ${device.name}${shared}`);
    using model = await loadModel(context, device, opened, options);
    const vocabulary = await embedNames(
      context,
      model,
      withoutUnknown(words, unknown),
      interruption,
      options.rules.background,
    );
    const progress = new Progress(terminal, 'scoring', photos.length, unit);
    const began = performance.now();
    const measures = new EvaluationMeasures(set.classes.length, ignore ?? -1);
    const confusion = new ConfusionMatrix(set.classes.length, ignore ?? -1);
    let scored = 0;
    let scores: SegmentationScore[];
    try {
      scores = await evaluate(model.segmenter, photos, vocabulary, {
        thresholds,
        ignore,
        mode: options.mode,
        scoring: options.scoring,
        top: options.top,
        short: options.short,
        window: options.window,
        stride: options.stride,
        ...options.rules,
        signal: interruption.abortSignal,
        group,
        onPhoto: async (photo) => {
          measures.add(photo.prediction, photo.labels);
          confusion.add(photo.prediction.data, photo.labels.data);
          await folder?.add(photo);
        },
        onProgress: ({ done, scores: [score] }) => {
          scored = done - failed.size;
          progress.at(done, `mean IoU so far ${formatPercent(score?.meanIou() ?? null, 2)}`);
        },
        failed: (id, reason) => {
          failed.set(id, reason);
          progress.say(`skipped ${id}: ${reason}`, 'error');
        },
      });
    } catch (error) {
      progress.stop();
      if (error instanceof Interrupted) {
        terminal.log(`stopped after ${count(scored, unit)}; a score of a part is not reported`);
      }
      throw error;
    } finally {
      progress.stop();
    }
    if (!isFirst) return;
    const [score] = scores as [SegmentationScore];
    if (score.images === 0) throw new UsageError(`eval: none of ${count(photos.length, unit)} could be used`);
    const kinds = set.objects === undefined ? undefined : sceneScore(score, set.objects);
    const { resamples, seed } = options;
    const intervals = measures.intervals({ resamples, seed });
    const outlines = measures.boundary.scores();
    const measured = {
      data: options.data,
      root: options.root,
      split: options.split ?? null,
      photos: score.images,
      failed: Object.fromEntries(failed),
      threshold,
      mean_iou: score.meanIou(),
      mean_iou_without_background: score.meanIou({ background: false }),
      ...(kinds && { mean_iou_objects: kinds.objects, mean_iou_ground: kinds.ground }),
      frequency_weighted_iou: score.frequencyWeightedIou(),
      boundary_f: measures.boundary.mean(),
      pixel_accuracy: score.pixelAccuracy(),
      intervals: {
        mean_iou: intervals.meanIou,
        mean_iou_without_background: intervals.meanIouWithoutBackground,
        frequency_weighted_iou: intervals.frequencyWeightedIou,
        pixel_accuracy: intervals.pixelAccuracy,
        resamples,
        seed,
      },
      classes: score.iou().map((iou, c) => ({
        label: c,
        name: set.classes[c],
        iou,
        boundary_f: outlines[c] ?? null,
        pixels: score.labelled[c],
      })),
      sweep: options.sweep
        ? swept.map((value, i) => ({
            threshold: value,
            mean_iou: scores[i + 1]?.meanIou() ?? null,
            mean_iou_without_background: scores[i + 1]?.meanIou({ background: false }) ?? null,
          }))
        : undefined,
      options: {
        mode: options.mode,
        scoring: options.scoring,
        top: options.top,
        scale: options.scale,
        templates: options.templates,
        ...options.rules,
        ...(synonyms.length > 0 && { synonyms: synonyms.map(({ words }) => words) }),
      },
      unknown,
      model: { ...modelFacts(opened), file: options.model ?? builtIn },
      adapter: device.name,
    };
    const result = { ...rounded(measured), options: measured.options };
    const json = recordText({ ...result, confusion: rowsOf(confusion) });
    if (options.out) await writeNamedFile(options.out, json);
    if (options.json) printLines(given.terminal.out, json.trimEnd());
    const page = await folder?.write(result, {
      title: title(score.images),
      unit,
      notes: [
        ...imagery,
        ...notes,
        ...(failed.size > 0
          ? [
              `${countIn(failed.size, photos.length, unit)} could not be used and do not count: ${shortList([...failed.keys()])}`,
            ]
          : []),
      ],
    });
    for (const line of resultTable({ ...result, has_background: ignore !== 0 })) terminal.out(line);
    terminal.log(`${count(score.images, unit)} in ${formatDuration((performance.now() - began) / 1000)}`);
    if (page !== undefined) terminal.out(`worst first, on one page: ${pathToFileURL(page)}`);
    if (failed.size > 0) {
      throw new UsageError(
        `eval: ${countIn(failed.size, photos.length, unit)} could not be used; the scores are of the others alone`,
      );
    }
  };
  try {
    await withDevice(context, adapterOf(options.adapter, group), work);
  } finally {
    await folder?.close();
  }
}

/** A row of counts for each true class. */
function rowsOf({ classes, counts }: ConfusionMatrix): number[][] {
  return Array.from({ length: classes }, (_, c) => [...counts.subarray(c * classes, (c + 1) * classes)]);
}

/** Thresholds with commas between them. */
function thresholdList(text: string): number[] {
  const parse = numberFrom(0, 1e6);
  const list = text.split(',').map((part) => parse(part.trim()));
  const twice = firstRepeated(list.map(String));
  if (twice !== undefined) throw new InvalidArgumentError(`the threshold ${twice} is there twice.`);
  return list;
}
