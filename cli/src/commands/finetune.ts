import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseStep } from '@zeroseg/core/internal';
import { buildModule } from '@zeroseg/core/nn';
import {
  checkFinetuneSettings,
  defaultFinetuneSettings,
  type FinetuneReport,
  type FinetuneSettings,
  FinetuneTrainer,
  finetuneTrainingFile,
  initialWeights,
  type Labelled,
  networkFile,
  Predictor,
  type RunFormat,
  RunStore,
  resumeFinetuning,
  SegmentationNetwork,
  type SegmentationScore,
  scorePhotos,
  trainSaved,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { EvaluationFolder } from '../evaluations/index.ts';
import {
  brokenField,
  hasFields,
  isListOf,
  isText,
  isWhole,
  nodeFileSystem,
  readJson,
  rounded,
} from '../files/index.ts';
import { dataSetKinds, openDataSet } from '../photos/index.ts';
import { openBackbone } from '../runs/index.ts';
import { classColours } from '../segments/index.ts';
import {
  adapterOption,
  type Context,
  count,
  formatDuration,
  formatPercent,
  loadModel,
  neededToBegin,
  numberFrom,
  oneOf,
  openModelAndWords,
  Progress,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { pseudoLabelled, withVoid } from '../studies/index.ts';
import { builtIn, kindOfPath } from '../weights/index.ts';

/** What decides the weights; all of it is kept in the run's folder. */
interface FinetuneChoices {
  readonly backbone?: string;
  readonly data?: string;
  readonly root?: string;
  readonly split?: string;
  readonly pseudo?: string;
  readonly clip?: string;
  readonly heads?: number;
}

export interface FinetuneArguments extends FinetuneChoices {
  readonly out: string;
  readonly steps?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly schedule?: FinetuneSettings['schedule'];
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly crop?: number;
  readonly short?: number;
  readonly scaleMin?: number;
  readonly scaleMax?: number;
  readonly flip?: boolean;
  readonly frozen?: boolean;
  readonly seed?: number;
  readonly scoreSplit?: string;
  readonly scoreEvery?: number;
  readonly limit?: number;
  readonly resume?: boolean;
  readonly adapter?: string;
}

/** `finetune.json`: what a run was begun with. */
interface FinetuneLog {
  readonly format: typeof FORMAT;
  readonly version: string;
  readonly started: string;
  readonly choices: FinetuneChoices;
  readonly settings: FinetuneSettings;
  readonly classes: readonly string[];
  /** sha256 of the backbone's file. */
  readonly weights: string;
}

const FORMAT = 'zeroseg fine-tuning';
const LOG = 'finetune.json';
const STATE = 'training.safetensors';
const SAVE_EVERY = 200;

const runFormat: RunFormat<FinetuneReport> = {
  op: 'finetune',
  description: LOG,
  parts: [STATE],
  metrics: { format: JSON.stringify, parse: parseStep },
};

/** `zeroseg finetune`: a published ViT, or our own encoder, trained with labels, as rows to compare with. */
export function finetuneCommand(context: Context): Command {
  const { steps, batch, lr, warmup, weight_decay, scale_min, scale_max } = defaultFinetuneSettings;
  return new Command('finetune')
    .description(
      'train a ViT with a linear classifier on photos with label maps: rows of the paper that learn from labels',
    )
    .addOption(
      neededToBegin(
        '--backbone <place>',
        `weights of a ViT: MAE, timm, DeiT, DINO, ViT-MAE, a CLIP (${builtIn}: the package's teacher), a model or run of \`zeroseg train\``,
      ),
    )
    .addOption(neededToBegin('--data <name>', `kind of data set: ${Object.keys(dataSetKinds).join(', ')}`))
    .addOption(neededToBegin('--root <folder>', 'folder of the data set, such as VOCdevkit/VOC2012'))
    .requiredOption('--out <folder>', 'folder of the run')
    .option('--split <name>', 'photos to learn from (default: train)')
    .option('--score-split <name>', 'photos to score on (default: val, for COCO val2017)')
    .option('--score-every <steps>', 'also score every so many steps, not only at the end', wholeNumber())
    .option('--limit <n>', 'score only on the first photos', wholeNumber())
    .option('--steps <n>', `length of the training (default: ${steps})`, wholeNumber())
    .option('--batch <crops>', `crops a step (default: ${batch})`, wholeNumber(1, 65_536))
    .option('--lr <rate>', `highest learning rate (default: ${lr})`, numberFrom(0, 1e4))
    .option(
      '--schedule <kind>',
      'rate after the warm-up: constant, poly (power 0.9) or cosine (default: constant)',
      oneOf('constant', 'poly', 'cosine'),
    )
    .option('--warmup <fraction>', `of the steps, in which the rate rises (default: ${warmup})`, numberFrom(0, 1))
    .option('--weight-decay <factor>', `of AdamW (default: ${weight_decay})`, numberFrom(0, 1e4))
    .option(
      '--crop <pixels>',
      'side of crops and windows (default: what the backbone was trained at)',
      wholeNumber(1, 16_384),
    )
    .option(
      '--short <pixels>',
      'shorter side that photos are resized to (default: twice the crop)',
      wholeNumber(1, 16_384),
    )
    .option('--scale-min <factor>', `lowest random scale (default: ${scale_min})`, numberFrom(0, 64))
    .option('--scale-max <factor>', `highest random scale (default: ${scale_max})`, numberFrom(0, 64))
    .option('--no-flip', 'no crop is mirrored')
    .option('--frozen', 'only the classifier learns: what the backbone knows as it is')
    .option(
      '--heads <n>',
      'attention heads, where neither file nor width tells (default: width / 64)',
      wholeNumber(1, 4096),
    )
    .option('--seed <n>', 'of classifier, order and crops (default: 1)', wholeNumber(...seedRange))
    .option(
      '--pseudo <model>',
      'learn from the labels that this model gives the photos, not from the truth: self-training as in MaskCLIP+',
    )
    .option('--clip <place>', 'the CLIP of that model, as `zeroseg segment` takes it')
    .option('--resume', 'go on with the run in the folder; more --steps make it longer')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg finetune --backbone deit_small_patch16_224.pth --data voc --root VOCdevkit/VOC2012 --out out/deit\n' +
        '  zeroseg finetune --out out/deit --resume',
    )
    .action((options: FinetuneArguments) => finetune(context, options));
}

async function finetune(context: Context, options: FinetuneArguments): Promise<void> {
  const files = nodeFileSystem(options.out);
  if (!options.resume) await RunStore.refuseUsed(files, runFormat as RunFormat<never>);
  const before = options.resume ? await readLog(options.out) : undefined;
  if (before) checkSame(before, options);
  const choices = before?.choices ?? choicesOf(options);
  const { backbone, data, root } = choices as Required<FinetuneChoices>;
  const kind = dataSetKinds[data];
  if (!kind || !Object.hasOwn(dataSetKinds, data)) {
    throw new UsageError(`finetune: --data must be one of ${Object.keys(dataSetKinds).join(', ')}; got '${data}'`);
  }
  const set = typeof kind.definition === 'function' ? await kind.definition(root) : kind.definition;
  const file = await openBackbone(backbone, { crop: before?.settings.crop ?? options.crop, heads: choices.heads });
  const { config } = file;
  const settings = before
    ? { ...before.settings, steps: options.steps ?? before.settings.steps }
    : settingsOf(options, config.image);
  checkFinetuneSettings(settings);
  const truth = withVoid(await openDataSet(data, root, choices.split ?? 'train'), set);
  const found = withVoid(await openDataSet(data, root, options.scoreSplit), set);
  const unseen = found.slice(0, options.limit ?? found.length);
  const pseudo = choices.pseudo === undefined ? undefined : await openModelAndWords(context, pseudoArguments(choices));
  const weights = await file.hash();
  if (before && before.weights !== weights) {
    throw new UsageError(
      `finetune: ${backbone}: this is not the file that ${options.out} was begun with; --resume needs that one`,
    );
  }

  await withDevice(context, options.adapter, async (device, interruption) => {
    const { terminal } = context;
    const used = new Set<string>();
    const initial = initialWeights(device, settings.seed, file.tensors, file.path, used);
    const network = await buildModule(initial, (from) => new SegmentationNetwork(from, config, set.classes.length));
    using labeller = pseudo && (await loadModel(context, device, pseudo, {}));
    const photos: Labelled[] = labeller ? pseudoLabelled(truth, labeller, set) : truth;
    using trainer = await FinetuneTrainer.create(device, network, photos, settings);
    terminal.log(
      `${set.title}: ${count(photos.length, 'photos')}, ${set.classes.length} classes; ${count(used.size, 'tensors')} of ${backbone}, ` +
        `crops of ${settings.crop} pixels, on ${device.name}`,
    );
    const log: FinetuneLog = before
      ? { ...before, settings }
      : {
          format: FORMAT,
          version,
          started: new Date().toISOString(),
          choices,
          settings,
          classes: set.classes,
          weights,
        };
    const write = () => files.write(LOG, `${JSON.stringify(log, undefined, 2)}\n`);
    const store = before ? await RunStore.open(files, runFormat) : await RunStore.create(files, runFormat, write);
    try {
      if (before) {
        const newest = await store.newest((reason) => terminal.note(reason));
        if (newest) await resumeFinetuning(trainer, newest.files.get(STATE) as WeightFile);
        terminal.log(`going on after step ${trainer.done}`);
        await write();
      }
      await store.begin(trainer.done);
      using predictor = await Predictor.create(device, network);
      const scoreNow = async (folder?: EvaluationFolder): Promise<SegmentationScore> => {
        const progress = new Progress(terminal, 'scoring', unseen.length, 'photos');
        try {
          return await scorePhotos(predictor, unseen, set.classes.length, {
            short: settings.short,
            signal: interruption.abortSignal,
            onProgress: ({ done }) => progress.at(done),
            onPhoto: (photo) => folder?.add(photo),
          });
        } finally {
          progress.stop();
        }
      };
      await train(context, { trainer, store, options, signal: interruption.abortSignal, scoreNow });
      await files.write('model.safetensors', await networkFile(network, { classes: set.classes, step: trainer.done }));
      const folder = await EvaluationFolder.open(join(options.out, 'evaluation'), {
        classes: set.classes.length,
        ignore: 255,
        colour: classColours(set.prompts.map((name) => ({ name, colour: undefined }))),
      });
      const score = await scoreNow(folder);
      const classes = score
        .iou()
        .map((iou, label) => ({ label, name: set.classes[label], iou, pixels: score.labelled[label] }));
      const result = rounded({
        data,
        photos: score.images,
        steps: trainer.done,
        threshold: 0,
        mean_iou: score.meanIou(),
        mean_iou_without_background: score.meanIou({ background: false }),
        pixel_accuracy: score.pixelAccuracy(),
        classes,
      });
      await files.write('result.json', `${JSON.stringify(result, undefined, 2)}\n`);
      const page = await folder.write(result, { title: `${set.title}: ${count(score.images, 'photos')}`, notes: [] });
      terminal.out(`${scoreLine(score)} on ${count(score.images, 'photos')}`);
      terminal.out(`network: ${join(options.out, 'model.safetensors')}`);
      terminal.out(`worst first, on one page: ${pathToFileURL(page)}`);
    } finally {
      await store.close();
    }
  });
}

interface Training {
  readonly trainer: FinetuneTrainer;
  readonly store: RunStore<FinetuneReport>;
  readonly options: FinetuneArguments;
  readonly signal: AbortSignal;
  readonly scoreNow: () => Promise<SegmentationScore>;
}

async function train({ terminal }: Context, { trainer, store, options, signal, scoreNow }: Training): Promise<void> {
  const { scoreEvery } = options;
  const began = performance.now();
  const first = trainer.done;
  const progress = new Progress(terminal, 'training', trainer.steps, 'steps', first);
  const isEnded = await trainSaved<FinetuneReport, FinetuneReport>(
    {
      trainer,
      store,
      metricsOf: (report) => report,
      checkpoint: async () => ({ [STATE]: await finetuneTrainingFile(trainer) }),
      isEvaluated: (step) => scoreEvery !== undefined && step % scoreEvery === 0 && step < trainer.steps,
      evaluate: async (step) => progress.say(`step ${step}: ${scoreLine(await scoreNow())}`),
    },
    {
      saveEvery: SAVE_EVERY,
      signal,
      onProgress: ({ step, loss }) => progress.at(step, `loss ${loss.toFixed(3)}`),
    },
  ).finally(() => progress.stop());
  if (!isEnded) {
    terminal.log(
      `stopped after step ${trainer.done} of ${trainer.steps}, saved; go on with: zeroseg finetune --out ${options.out} --resume`,
    );
    throw signal.reason;
  }
  const seconds = (performance.now() - began) / 1000;
  terminal.log(`trained ${count(trainer.done - first, 'steps')} in ${formatDuration(seconds)}`);
}

function scoreLine(score: SegmentationScore): string {
  const [mean, pixels] = [score.meanIou(), score.pixelAccuracy()].map((value) => formatPercent(value, 2));
  return `mean IoU ${mean}; ${pixels} of pixels right`;
}

function choicesOf({ backbone, data, root, split, pseudo, clip, heads }: FinetuneArguments): FinetuneChoices {
  if (clip !== undefined && pseudo === undefined) {
    throw new UsageError('finetune: --clip is for --pseudo: it names the CLIP of the model that labels photos');
  }
  const choices = { backbone, data, root, split, pseudo, clip, heads };
  return Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined));
}

