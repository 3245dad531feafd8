/**
 * Every parser against input that nobody means well with. Each either takes it or throws an error for users: anything else (a
 * TypeError, a RangeError of a length) is a mistake of this program. The runs are the same everywhere; `FUZZ_RUNS=5000
 * FUZZ_SEED=7` asks for others.
 */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommanderError } from 'commander';
import fc from 'fast-check';
import { encode } from 'fast-png';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { create as createTar } from 'tar';
import { afterAll, describe, expect, it } from 'vitest';
import { FileTree } from '../../cli/src/archives/file-tree.ts';
import { openArchive } from '../../cli/src/archives/open-archive.ts';
import { EvaluationFolder } from '../../cli/src/evaluations/evaluation-folder.ts';
import { openPhotos } from '../../cli/src/features/photo-source.ts';
import { readJson } from '../../cli/src/files/files.ts';
import { nodeFileSystem } from '../../cli/src/files/node-file-system.ts';
import { infoJson, infoLines, inspectPlace } from '../../cli/src/inspect/info.ts';
import { inspectMachine } from '../../cli/src/inspect/machine.ts';
import { readInstances, readPanoptic } from '../../cli/src/photos/data-sets/coco-json.ts';
import { readContextJson } from '../../cli/src/photos/data-sets/context-json.ts';
import { folderDefinition } from '../../cli/src/photos/data-sets/folder.ts';
import { labelsOfMat } from '../../cli/src/photos/data-sets/mat-labels.ts';
import { dataSetKinds, openDataSet } from '../../cli/src/photos/data-sets.ts';
import {
  decodePhoto,
  readLabelMap,
  readPhoto,
  readTransparent,
  writeLabelPng,
} from '../../cli/src/photos/image-files.ts';
import { createLettering } from '../../cli/src/photos/lettering.ts';
import { segmentsFormat } from '../../cli/src/photos/own-results.ts';
import { photoKind } from '../../cli/src/photos/photo-kind.ts';
import { loadAtlas, readSceneIndex, sceneDefinition } from '../../cli/src/photos/scene-folder.ts';
import { measuredDevice } from '../../cli/src/plan/devices.ts';
import { chartFile, jsonTarget } from '../../cli/src/reports/chart-file.ts';
import { findModel, readBytes } from '../../cli/src/runs/find-model.ts';
import { parseModelPlace } from '../../cli/src/runs/model-place.ts';
import { openBackbone } from '../../cli/src/runs/open-backbone.ts';
import { openModelFile, openWithOwnText } from '../../cli/src/runs/open-vocabulary.ts';
import { findPhotos } from '../../cli/src/segments/photo-places.ts';
import { ResultsFolder } from '../../cli/src/segments/results-folder.ts';
import {
  numberFrom,
  oneOf,
  parseNames,
  parseNamesOrCount,
  wholeNumber,
  wholeNumbers,
} from '../../cli/src/shell/arguments.ts';
import { parseClasses, parseSynonyms, readColours, withSynonyms } from '../../cli/src/shell/class-choices.ts';
import { resolveOptions } from '../../cli/src/shell/train-options.ts';
import { parseFinetuneLog, readFinetuneLog } from '../../cli/src/studies/finetune-record.ts';
import { parseTeacherLog, readTeacherLog } from '../../cli/src/studies/teacher-training.ts';
import { Fields } from '../../cli/src/verify/manifest.ts';
import { Report } from '../../cli/src/verify/report.ts';
import { verifyRules } from '../../cli/src/verify/rules.ts';
import { verifyTokenizer } from '../../cli/src/verify/tokenizer.ts';
import { kindOf } from '../../cli/src/verify/verify.ts';
import { openClip, openTeacher } from '../../cli/src/weights/clip-folder.ts';
import { openWeights } from '../../cli/src/weights/weight-files.ts';
import { parse as parseWgsl } from '../../cli/src/wgsl/parser.ts';
import { ZeroSegError } from '../../src/gpu/errors.ts';
import { shownValue } from '../../src/gpu/json.ts';
import { parseVariant } from '../../src/kernels/matmul/variants.ts';
import {
  headerSize,
  parseHeader,
  readSafetensors,
  toFloat32,
  toInt32,
  writeSafetensors,
} from '../../src/nn/safetensors/index.ts';
import { findVit } from '../../src/zeroseg/checkpoints/vit-file.ts';
import { openWeightRanges, openWeightSource } from '../../src/zeroseg/checkpoints/weight-file.ts';
import { knownWordsMetadata, readKnownWords, unknownNames } from '../../src/zeroseg/clip/known-words.ts';
import { detectClipNames, logitScale } from '../../src/zeroseg/clip-files/load.ts';
import { openClipFiles } from '../../src/zeroseg/clip-files/open.ts';
import { clipConfig } from '../../src/zeroseg/clip-files/tensor-sizes.ts';
import { openCache, readCache } from '../../src/zeroseg/features/cache.ts';
import { parsePackedIndex } from '../../src/zeroseg/features/packed-index.ts';
import { groupVitConfig } from '../../src/zeroseg/groupvit/load.ts';
import { gridBoxes, viewCount } from '../../src/zeroseg/image/grid-views.ts';
import { pascalPalette } from '../../src/zeroseg/image/palette.ts';
import { inspectPng } from '../../src/zeroseg/image/png.ts';
import { slidingWindows } from '../../src/zeroseg/image/windows.ts';
import { baseConfig, resolveConfig, tinyConfig } from '../../src/zeroseg/model/config.ts';
import { modelInfo, parseLossScale } from '../../src/zeroseg/model/model-file.ts';
import { pairWithText, zeroSegAndText } from '../../src/zeroseg/open-vocabulary/model-and-text.ts';
import { cocoMask } from '../../src/zeroseg/regions/coco-mask.ts';
import { classRle, decodeRle } from '../../src/zeroseg/regions/run-length.ts';
import { parseStep } from '../../src/zeroseg/runs/metrics-file.ts';
import { SceneAtlas } from '../../src/zeroseg/scenes/atlas.ts';
import { segClipConfig, segClipText } from '../../src/zeroseg/segclip/load.ts';
import { readJsonFile } from '../../src/zeroseg/storage/json-files.ts';
import { memoryFileSystem } from '../../src/zeroseg/storage/memory-file-system.ts';
import { backgroundThresholds } from '../../src/zeroseg/studies/objects-and-background.ts';
import { parseBackgroundScore, parseEndedRun, parseScore } from '../../src/zeroseg/studies/run-archive.ts';
import { parseTimes } from '../../src/zeroseg/studies/step-times.ts';
import { parseClassText } from '../../src/zeroseg/text/class-text.ts';
import { cleanText, unescapeHtml } from '../../src/zeroseg/text/text-cleaning.ts';
import { Tokenizer } from '../../src/zeroseg/text/tokenizer.ts';
import { parseMetrics } from '../../src/zeroseg/training/metrics.ts';
import { readRun } from '../../src/zeroseg/training/read-run.ts';
import { openRun } from '../../src/zeroseg/training/run.ts';
import { checkSettings, defaultSettings } from '../../src/zeroseg/training/settings.ts';
import { vitConfig } from '../../src/zeroseg/vit/load-vit.ts';
import { openStudy, Sitting, STUDY_FORMAT, studyFile } from '../../src/zeroseg/votes/index.ts';
import { benchmarkOf, madeUpRates } from '../support/benchmark.ts';
import {
  damagedBytes,
  damagedJson,
  objectNames,
  strangeNumber,
  strangeText,
  strangeValue,
} from '../support/hostile.ts';
import { textTower } from '../support/segclip.ts';

