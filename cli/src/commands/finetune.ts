import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseStep, rounded } from '@zeroseg/core/internal';
import { buildModule } from '@zeroseg/core/nn';
import {
  checkFinetuneSettings,
  defaultFinetuneSettings,
  type FinetuneReport,
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
import { hashFiles, nodeFileSystem } from '../files/index.ts';
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
  type ModelAndWordsArguments,
  modelFacts,
  neededToBegin,
  numberFrom,
  oneOf,
  openModelAndWords,
  Progress,
  seedRange,
  stoppedWords,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import {
  checkSame,
  FINETUNE_FORMAT,
  FINETUNE_LOG,
  type FinetuneArguments,
  type FinetuneChoices,
  type FinetuneLog,
  finetuneChoices,
  finetuneSettings,
  labellingOf,
  pseudoLabelled,
  readFinetuneLog,
  withVoid,
} from '../studies/index.ts';
import { builtIn } from '../weights/index.ts';

const STATE = 'training.safetensors';
const SAVE_EVERY = 200;

const runFormat: RunFormat<FinetuneReport> = {
  op: 'finetune',
  description: FINETUNE_LOG,
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
    .option(
      '--score-root <folder>',
      'folder of the photos to score on, such as of other scenes (default: that of --root)',
    )
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
  const before = options.resume ? await readFinetuneLog(options.out) : undefined;
  if (before) checkSame(before, options);
  const choices = before?.choices ?? finetuneChoices(options);
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
    : finetuneSettings(options, config.image);
  checkFinetuneSettings(settings);
  const truth = withVoid(await openDataSet(data, root, choices.split ?? 'train'), set);
  const found = withVoid(await openDataSet(data, options.scoreRoot ?? root, options.scoreSplit), set);
  const unseen = found.slice(0, options.limit ?? found.length);
  const pseudo = choices.pseudo === undefined ? undefined : await openModelAndWords(context, pseudoArguments(choices));
  const weights = await file.hash();
  if (before && before.weights !== weights) {
    throw new UsageError(
      `finetune: ${backbone}: this is not the file that ${options.out} was begun with; --resume needs that one`,
    );
  }

  const labelling = pseudo && {
    ...(await labellingOf(context, pseudo, { set, data, asked: pseudoArguments(choices) })),
    made: [
      modelFacts(pseudo),
      pseudo.kind === 'clip' ? await pseudo.clip.weightsHash() : await hashFiles([pseudo.file]),
    ],
  };

  await withDevice(context, options.adapter, async (device, interruption) => {
    const { terminal } = context;
    const used = new Set<string>();
    const initial = initialWeights(device, settings.seed, file.tensors, file.path, used);
    const network = await buildModule(initial, (from) => new SegmentationNetwork(from, config, set.classes.length));
    using labeller = pseudo && (await loadModel(context, device, pseudo, { ...labelling?.naming }));
    if (options.scoreRoot === undefined) tellSeen(context, truth, unseen);
    const photos: Labelled[] =
      labeller && labelling
        ? pseudoLabelled(truth, labeller, set, { folder: join(options.out, 'pseudo-labels'), ...labelling })
        : truth;
    using trainer = await FinetuneTrainer.create(device, network, photos, settings);
    terminal.log(
      `${set.title}: ${count(photos.length, 'photos')}, ${set.classes.length} classes; ${count(used.size, 'tensors')} of ${backbone}, ` +
        `crops of ${settings.crop} pixels, on ${device.name}`,
    );
    const log: FinetuneLog = before
      ? { ...before, settings }
      : {
          format: FINETUNE_FORMAT,
          version,
          started: new Date().toISOString(),
          choices,
          settings,
          classes: set.classes,
          weights,
        };
    const write = () => files.write(FINETUNE_LOG, `${JSON.stringify(log, undefined, 2)}\n`);
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
      try {
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
        const page = await folder.write(result, {
          title: `${set.title}: ${count(score.images, 'photos')}`,
          notes: [],
          unit: data === 'scenes' ? 'scenes' : 'photos',
        });
        terminal.out(`${scoreLine(score)} on ${count(score.images, 'photos')}`);
        terminal.out(`network: ${join(options.out, 'model.safetensors')}`);
        terminal.out(`worst first, on one page: ${pathToFileURL(page)}`);
      } finally {
        await folder.close();
      }
    } finally {
      await store.close();
    }
  });
}

/** A score on photos that were learnt from says little. */
function tellSeen({ terminal }: Context, learnt: readonly Labelled[], scored: readonly Labelled[]): void {
  const ids = new Set(learnt.map(({ id }) => id));
  const seen = scored.filter(({ id }) => ids.has(id)).length;
  if (seen === 0) return;
  terminal.note(
    `${seen} of ${count(scored.length, 'photos')} to score on are among those to learn from; give others by --score-root or --score-split`,
  );
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
    terminal.log(`${stoppedWords(trainer)}; go on with: zeroseg finetune --out ${options.out} --resume`);
    throw signal.reason;
  }
  const seconds = (performance.now() - began) / 1000;
  terminal.log(`trained ${count(trainer.done - first, 'steps')} in ${formatDuration(seconds)}`);
}

function scoreLine(score: SegmentationScore): string {
  const [mean, pixels] = [score.meanIou(), score.pixelAccuracy()].map((value) => formatPercent(value, 2));
  return `mean IoU ${mean}; ${pixels} of pixels right`;
}

/** The model that labels photos, as `zeroseg segment` takes it. */
function pseudoArguments({ pseudo, clip }: FinetuneChoices): ModelAndWordsArguments {
  return { model: pseudo as string, tokenizer: 'clip', ...(clip === undefined ? {} : { clip }) };
}