/** The model that labels photos, as `zeroseg segment` takes it. */
function pseudoArguments({ pseudo, clip }: FinetuneChoices): { model: string; clip?: string } {
  return { model: pseudo as string, ...(clip === undefined ? {} : { clip }) };
}

/** What was given, by the settings' own names. */
function givenSettings(options: FinetuneArguments): Partial<FinetuneSettings> {
  const { steps, batch, lr, schedule, warmup, weightDecay, crop, short, scaleMin, scaleMax, flip, frozen, seed } =
    options;
  const given = {
    ...{ steps, batch, lr, schedule, warmup, weight_decay: weightDecay, crop, short },
    ...{ scale_min: scaleMin, scale_max: scaleMax, flip: flip === false ? false : undefined, frozen, seed },
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function settingsOf(options: FinetuneArguments, crop: number): FinetuneSettings {
  return { ...defaultFinetuneSettings, crop, short: 2 * crop, ...givenSettings(options) };
}

/** With `--resume`, what is given must be what the run was begun with; only the steps may become more. */
function checkSame({ choices, settings }: FinetuneLog, options: FinetuneArguments): void {
  const was: Readonly<Record<string, unknown>> = { ...choices, ...settings };
  for (const [name, value] of Object.entries({ ...choicesOf(options), ...givenSettings(options) })) {
    const before = was[name];
    if (name === 'steps' ? (value as number) >= (before as number) : value === before) continue;
    const option = `--${name.replaceAll('_', '-')}`;
    const rule = name === 'steps' ? 'steps can only become more' : 'leave it out, or choose another --out';
    throw new UsageError(
      `finetune: ${options.out} was begun with ${option} ${before ?? 'not given'}, not ${value}; ${rule}`,
    );
  }
}

async function readLog(folder: string): Promise<FinetuneLog> {
  const path = join(folder, LOG);
  if ((await kindOfPath(path)) !== 'file') {
    throw new UsageError(`finetune: ${folder}: there is no run to go on with; leave --resume out to begin one`);
  }
  return parseFinetuneLog(await readJson(path), path);
}

/** What a `finetune.json` says. */
export function parseFinetuneLog(found: unknown, path: string): FinetuneLog {
  const broken = brokenField(found, {
    format: (value) => value === FORMAT,
    choices: hasFields({ backbone: isText, data: isText, root: isText }),
    settings: hasFields({ steps: isWhole(1), crop: isWhole(1) }),
    classes: isListOf(isText),
    weights: isText,
  });
  if (broken === undefined) return found as FinetuneLog;
  throw new UsageError(`finetune: ${path}: this is no record of a fine-tuning, or is damaged (${broken})`);
}