const runs = Number(process.env['FUZZ_RUNS'] ?? 60);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
/** A parser that takes so long over a few kilobytes hangs. */
const LONGEST = 20_000;

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-hostile-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (...parts: string[]): string => join(folder, ...parts);

const repository = new URL('../../', import.meta.url).pathname;
const file = (path: string): Promise<Uint8Array> => readFile(join(repository, path));
const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(join(repository, path), 'utf8'));

async function put(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true });
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  await writeFile(at(path), isRaw ? content : (JSON.stringify(content) ?? ''));
}

/** What a parser is given, and what is done with it. */
interface Parser<T> {
  /** Exported names that this covers. */
  readonly of: readonly string[];
  readonly input: fc.Arbitrary<T>;
  readonly parse: (input: T) => unknown;
}

const parsers: Parser<unknown>[] = [];
function parser<T>(of: string, input: fc.Arbitrary<T>, parse: (input: T) => unknown): void {
  parsers.push({ of: of.split(' '), input, parse: parse as Parser<unknown>['parse'] });
}

// Weights

const clipFile = await file('test/fixtures/clip-tiny/clip-tiny.safetensors');
const groupVitFile = await file('test/fixtures/groupvit-tiny/groupvit-tiny.safetensors');
const opsFile = await file('test/fixtures/ops/gather.safetensors');
const modelFile = writeSafetensors([['w', { dtype: 'F32', shape: [2], data: new Float32Array(2) }]], {
  format: 'zeroseg-model-1',
  config: JSON.stringify(tinyConfig),
  step: '5',
  teacher: 'x sha256:00',
});
const everyType = writeSafetensors([
  ['F64', { dtype: 'F64', shape: [1], data: new Float64Array(1) }],
  ['I64', { dtype: 'I64', shape: [1], data: BigInt64Array.of(5n) }],
  ['U64', { dtype: 'U64', shape: [1], data: BigUint64Array.of(2n ** 63n) }],
  ['BF16', { dtype: 'BF16', shape: [2, 1], data: new Uint16Array(2) }],
  ['F16', { dtype: 'F16', shape: [], data: new Uint16Array(1) }],
  ['BOOL', { dtype: 'BOOL', shape: [0, 3], data: new Uint8Array(0) }],
  ['__proto__', { dtype: 'U8', shape: [1], data: new Uint8Array(1) }],
]);
const weights = damagedBytes([clipFile, groupVitFile, opsFile, modelFile, everyType]);

/** Each on its own: one that refuses must not hide the others. */
function attempts(...tries: (() => unknown)[]): void {
  const errors = tries.flatMap((attempt) => {
    try {
      attempt();
      return [];
    } catch (error) {
      return [error];
    }
  });
  throwWorst(errors);
}

async function settled(...tries: Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(tries);
  throwWorst(results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])));
}

function throwWorst(errors: readonly unknown[]): void {
  const worst = errors.find((error) => !(error instanceof ZeroSegError)) ?? errors[0];
  if (worst !== undefined) throw worst;
}

parser('readSafetensors parseHeader headerSize toFloat32 toInt32', weights, (bytes) => {
  attempts(
    () => headerSize(bytes),
    () => headerSize(bytes.subarray(0, 8), 2 ** 40),
    () => parseHeader(bytes, bytes.length + 1),
    () => {
      const { tensors } = readSafetensors(bytes);
      attempts(...[...tensors.values()].flatMap((one) => [() => toFloat32(one), () => toInt32(one)]));
    },
  );
});
const pickled = ['kinds', 'kinds-legacy', 'kinds-protocol-4', 'training', 'script'];
const torchFiles = await Promise.all(pickled.map((name) => readFile(`test/fixtures/torch/${name}.pt`)));
parser('openTorch openWeightRanges unpickle readZipDirectory', damagedBytes(torchFiles), async (bytes) => {
  const ranges = { size: bytes.length, readRange: async (start: number, end: number) => bytes.slice(start, end) };
  const { tensors } = await openWeightRanges(ranges, 'file.pt');
  await settled(...[...tensors.values()].map((one) => one.read()));
});
parser('modelInfo detectClipNames clipConfig groupVitConfig logitScale', weights, (bytes) => {
  const stored = readSafetensors(bytes);
  attempts(
    () => modelInfo(stored, 'file'),
    () => detectClipNames(stored.tensors, 'file'),
    () => clipConfig(stored.tensors, 'file', { vision: { heads: 2 }, text: { heads: 2 } }),
    () => groupVitConfig(stored.tensors, 'file', { vision: { heads: 2 }, text: { heads: 2 } }),
    () => logitScale(stored.tensors),
  );
});
const shape = fc.array(fc.constantFrom(0, 1, 2, 3, 4, 64, 2 ** 31, 2 ** 40, 2 ** 53 - 1), { maxLength: 5 });
const holes = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), shape).map((shapes) => {
    const tensors = Object.entries(shapes).map(
      ([name, sizes]) =>
        [name, { file: 'f', name, dtype: 'F32' as const, shape: sizes, bytes: new Uint8Array(0) }] as const,
    );
    return new Map(tensors);
  });
