import { pathToFileURL } from 'node:url';
import type { Device } from '@zeroseg/core';
import { ownValue, rounded } from '@zeroseg/core/internal';
import { denseDataSettings, evaluate, type SegmentationScore, sceneScore } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { EvaluationFolder } from '../evaluations/index.ts';
import { writeNamedFile } from '../files/index.ts';
import { type DataSet, dataSetKinds, fixedDataSets, openDataSet } from '../photos/index.ts';
import { classColours } from '../segments/index.ts';
import {
  type Context,
  clipPlace,
  count,
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
  oneOf,
  openModelAndWords,
  Progress,
  parseSynonyms,
  printLines,
  readColours,
  tellImagery,
  tellUnknown,
  UsageError,
  wholeNumber,
  withDevice,
  withNaming,
  withoutUnknown,
  withSynonyms,
} from '../shell/index.ts';
import { builtIn, kindOfPath } from '../weights/index.ts';

interface EvalArguments extends ModelAndWordsArguments {
  readonly data: string;
  readonly root: string;
  readonly split?: string;
  readonly limit?: number;
  readonly sweep?: boolean;
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
    .option('--sweep', 'also score background thresholds from 0.05 to 0.95')
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
      '\nExample:\n  zeroseg eval --data voc --root VOCdevkit/VOC2012 --model out/run --clip models/clip-vit-large-patch14\n\n' +
        `Without --background the paper's thresholds are used: ${fixedDataSets.map(([name, , { threshold }]) => `${name} ${threshold}`).join(', ')}.\n` +
        'Scenes have none: their ground without a name does not count, unless --ground says so.',
    )
    .action((options: EvalArguments) => evalModel(context, options));
}

async function evalModel(given: Context, chosen: EvalArguments): Promise<void> {
  const context = chosen.json ? { ...given, terminal: notesTerminal(given.terminal) } : given;
  const { terminal } = context;
  if (chosen.out && (await kindOfPath(chosen.out)) === 'folder') {
    throw new UsageError(`eval: --out ${chosen.out}: this is a folder; give a file`);
  }
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
  const dense = opened.kind === 'clip' && opened.mode !== 'crops' ? denseDataSettings[opened.mode] : undefined;
  const data = dense && ownValue(dense, chosen.data);
  const options = withNaming(opened, chosen, data);
  const synonyms = options.synonyms === undefined ? [] : await parseSynonyms(options.synonyms);
  const prompts = set.prompts.map((name, c) => data?.words?.[set.classes[c + 1] ?? ''] ?? name);
  const asked = synonyms.length > 0 ? withSynonyms(set.prompts, synonyms, set.classes.slice(1)) : prompts;
  const { unknown, notes } = tellUnknown(context, opened.text, asked, await clipPlace(chosen));
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
  const thresholds = [threshold, ...(options.sweep ? sweep : [])];
  const failed = new Map<string, string>();
  const folder =
    options.save === undefined
      ? undefined
      : await EvaluationFolder.open(options.save, { classes: set.classes.length, ignore, colour });

  const work = async (device: Device, interruption: Interruption): Promise<void> => {
    const classes = ignore === 0 ? set.classes.length - 1 : set.classes.length;
    terminal.log(`${title(photos.length)}, ${count(classes, 'classes')}, on ${device.name}`);
    using model = await loadModel(context, device, opened, options);
    const vocabulary = await embedNames(
      context,
      model,
      withoutUnknown(asked, unknown),
      interruption,
      options.rules.background,
    );
    const progress = new Progress(terminal, 'scoring', photos.length, unit);
    const began = performance.now();
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
        onPhoto: (photo) => folder?.add(photo),
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
    const [score] = scores as [SegmentationScore];
    if (score.images === 0) throw new UsageError(`eval: none of ${count(photos.length, unit)} could be used`);
    const kinds = set.objects === undefined ? undefined : sceneScore(score, set.objects);
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
      pixel_accuracy: score.pixelAccuracy(),
      classes: score.iou().map((iou, c) => ({ label: c, name: set.classes[c], iou, pixels: score.labelled[c] })),
      sweep: options.sweep
        ? sweep.map((value, i) => ({
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
    const json = JSON.stringify(result, undefined, 2);
    if (options.out) await writeNamedFile(options.out, `${json}\n`);
    if (options.json) printLines(given.terminal.out, json);
    const page = await folder?.write(result, {
      title: title(score.images),
      unit,
      notes: [...imagery, ...notes],
    });
    for (const line of resultTable({ ...result, has_background: ignore !== 0 })) terminal.out(line);
    const broken = failed.size > 0 ? `; ${count(failed.size, unit)} could not be used` : '';
    terminal.log(`${count(score.images, unit)} in ${formatDuration((performance.now() - began) / 1000)}${broken}`);
    if (page !== undefined) terminal.out(`worst first, on one page: ${pathToFileURL(page)}`);
  };
  try {
    await withDevice(context, options.adapter, work);
  } finally {
    await folder?.close();
  }
}

interface Table {
  /** Whether label 0 counts. */
  readonly has_background: boolean;
  readonly classes: readonly { readonly name: string | undefined; readonly iou: number | null }[];
  readonly threshold: number;
  readonly mean_iou: number | null;
  readonly mean_iou_without_background: number | null;
  readonly mean_iou_objects?: number | null;
  readonly mean_iou_ground?: number | null;
  readonly pixel_accuracy: number | null;
  readonly sweep:
    | readonly {
        readonly threshold: number;
        readonly mean_iou: number | null;
        readonly mean_iou_without_background: number | null;
      }[]
    | undefined;
}

function resultTable(result: Table): string[] {
  const counted = result.has_background ? result.classes : result.classes.slice(1);
  const widest = Math.max(...counted.map(({ name = '' }) => name.length));
  const cells = counted.map(({ name = '', iou }) => `${name.padEnd(widest)} ${formatPercent(iou, 2).padStart(7)}`);
  const columns = Math.max(1, Math.floor(100 / (widest + 11)));
  const rows = Math.ceil(cells.length / columns);
  const lines = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => cells[c * rows + r] ?? '')
      .join('   ')
      .trimEnd(),
  );
  if (result.sweep) {
    lines.push('', 'threshold   mean IoU   without background');
    for (const { threshold, mean_iou, mean_iou_without_background } of result.sweep) {
      lines.push(
        `${threshold.toFixed(2).padStart(9)}${formatPercent(mean_iou, 2).padStart(11)}${formatPercent(mean_iou_without_background, 2).padStart(21)}`,
      );
    }
  }
  // Scenes have a name for all that counts.
  const means = result.has_background
    ? `mean IoU ${formatPercent(result.mean_iou, 2)} with background, ${formatPercent(result.mean_iou_without_background, 2)} without (threshold ${result.threshold})`
    : `mean IoU ${formatPercent(result.mean_iou, 2)}`;
  lines.push('', `${means}; ${formatPercent(result.pixel_accuracy, 2)} of pixels right`);
  const { mean_iou_objects: objects, mean_iou_ground: ground } = result;
  if (objects !== undefined && ground !== undefined) {
    lines.push(`mean IoU ${formatPercent(objects, 2)} over objects, ${formatPercent(ground, 2)} over ground`);
  }
  return lines;
}