const clipNames = [
  ...readSafetensors(clipFile).tensors.keys(),
  'vision_model.encoder.layers.99999999.x',
  'logit_scale',
];
const groupVitNames = [...readSafetensors(groupVitFile).tensors.keys()];
const segClipNames = [
  ...textTower().map(([name]) => `clip.${name}`),
  ...readSafetensors(
    await readFile(join(repository, 'test/fixtures/segclip-tiny/segclip-tiny.safetensors')),
  ).tensors.keys(),
];
// Tensors without elements may have axes of any length: no byte of the file is behind them.
parser('clipConfig groupVitConfig', holes([...clipNames, ...groupVitNames]), (stored) => {
  attempts(
    () => clipConfig(stored, 'file', {}),
    () => groupVitConfig(stored, 'file', {}),
  );
});
const clipJson = await json('test/fixtures/clip-tiny/clip-tiny.json');
const teacherJson = await json('pretrained/teacher/config.json');
const clipTensors = readSafetensors(clipFile).tensors;
const groupVitTensors = readSafetensors(groupVitFile).tensors;
const groupVitJson = await json('test/fixtures/groupvit-tiny/groupvit-tiny.json');
parser('clipConfig', damagedJson((clipJson as { config: unknown }).config), (config) =>
  clipConfig(clipTensors, 'file', config),
);
for (const name of ['open-clip-tiny', 'open-clip-custom']) {
  const settings = await json(`test/fixtures/${name}/open_clip_config.json`);
  parser('clipConfig openClipSettings', damagedJson(settings), (config) => clipConfig(clipTensors, 'file', config));
}
parser('clipConfig', damagedJson(teacherJson), (config) => clipConfig(clipTensors, 'file', config));
parser('segClipConfig segClipText', holes(segClipNames), (stored) => {
  attempts(
    () => segClipConfig(stored, 'file'),
    () => segClipText(stored, 'file'),
  );
});
parser('groupVitConfig', damagedJson((groupVitJson as { config: unknown }).config), (config) =>
  groupVitConfig(groupVitTensors, 'file', config),
);
parser('openWeights openClip findModel readBytes', weights, async (bytes) => {
  await put('weights/model.safetensors', bytes);
  await findModel(at('weights'));
  await readBytes(at('weights/model.safetensors'));
  await openWeights(at('weights/model.safetensors'));
  await openClip(at('weights'));
});
parser(
  'openClip',
  fc.tuple(damagedJson(teacherJson), damagedJson({ model: { vocab: {}, merges: [] } })),
  async ([config, tokens]) => {
    await put('clip/model.safetensors', clipFile);
    await put('clip/config.json', config);
    await put('clip/tokenizer.json', tokens);
    const clip = await openClip(at('clip'));
    await clip.tokens();
  },
);
parser('openClip', fc.tuple(strangeText, damagedJson({ a: 1, b: 2 })), async ([merges, vocabulary]) => {
  await put('merged/model.safetensors', clipFile);
  await put('merged/merges.txt', merges);
  await put('merged/vocab.json', vocabulary);
  await put('merged/config.json', (clipJson as { config: unknown }).config);
  await (await openClip(at('merged'))).tokens();
});
parser('openClip findModel', strangeText, async (name) => {
  const place = name.replaceAll('\0', '');
  const errors = await Promise.allSettled([openClip(place), findModel(place)]);
  for (const { reason } of errors as PromiseRejectedResult[]) if (reason) throw reason;
});
parser(
  'openClip openClipFolder',
  damagedJson({ metadata: {}, weight_map: { a: 'gather.safetensors', b: 'gather.safetensors' } }),
  async (index) => {
    await put('sharded/gather.safetensors', opsFile);
    await put('sharded/model.safetensors.index.json', index);
    await openClip(at('sharded/model.safetensors.index.json'));
  },
);
const knownWords = { seen: 'drawings', objects: { dog: ['hound'] }, grounds: { grass: [] }, adjectives: ['red', 'a'] };
parser('readKnownWords', fc.tuple(damagedJson(knownWords), strangeText), ([known, name]) => {
  const words = readKnownWords(knownWordsMetadata(known as never), 'file');
  unknownNames(words, [name, `red ${name}`, 'grass dogs', 'a '.repeat(5e5)]);
});
parser('readKnownWords', strangeText, (text) => readKnownWords({ known_words: text }, 'file'));

// A model and what names its segments, out of bytes as a page has them, and out of files.
parser(
  'openWeightSource readSource openClipFiles pairWithText',
  fc.tuple(weights, weights, damagedJson(teacherJson), damagedJson({ model: { vocab: {}, merges: [] } })),
  async ([model, clip, config, tokenizer]) => {
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value) ?? '');
    const opened = await Promise.allSettled([
      openClipFiles({ weights: clip, config: encode(config), tokenizer: encode(tokenizer) }),
      openWeightSource(new Blob([model]), 'model'),
    ]);
    const [source, file] = opened.map((one) => (one.status === 'fulfilled' ? one.value : one.reason));
    if (file instanceof Error) throw file;
    await pairWithText(file, source instanceof Error ? { settings: config } : { clip: source, settings: config });
    if (source instanceof Error) throw source;
  },
);
parser('readSource openWeightSource', strangeValue, async (source) => {
  await openWeightSource(source as string, 'model');
});
const tinyClip = await openClipFiles({ weights: clipFile, config: (clipJson as { config: object }).config as never });
parser('openModelFile openWithOwnText', fc.tuple(weights, damagedJson(teacherJson)), async ([bytes, config]) => {
  await put('model/model.safetensors', bytes);
  await put('model/config.json', config);
  const place = at('model/model.safetensors');
  const errors = await Promise.allSettled([
    openModelFile(place).then((file) => zeroSegAndText(file, tinyClip)),
    openModelFile(place).then(openWithOwnText),
  ]);
  for (const { reason } of errors as PromiseRejectedResult[]) if (reason) throw reason;
});

parser(
  'openTeacher openSiglipFolder openWeightFolder openFolderFile findVit',
  fc.tuple(weights, damagedJson(teacherJson)),
  async ([bytes, config]) => {
    await put('siglip/model.safetensors', bytes);
    await put('siglip/config.json', config);
    const place = at('siglip/model.safetensors');
    const errors = await Promise.allSettled([
      openTeacher(at('siglip')),
      openTeacher(place),
      openWeights(place).then(({ tensors }) => {
        const vit = findVit(tensors, 'file');
        if (vit) vitConfig(vit, 'file');
      }),
    ]);
    for (const { reason } of errors as PromiseRejectedResult[]) if (reason) throw reason;
  },
);
parser('openBackbone', weights, async (bytes) => {
  await put('backbone/model.safetensors', bytes);
  await openBackbone(at('backbone/model.safetensors'), {});
});

// Configurations

parser('resolveConfig', damagedJson(baseConfig), (config) => resolveConfig(config as Record<string, unknown>));
parser('resolveConfig', fc.dictionary(fc.constantFrom(...Object.keys(baseConfig)), strangeValue), (config) =>
  resolveConfig(config),
);
parser('checkSettings', damagedJson(defaultSettings), (settings) =>
  checkSettings({ ...defaultSettings, ...(settings as object) }, 10_000),
);
const cacheKey = {
  ...{ teacher: 't', weights: 'w', grids: [1, 2], viewSource: 'native' as const, teacherSize: 8, mean: [0, 0, 0] },
  ...{ std: [1, 1, 1], views: 5, dim: 8, studentSize: 16 },
};
const features = { folder: 'f', length: 64, key: cacheKey };
parser('resolveOptions resolveTraining', damagedJson({ ...tinyConfig, batch: 4, epochs: 2 }), async (config) => {
  await put('config.json', config);
  await resolveOptions({ config: at('config.json') }, features);
});
parser(
  'resolveOptions resolveTraining parseAssignments',
  fc.tuple(fc.constantFrom('tiny', 'base', ...objectNames), fc.array(strangeText, { maxLength: 3 })),
  ([config, set]) => resolveOptions({ config, set }, features),
);
parser(
  'resolveOptions resolveTraining parseAssignments',
  fc.tuple(fc.constantFrom(...Object.keys(tinyConfig), ...Object.keys(defaultSettings)), strangeValue),
  ([key, value]) => resolveOptions({ config: 'tiny', set: [`${key}=${JSON.stringify(value)}`] }, features),
);
parser(
  'resolveOptions resolveTraining parseAssignments',
  fc.record(
    {
      epochs: strangeNumber,
      batch: strangeNumber,
      micro: strangeNumber,
      warmup: strangeNumber,
      steps: strangeNumber,
      seed: strangeNumber,
    },
    { requiredKeys: [] },
  ),
  (choices) => resolveOptions({ config: 'tiny', ...choices }, features),
);

// Folders of this package

const description = {
  ...{ format: 'zeroseg run', version: '1', adapter: 'a', started: 's', preset: 'tiny', init: null },
  ...{ cache: { folder: 'f', photos: 4, paths: 'p', key: cacheKey }, config: tinyConfig, settings: defaultSettings },
  validation: { fraction: 0.25, every: 5 },
};
parser('readRun', damagedJson(description), async (found) => {
  await put('run/config.json', found);
  await readRun(nodeFileSystem(at('run')));
});
parser('openRun readDescription RunStore.open', damagedJson(description), async (found) => {
  await put('run/config.json', found);
  await (await openRun(nodeFileSystem(at('run')))).store.close();
});
parser('parseMetrics', damagedJson({ step: 1, loss: 2, watch: { nearest: { '1x1': 1 } }, probe: { a: 1 } }), (line) =>
  parseMetrics(JSON.stringify(line) ?? ''),
);
parser('parseMetrics', strangeText, parseMetrics);
parser('parseStep', strangeText, parseStep);
parser('parseStep', damagedJson({ step: 1, loss: 2 }), (line) => parseStep(JSON.stringify(line)));
parser(
  'openRun',
  fc.array(
    fc.oneof(
      damagedJson({ step: 1, loss: 1 }).map((line) => JSON.stringify(line)),
      strangeText,
    ),
    { maxLength: 4 },
  ),
  async (lines) => {
    await put('lines/config.json', description);
    await put('lines/metrics.jsonl', lines.join('\n'));
    const { store: run } = await openRun(nodeFileSystem(at('lines')));
    await run.metricsUpTo(1).finally(() => run.close());
  },
);
parser('openRun', damagedJson({ step: 1 }), async (state) => {
  await put('checked/config.json', description);
  await put('checked/checkpoints/step-000001/state.json', state);
  await put('checked/checkpoints/step-000001/model.safetensors', modelFile);
  await put('checked/checkpoints/step-000001/optimizer.safetensors', modelFile);
  const { store: run } = await openRun(nodeFileSystem(at('checked')));
  await run.newest(() => undefined).finally(() => run.close());
});
const cacheFolder = at('cache-made');
{
  const cache = await openCache(nodeFileSystem(cacheFolder), cacheKey);
  for (const path of ['a.png', 'b.png']) {
    const image = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3) };
    await cache.add({ path, size: 1, mtime: 1, hash: '0'.repeat(32) }, new Float32Array(40), image);
  }
  await cache.close();
}
const cacheFiles = {
  'cache.json': await readFile(join(cacheFolder, 'cache.json')),
  'features-00000.json': await readFile(join(cacheFolder, 'features-00000.json')),
  'features-00000.safetensors': await readFile(join(cacheFolder, 'features-00000.safetensors')),
  'state.json': new TextEncoder().encode('{"removed":["a.png"],"failed":{"constructor":"x"}}'),
};
async function cacheWith(changed: Readonly<Record<string, unknown>>, folder = 'cache'): Promise<void> {
  for (const [name, content] of Object.entries({ ...cacheFiles, ...changed })) await put(`${folder}/${name}`, content);
  const cache = await readCache(nodeFileSystem(at(folder)));
  try {
    for (let i = 0; i < cache.length; i++) {
      await cache.features(i);
      await cache.image(i);
    }
  } finally {
    await cache.close();
  }
  await cache.features(7);
}
for (const [name, content] of Object.entries(cacheFiles)) {
  parser('readCache readIndex CacheIndex.load', damagedBytes([content]), (bytes) => cacheWith({ [name]: bytes }));
  if (!name.endsWith('.json')) continue;
  const value: unknown = JSON.parse(new TextDecoder().decode(content));
  parser('readCache readIndex CacheIndex.load', damagedJson(value), (found) => cacheWith({ [name]: found }));
}
const packedIndex = await readFile(join(cacheFolder, 'cache.index'));
parser('parsePackedIndex readSafetensors', damagedBytes([packedIndex]), (bytes) =>
  cacheWith({ 'cache.index': bytes }, 'packed-cache'),
);
parser('parsePackedIndex', damagedBytes([packedIndex]), (bytes) => parsePackedIndex(bytes.slice()));
parser('readJsonFile parseJsonFile', damagedBytes([cacheFiles['cache.json']]), async (bytes) => {
  const files = memoryFileSystem();
  await files.write('a.json', bytes);
  await readJsonFile(files, 'a.json');
});
parser(
  'openCache readHeader',
  damagedJson(JSON.parse(new TextDecoder().decode(cacheFiles['cache.json']))),
  async (found) => {
    await put('opened/cache.json', found);
    await (await openCache(nodeFileSystem(at('opened')), cacheKey)).close();
  },
);
const scenes = {
  format: 'zeroseg-scenes',
  version: 1,
  names: ['a', 'b'],
  objects: 1,
  synonyms: {},
  seed: 1,
  count: 2,
  options: {},
};
parser('readSceneIndex sceneDefinition', damagedJson(scenes), async (found) => {
  await put('scenes/classes.json', found);
  await readSceneIndex(at('scenes'));
  await sceneDefinition(at('scenes'));
});
const ended = {
  format: 'zeroseg experiment run',
  identity: { config: {}, settings: { seed: 1 }, data: {} },
  setting: 's',
  steps: 1,
  seconds: 1,
};
parser('parseEndedRun', damagedJson(ended), parseEndedRun);
const score = { all: 1, objects: 1, ground: null, accuracy: 1, chance: 1, groupsUsed: 1, namesPresent: 1 };
parser('parseScore', damagedJson({ score }), (found) => parseScore(found, 'file'));
const curve = { meanIou: backgroundThresholds.map(() => 0.5), objects: 0.25 };
parser('parseBackgroundScore', damagedJson({ score: curve }), (found) => parseBackgroundScore(found, 'file'));
parser('parseTimes', damagedJson({ clock: 'wall', seconds: { a: 1 } }), (found) => parseTimes(found, 'file'));
parser('measuredDevice', damagedJson(benchmarkOf(madeUpRates)), async (found) => {
  await put('bench.json', found);
  await measuredDevice(at('bench.json'));
});
parser('readTeacherLog', damagedJson(await json('pretrained/teacher/log.json')), async (found) => {
  await put('teacher/log.json', found);
  await readTeacherLog(at('teacher'));
});
const study = {
  format: STUDY_FORMAT,
  id: '0123456789abcdef',
  seed: 7,
  votes: 1,
  question: 'Which is better?',
  titles: { a: 'one', b: 'other' },
  pictures: [
    { name: 'x', a: 'a/x.png', b: 'b/x.png', photo: null },
    { name: 'y', a: 'a/y.png', b: 'b/y.png', photo: 'y.jpg' },
  ],
  same: 0,
};
const pictureFiles = ['a/x.png', 'b/x.png', 'a/y.png', 'b/y.png', 'y.jpg'];
async function studyFolder(found: unknown, votes?: unknown) {
  const files = memoryFileSystem();
  for (const path of pictureFiles) await files.write(path, 'picture');
  await files.write(studyFile, JSON.stringify(found) ?? '');
  if (votes !== undefined) await files.write('votes/ada.json', JSON.stringify(votes) ?? '');
  return files;
}
parser('openStudy', damagedJson(study), async (found) => openStudy(await studyFolder(found)));
const sat = await (async () => {
  const files = await studyFolder(study);
  const sitting = await Sitting.open(files, await openStudy(files), 'ada');
  await sitting.vote('left', 2.5);
  return sitting.content;
})();
parser('Sitting.open', damagedJson(sat), async (votes) => {
  const files = await studyFolder(study, votes);
  const sitting = await Sitting.open(files, await openStudy(files), 'ada');
  if (sitting.next) await sitting.vote('right', 1);
});
parser('parseTeacherLog', damagedJson(await json('pretrained/teacher/log.json')), (found) =>
  parseTeacherLog(found, 'file'),
);
const finetuneLog = damagedJson({
  format: 'zeroseg fine-tuning',
  choices: { backbone: 'vit.pth', data: 'voc', root: 'VOC2012' },
  settings: { steps: 4, crop: 224 },
  classes: ['background', 'cat'],
  weights: 'ab12',
});
parser('parseFinetuneLog', finetuneLog, (found) => parseFinetuneLog(found, 'file'));
parser('readFinetuneLog', finetuneLog, async (found) => {
  await put('finetune/finetune.json', found);
  await readFinetuneLog(at('finetune'));
});
parser(
  'parseLossScale',
  fc.oneof(
    damagedJson({ value: 1, good: 0, updates: 0 }).map((found) => JSON.stringify(found)),
    strangeText,
  ),
  (text) => parseLossScale(text, 'file'),
);
parser(
  'readJson parseJson shownValue',
  fc.oneof(
    damagedBytes([clipFile.subarray(8, 2000), cacheFiles['cache.json']]),
    fc.constant(new Uint8Array(1e5).fill(0x5b)),
  ),
  async (bytes) => {
    await put('any.json', bytes);
    shownValue(await readJson(at('any.json')));
  },
);

// Pictures

const pixels = { width: 9, height: 7, data: Uint8Array.from({ length: 9 * 7 * 3 }, (_, i) => (i * 37) & 255) };
const raw = sharp(pixels.data, { raw: { width: 9, height: 7, channels: 3 } });
const photos = await Promise.all(
  (['png', 'jpeg', 'gif', 'webp', 'tiff', 'avif'] as const).map((kind) => raw.clone().toFormat(kind).toBuffer()),
);
const exif = await raw.clone().withMetadata({ orientation: 6 }).jpeg({ progressive: true }).toBuffer();
const drawing = new TextEncoder().encode(
  '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>',
);
const pictures = damagedBytes([...photos, exif, drawing]);
parser('readTransparent', pictures, async (bytes) => {
  await put('photo.png', bytes);
  await readTransparent(at('photo.png'));
});
parser('decodePhoto readPhoto photoKind', pictures, async (bytes) => {
  photoKind(bytes);
  await put('photo.jpg', bytes);
  const { width, height, data } = await readPhoto(at('photo.jpg'));
  expect(data.length).toBe(3 * width * height);
  await decodePhoto(bytes, 'photo');
});
const labels = { width: 9, height: 7, data: Uint8Array.from({ length: 63 }, (_, i) => i % 21) };
await writeLabelPng(at('labels.png'), labels, pascalPalette());
await writeLabelPng(at('deep.png'), { ...labels, data: Uint16Array.from(labels.data, (label) => label * 300) }, []);
const maps = [
  await readFile(at('labels.png')),
  await readFile(at('deep.png')),
  encode({ width: 9, height: 7, data: labels.data, channels: 1 }),
  encode({ ...pixels, channels: 3 }),
  await raw.clone().png({ progressive: true, palette: true, colours: 4 }).toBuffer(),
];
parser('readLabelMap inspectPng', damagedBytes(maps), async (bytes) => {
  await put('map.png', bytes);
  const { width, height, data } = await readLabelMap(at('map.png'));
  expect(data.length).toBe(width * height);
});
parser('inspectPng', damagedBytes(maps), inspectPng);
const atlasIndex = {
  ...{ format: 'zeroseg-atlas', version: 1, side: 4, columns: 2, styles: ['constructor'] },
  classes: [
    { name: 'dog', group: 'g', keywords: [] },
    { name: '__proto__', group: 'g', keywords: ['x'] },
  ],
};
const atlasPng = encode({ width: 8, height: 4, data: new Uint8Array(8 * 4 * 4), channels: 4 });
const drawAll = (atlas: SceneAtlas): void => {
  for (const style of atlas.styles) for (const { name } of atlas.classes) atlas.cutOut(style, name);
};
parser('SceneAtlas.parse', damagedJson(atlasIndex), (index) => drawAll(SceneAtlas.parse(atlasPng, index)));
parser('SceneAtlas.parse', damagedBytes([atlasPng, ...maps]), (bytes) => drawAll(SceneAtlas.parse(bytes, atlasIndex)));
parser('loadAtlas', fc.tuple(damagedJson(atlasIndex), damagedBytes([atlasPng])), async ([index, bytes]) => {
  await put('atlas/atlas.json', index);
  await put('atlas/atlas.png', bytes);
  drawAll(await loadAtlas(at('atlas')));
});
const font = await readFile(
  createRequire(import.meta.url).resolve('@fontsource/inter/files/inter-vietnamese-600-normal.woff'),
);
parser('createLettering', damagedBytes([font]), (bytes) => createLettering([bytes]).path('Sofa ạ', 12, 0, 0));

// Text

const clip = await Tokenizer.clip();
parser('cleanText unescapeHtml', strangeText, (text) => [cleanText(text), unescapeHtml(text)]);
parser('Tokenizer.clip', strangeText, (text) => {
  const row = clip.row(text);
  expect(row.length).toBe(77);
  clip.fits(text);
  clip.decode(clip.encode(text));
});
parser('Tokenizer.clip', fc.tuple(strangeText, strangeNumber), ([text, number]) =>
  attempts(
    () => clip.row(text, number),
    () => clip.decode([number]),
  ),
);
parser('Tokenizer.fromMerges resolve parseMerge', fc.tuple(strangeText, strangeValue), ([text, vocabulary]) =>
  Tokenizer.fromMerges(text, vocabulary as Record<string, number>).encode(text),
);
const bytesOnly = JSON.parse(
  JSON.stringify({
    model: { vocab: { a: 0, 'a</w>': 1, '<|startoftext|>': 2, '<|endoftext|>': 3 }, merges: ['a a</w>'] },
    added_tokens: [{ content: 'x', id: 4 }],
  }),
);
parser('Tokenizer.fromTokenizerJson resolve parseMerge', damagedJson(bytesOnly), (found) =>
  Tokenizer.fromTokenizerJson(found as object).encode('aa b'),
);
parser('Tokenizer.fromTokenizerJson', strangeText, (text) => Tokenizer.fromTokenizerJson(text));
parser('parseModelPlace', strangeText, async (text) => {
  const place = text.replaceAll('\0', '');
  await settled(
    ...['', 'clip:', 'groupvit:'].flatMap((kind) => [kind + place, `${kind}${place}:sclip`]).map(parseModelPlace),
  );
});
parser('parseClasses parseNames parseNamesOrCount', strangeText, async (text) => {
  parseNames(text);
  parseNamesOrCount(text);
  await put('names.txt', text);
  await settled(parseClasses(text.replaceAll('\0', '')), parseClasses(`@${at('names.txt')}`));
});
/** Lists as people write them, and pieces of such. */
const classList = (longest: number): fc.Arbitrary<string> =>
  fc.oneof(
    strangeText,
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '"',
            '""',
            '|',
            ',',
            '\n',
            '\r',
            '#',
            '=',
            '=#',
            '=#f80',
            '=#ff8800',
            '=#12345',
            ' ',
            'dog',
            'a b',
          ),
          fc.constantFrom('"salt, pepper"', '"E=mc2"=#000', '12""', '\\"', '\\', '\\n', ...objectNames),
          strangeText,
        ),
        { maxLength: 20 },
      )
      .map((parts) => parts.join('')),
    fc
      .tuple(
        fc.constantFrom('"', '""', ' ', 'x', ',', 'x,', '|', '=', '=#', '#', '\n', '\ud800', ' "', '" "'),
        fc.nat(longest),
      )
      .map(([piece, times]) => piece.repeat(times / piece.length)),
  );
parser('parseClassText', classList(1e6), (text) => {
  const began = performance.now();
  try {
    for (const { name, words, colour } of parseClassText(text)) {
      expect(words[0]).toBe(name);
      expect(colour?.every((part) => part >= 0 && part <= 255) ?? true).toBe(true);
    }
  } finally {
    // Processors that others use, too, are slow: this is linear, and a megabyte takes a tenth of it.
    expect(performance.now() - began).toBeLessThan(5000);
  }
});
parser('parseClassText', strangeValue, (value) => parseClassText(value as string));
parser('parseSynonyms readColours', classList(2e4), async (list) => {
  await put('list.txt', list);
  const bare = list.replaceAll('\0', '');
  const place = at('list.txt');
  await settled(
    parseSynonyms(bare).then((synonyms) => withSynonyms(['dog', 'constructor'], synonyms)),
    parseSynonyms(`@${place}`),
    readColours(place),
  );
});
parser(
  'parseSynonyms readColours',
  damagedBytes([new TextEncoder().encode('dog|hound=#ff8800\n"a b"=#000'), ...photos]),
  async (bytes) => {
    await put('list.bin', bytes);
    await settled(readColours(at('list.bin')), parseSynonyms(`@${at('list.bin')}`));
  },
);
parser('parseSynonyms readColours', strangeText, (name) =>
  settled(readColours(at(`none-${name}`)), parseSynonyms(`@${at(`none-${name}`)}`), readColours(folder)),
);
parser('wholeNumber numberFrom oneOf wholeNumbers chartFile jsonTarget', strangeText, (text) =>
  attempts(
    ...[
      wholeNumber(),
      wholeNumber(0, 5),
      numberFrom(0, 1e6),
      oneOf('a', 'b'),
      wholeNumbers(64, 64),
      chartFile,
      jsonTarget,
    ].map((parse) => () => {
      try {
        parse(text);
      } catch (error) {
        if (!(error instanceof CommanderError)) throw error;
      }
    }),
  ),
);
parser('parseVariant', strangeText, parseVariant);
parser(
  'openDataSet readSplit findBase decodeLabelMap',
  fc.tuple(strangeText, fc.constantFrom(...Object.keys(dataSetKinds), ...objectNames)),
  async ([text, name]) => {
    for (const list of ['Segmentation', 'SegmentationContext']) await put(`set/ImageSets/${list}/val.txt`, text);
    await put('set/JPEGImages/a.jpg', photos[1]);
    await put('set/SegmentationClass/a.png', maps[0]);
    await put('set/SegmentationClassContext/a.png', maps[0]);
    for (const photo of await openDataSet(name as 'voc', at('set'))) await photo.load();
  },
);

const mats = await Promise.all(
  ['context', 'context-plain', 'sbd'].map((name) => readFile(`test/fixtures/mat/${name}.mat`)),
);
parser('readMat labelsOfMat', damagedBytes(mats), (bytes) =>
  attempts(
    () => labelsOfMat(bytes, ['LabelMap']),
    () => labelsOfMat(bytes, ['GTcls', 'Segmentation']),
  ),
);
await put('packed/a.png', maps[0]);
await createTar({ cwd: at('packed'), file: at('packed.tar') }, ['a.png']);
const archives = [
  await readFile(at('packed.tar')),
  zipSync({ 'a/b.png': maps[0]!, 'a/c.txt': new Uint8Array(9) }),
  zipSync({ 'stored.jpg': photos[1]! }, { level: 0 }),
];
parser('openArchive openZip readTarIndex openPhotos', damagedBytes(archives), async (bytes) => {
  await put('archive.bin', bytes);
  const { files } = await openArchive(at('archive.bin'));
  await settled(...[...files.values()].map((one) => one.read(1e6)), openPhotos(at('archive.bin'), true));
});
const cocoImages = [{ id: 7, file_name: 'a.jpg', height: 3, width: 4 }];
const regions = [
  { image_id: 7, category_id: 47, area: 1, iscrowd: 0, segmentation: [[0, 0, 1, 0, 1, 1, 0, 1]] },
  { image_id: 7, category_id: 1, area: 12, iscrowd: 1, segmentation: { size: [3, 4], counts: [0, 9, 3] } },
  { image_id: 7, category_id: 2, area: 2, segmentation: { size: [3, 4], counts: '336' } },
];
parser('readInstances cocoMask parseJson', damagedJson({ images: cocoImages, annotations: regions }), async (found) => {
  await put('coco/a.json', found);
  await (await readInstances(new FileTree(at('coco')), 'a.json')).find('a')?.read();
});
parser(
  'cocoMask',
  fc.tuple(damagedJson(regions[0]!.segmentation), strangeNumber, strangeNumber),
  ([mask, height, width]) =>
    attempts(
      () => cocoMask(mask as number[][], 3, 4),
      () => cocoMask([], height, width),
      () => cocoMask([[0, 0, height, 0, width, width]], 3, 4),
    ),
);
await put('coco/pngs/a.png', maps[0]);
const panoptic = [{ image_id: 7, file_name: 'a.png', segments_info: [{ id: 513, category_id: 18 }] }];
parser('readPanoptic', damagedJson({ images: cocoImages, annotations: panoptic }), async (found) => {
  await put('coco/b.json', found);
  await (await readPanoptic(new FileTree(at('coco')), 'b.json', 'pngs')).find('a')?.read();
});
const contextImages = [{ image_id: 7, file_name: 'a.jpg', phase: 'val', height: 3, width: 4 }];
parser('readContextJson', damagedJson({ images: contextImages, annos_segmentation: regions }), async (found) => {
  await put('coco/c.json', found);
  const { find } = await readContextJson(new FileTree(at('coco')), 'c.json', 'val', (labels) => labels as Uint8Array);
  await find('a')?.read();
});
parser('folderDefinition readNames', strangeText, async (text) => {
  await put('names/names.txt', text);
  await folderDefinition(at('names'));
});

// Numbers

parser('slidingWindows', fc.tuple(strangeNumber, strangeNumber, strangeNumber, strangeNumber), ([a, b, c, d]) =>
  slidingWindows(a, b, c, d),
);
parser(
  'gridBoxes viewCount',
  fc.tuple(strangeNumber, fc.oneof(fc.array(strangeNumber), strangeValue)),
  ([side, grids]) => {
    viewCount(grids as number[]);
    gridBoxes(side, grids as number[]);
  },
);

const masks = classRle({ width: 7, height: 5, data: Uint8Array.from({ length: 35 }, (_, i) => (i * 7) % 3) });
for (const rle of masks.values()) {
  parser('decodeRle', damagedJson(rle), (found) => decodeRle(found as typeof rle));
  parser('decodeRle', fc.tuple(strangeNumber, strangeNumber, strangeText), ([height, width, counts]) =>
    attempts(
      () => decodeRle({ ...rle, size: [height, width] }),
      () => decodeRle({ size: [height, width], counts }),
      () => decodeRle({ size: [5, 7], counts }),
    ),
  );
}
parser('decodeRle', fc.tuple(fc.constantFrom('0', '00', '1', 'o', 'P', '?'), fc.nat(1e6)), ([piece, times]) =>
  decodeRle({ size: [1000, 1000], counts: piece.repeat(times) }),
);

// Folders of others

const segments = {
  ...{ format: segmentsFormat, photo: 'dog.jpg', width: 9, height: 7, settings: 's', names: ['dog'] },
  source: { file: '../dog.jpg', bytes: 1, modified: 2 },
  files: {
    overlay: 'dog.overlay.png',
    labels: 'dog.labels.png',
    thumbnail: 'dog.thumbnail.jpg',
    cutouts: { dog: 'd.png' },
  },
  classes: [
    {
      label: 1,
      name: 'dog',
      colour: '#ff8800',
      pixels: 3,
      fraction: 0.1,
      parts: [{ polygon: { outer: [0], holes: [] } }],
    },
  ],
};
await mkdir(at('elsewhere'));
/** A folder anew, with a link round to itself, one to nothing and one elsewhere. */
async function linked(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  await rm(at(name), { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) await put(`${name}/${path}`, content);
  await symlink(at(name), at(name, 'round'));
  await symlink(at('nothing'), at(name, 'broken.jpg'));
  await symlink(at('elsewhere'), at(name, 'away'));
  return at(name);
}
/** A name of a file that the system takes: what it is made of may be as strange as it likes. */
const strangeName = strangeText.map((text) => text.replaceAll(/[\0/]/g, '').slice(0, 60).replace(/^\.*$/, 'x'));
const told = async (place: string): Promise<void> => {
  const infos = await inspectPlace(place);
  infoJson(infos);
  for (const info of infos) infoLines(info);
};
parser('inspectPlace', fc.tuple(strangeName, strangeText), async ([name, text]) => {
  const place = await linked('inspected', { [`${name}.jpg`]: photos[1], 'b.json': text });
  await settled(told(place), told(text), told(at('inspected', `${name}.jpg`)), told(at('inspected/broken.jpg')));
});
const kinds: [name: string, content: unknown][] = [
  ['cache.json', JSON.parse(new TextDecoder().decode(cacheFiles['cache.json']))],
  ['state.json', { step: 3, files: { 'model.safetensors': { bytes: 3, sha256: 'x' } } }],
  ['classes.json', scenes],
  ['config.json', description],
  ['dog.json', segments],
  ['any.index.json', { weight_map: { a: 'x.safetensors' } }],
  ['metrics.jsonl', { step: 1, loss: 2 }],
];
for (const [name, content] of kinds) {
  const text = new TextEncoder().encode(JSON.stringify(content));
  parser('inspectPlace', fc.oneof(damagedJson(content), damagedBytes([text])), async (found) => {
    const metrics = 'null\n{"step":1e400}';
    const place = await linked('told', { 'metrics.jsonl': metrics, 'checkpoints/step-1': '', [name]: found });
    await settled(told(place), told(join(place, name)));
  });
}
parser('inspectPlace', fc.tuple(weights, pictures), async ([bytes, picture]) => {
  const place = await linked('told-weights', { 'model.safetensors': bytes, 'config.json': 'null', 'a.jpg': picture });
  await settled(told(place), told(join(place, 'model.safetensors')), told(join(place, 'a.jpg')));
});
const metadata = damagedJson({ format: 'zeroseg-optimizer-1', step: '1', teacher: 'x', bytes: '5', known_words: '{}' });
parser('inspectPlace', metadata, async (found) => {
  const texts = Object.entries((found as object | null) ?? {}).map(([key, value]) => [key, JSON.stringify(value)]);
  const data = writeSafetensors(
    [['w', { dtype: 'F32', shape: [0], data: new Float32Array(0) }]],
    Object.fromEntries(texts),
  );
  await put('told.safetensors', data);
  await told(at('told.safetensors'));
});
parser('inspectMachine', fc.tuple(strangeText, fc.array(strangeText)), async ([name, adapters]) => {
  await put('machine.txt', '');
  await settled(
    inspectMachine(name, at(name), adapters),
    inspectMachine(name, at('machine.txt', name), [...adapters, `llvmpipe (Mesa ${name})`]),
    inspectMachine(name, name.repeat(500), adapters),
  );
});
const pattern = fc
  .array(
    fc.oneof(
      fc.constantFrom('*', '**', '?', '!', '+(a', '@(', '(', ')', '[a-', '[!', '{a,b}', '{1..9}', '\\', '/'),
      strangeText,
    ),
    {
      maxLength: 8,
    },
  )
  .map((parts) => parts.join(''));
parser('findPhotos', fc.tuple(pattern, strangeName), async ([text, name]) => {
  const place = await linked('album', { [`${name}.jpg`]: photos[1], 'sub/b.png': photos[0], '(a).jpg': photos[1] });
  // Nothing above it, which is searched long.
  const within = `${place}/${text.replaceAll('..', '.')}`;
  const check = async (given: string) => {
    for (const photo of await findPhotos([given, place])) expect(photo.name).not.toMatch(/^\.\.?\/|^\//);
  };
  await settled(check(within), check(`${within}/*.jpg`), check(`${place}/sub/{..,.}/*.jpg`), check(place));
});
parser(
  'ResultsFolder.open',
  fc.tuple(damagedJson(segments), strangeName, strangeText),
  async ([record, name, text]) => {
    const place = await linked('results', { 'dog.json': record, 'cat.json': text, [`${name}.overlay.png`]: text });
    const photo = (given: string) => ({ path: at('dog.jpg'), name: given });
    const named = [photo('dog.jpg'), photo(`${name}.jpg`), photo(`sub/${name}`), photo('cat'), photo('dog.png')];
    const results = await ResultsFolder.open(place, named);
    for (const one of named) {
      const claim = await results.claim(one);
      if (claim.before) await results.isWhole(claim, claim.before);
    }
    await settled(
      results.claim(photo(`away/${name}.jpg`)),
      results.claim(photo(`${text}.jpg`)),
      ResultsFolder.open(at('results/dog.json'), named),
      ResultsFolder.open(at(`new/${text}`), [photo(text)]),
    );
  },
);
const evaluation = { format: 'zeroseg-evaluation-1', files: ['photos/1.jpg', 'photos/2.jpg'] };
const nothing = {
  ...{ data: 'voc', photos: 0, threshold: 0.1, mean_iou: null, mean_iou_without_background: null },
  ...{ frequency_weighted_iou: null, boundary_f: null, pixel_accuracy: null },
  intervals: {
    ...{ mean_iou: null, mean_iou_without_background: null, frequency_weighted_iou: null, pixel_accuracy: null },
    resamples: 1,
  },
  classes: [],
};
parser(
  'EvaluationFolder.open',
  fc.tuple(damagedJson(evaluation), strangeText, fc.boolean()),
  async ([found, text, isText]) => {
    await put('elsewhere/1.jpg', 'a photo');
    const place = await linked('evaluation', { 'evaluation.json': isText ? text : found });
    await symlink(at('elsewhere'), at('evaluation/photos'));
    const options = { classes: 3, ignore: null, colour: () => [0, 0, 0] as const };
    await settled(
      EvaluationFolder.open(place, options).then((opened) =>
        opened.write(nothing, { unit: 'photos', title: text, notes: [text] }).finally(() => opened.close()),
      ),
      EvaluationFolder.open(at('evaluation/evaluation.json'), options),
      EvaluationFolder.open(at(text), options).then((opened) => opened.close()),
    ).finally(async () => expect(await readFile(at('elsewhere/1.jpg'), 'utf8')).toBe('a photo'));
  },
);

// Fixtures

async function verified(verify: (report: Report) => Promise<void>): Promise<void> {
  const report = new Report('manifest');
  await report.part('manifest', 'all', () => verify(report));
  expect(report.rows.filter(({ note }) => note?.startsWith('unexpected error'))).toEqual([]);
}
const rules = await json('test/fixtures/ops/rules.json');
parser('verifyRules kindOf', damagedJson(rules), (found) => {
  kindOf(found);
  return verified((report) => verifyRules(new Fields(found, 'rules'), report));
});
const cases = (await json('test/fixtures/tokenizer.json')) as { cases: unknown[] };
parser('verifyTokenizer kindOf', damagedJson({ ...cases, cases: cases.cases.slice(0, 3) }), (found) => {
  kindOf(found);
  return verified((report) => verifyTokenizer(new Fields(found, 'tokenizer'), report));
});

const shader = `
struct Params { n: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> params: Params;
override WG: u32 = 64;
var<workgroup> tile: array<f32, 64 * 33>;
fn twice(v: vec4f) -> vec4f { return select(v + v, vec4f(), v.x > 1e3f || !(v.y <= 0x1fu)); }
@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) at: vec3u, @builtin(local_invocation_index) l: u32) {
  for (var i = at.x; i < params.n; i += WG) {
    if (i % 2u == 0u) { y[i] = twice(x[i]) * params.scale; } else { tile[l * 33u] = y[i].x; continue; }
    workgroupBarrier();
  }
}`;
parser('parse', damagedBytes([new TextEncoder().encode(shader)]), (bytes) =>
  parseWgsl(new TextDecoder().decode(bytes)),
);

describe('takes what it is given, or says what is wrong with it', { timeout: 3_600_000 }, () => {
  const seen = new Map<string, number>();
  for (const { of, input, parse } of parsers) {
    const number = (seen.get(of[0]!) ?? 0) + 1;
    seen.set(of[0]!, number);
    it(`${of.join(', ')}${number > 1 ? ` (${number})` : ''}`, async () => {
      await fc.assert(
        fc.asyncProperty(input, async (given) => {
          const began = performance.now();
          try {
            await parse(given);
          } catch (error) {
            if (!(error instanceof ZeroSegError)) throw error;
            expect(error.message.length).toBeLessThan(20_000);
          }
          expect(performance.now() - began).toBeLessThan(LONGEST);
        }),
        { numRuns: runs, seed, endOnFailure: true },
      );
    });
  }
});

it('covers every parser that there is', () => {
  const sources = import.meta.glob(['../../src/**/*.ts', '../../cli/src/**/*.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }) as Record<string, string>;
  const covered = new Set(parsers.flatMap(({ of }) => of));
  const found: string[] = [];
  for (const [path, text] of Object.entries(sources)) {
    for (const [, name = ''] of text.matchAll(/^export (?:async )?function (\w+)/gm)) found.push(`${name} ${path}`);
    let type = '';
    for (const [, named, name] of text.matchAll(/^export class (\w+)|^ {2}static (?:async )?(\w+)\(/gm)) {
      if (named) type = named;
      else found.push(`${type}.${name} ${path}`);
    }
  }
  const isParser =
    /^(?:\w+\.)?(?:read|parse|load|decode|open|from|resolve|inspect|find|detect|clean|unescape)(?![a-z])/;
  const missing = found
    .map((one) => one.split(' ') as [string, string])
    .filter(
      ([name, path]) =>
        isParser.test(name) && !covered.has(name) && !notParsers.has(name) && !/src\/(?:tensor|kernels)\//.test(path),
    )
    .map(([name]) => name);
  expect(missing).toEqual([]);
});

/** They are called like parsers, and read nothing that could be damaged, or only what one above has read. */
const notParsers = new Set([
  // A device, halves of floats, bytes as they are.
  // An adapter is asked what it is; nothing is read.
  ...['inspectDevice', 'inspectAdapters'],
  ...['openDevice', 'fromHalf', 'readBounded', 'readStamped', 'readTensor', 'readNamed', 'readSettingTensors'],
  // Onto a GPU, by sizes that clipConfig, groupVitConfig, modelInfo and readSafetensors have checked; shapes are compared.
  ...[
    'loadClipVision',
    'loadClipText',
    'loadGroupVitVision',
    'loadGroupVitText',
    'loadSegClipText',
    'loadSegClipVision',
    'loadParameters',
    'loadMatching',
    'readParameters',
    'openModel',
    'loadModel',
    'loadNetwork',
    'loadSiglipVision',
    'loadSiglipText',
    'loadVit',
  ],
  ...['loadOptimizer', 'openDenseClip', 'openModelAndClip', 'openModelAndWords', 'openVocabulary'],
  // The demo's first weights, by openWeights.
  'openStart',
  // A cache by readCache, and photos by the readers of images.
  'readFeatures',
  // Results of the GPU.
  'readGrouping',
  // A name of ours in OpenAI's words.
  'openAiName',
  // A manifest's configuration, for resolveConfig.
  'readConfig',
]);
