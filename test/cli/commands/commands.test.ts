import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readLabelMap, readPhoto } from '../../../cli/src/photos/image-files.ts';
import { resolveOptions } from '../../../cli/src/shell/train-options.ts';
import {
  temporaryFolder,
  useCommandLine,
  writeClip,
  writeConfig,
  writePhotos,
  writeVoc,
} from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const cache = (...more: string[]) =>
  zeroseg(
    'cache',
    at('photos'),
    '--clip',
    at('clip'),
    '--out',
    at('cache'),
    '--grids',
    '1,2',
    '--image-size',
    '16',
    ...more,
  );

beforeAll(async () => {
  await writePhotos(at('photos'), 8);
  await writeFile(at('photos', 'broken.jpg'), 'no photo');
  await writeClip(at('clip'));
  await writeConfig(at('small.json'));
  await writeVoc(at('voc'), 3);
});

/** Times and adapters differ between machines. */
const steady = (text: string) =>
  text
    .replaceAll(base, 'BASE')
    .replace(/\d+ (s|min \d+ s)\b( \([^)]*\/s\)| \([^)]* per \w+\))?/g, 'TIME')
    .replace(/on .*$/gm, 'on ADAPTER')
    .replace(/[\d.]+ [kM]B/g, 'BYTES')
    .replace(/^(training|caching|segmenting): .*\n/gm, '')
    .replace(/\(teacher clip \(.*\)\)/, '(teacher clip)');

describe('from photos to words', () => {
  test('cache: a broken photo is named, skipped and counted', async () => {
    const { code, out, err } = await cache();
    expect(steady(err)).toMatchInlineSnapshot(
      `"skipped broken.jpg: this is not an image, or of a kind that cannot be read"`,
    );
    expect(steady(out).replace(/features: .*/, 'features: MAGNITUDE')).toMatchInlineSnapshot(`
      "9 photos in BASE/photos; 9 to do, 5 views each, on ADAPTER
      computed 8 photos in TIME
      features: MAGNITUDE
      1 photo could not be used:
        broken.jpg: this is not an image, or of a kind that cannot be read
      BASE/cache: 8 photos, BYTES"
    `);
    expect(code).toBe(0);
  });

  test('cache: again does only what failed', async () => {
    const { out } = await cache();
    expect(steady(out)).toMatchInlineSnapshot(`
      "9 photos in BASE/photos, 8 done before, 1 failed before; 1 to do, 5 views each, on ADAPTER
      1 photo could not be used:
        broken.jpg: this is not an image, or of a kind that cannot be read
      BASE/cache: 8 photos, BYTES"
    `);
  });

  test("train --init: a CLIP's learnt positions are taken over, what is not used is said; weighted terms sum to the loss", async () => {
    const weights = ['w_rec=0.5', 'w_match=0.25', 'w_compose=2'].flatMap((one) => ['--set', one]);
    const start = ['--config', at('small.json'), '--init', join(at('clip'), 'model.safetensors'), '--steps', '2'];
    const { code, out, err } = await zeroseg(
      'train',
      '--cache',
      at('cache'),
      '--out',
      at('begun'),
      ...start,
      ...weights,
    );
    expect([code, err]).toEqual([0, '']);
    expect(steady(out).replace(/^loss .*/m, 'LOSSES')).toMatchInlineSnapshot(`
      "positions: the encoder begins with the table 'vision_model.embeddings.position_embedding.weight' of BASE/clip/model.safetensors (2 × 2), resampled to 4 × 4
      not used of BASE/clip/model.safetensors: logit_scale, visual_projection.weight, text_projection.weight, vision_model.pre_layrnorm (2), text_model.embeddings (2), text_model.encoder (16), text_model.final_layer_norm (2)
      new, not in BASE/clip/model.safetensors: decoder.mask_token, decoder.embed (2), decoder.blocks (12), decoder.norm (2), decoder.pred (2), seg.stages (124), seg.norm (2), seg.projector (4)
      0.03 M parameters (18 tensors from BASE/clip/model.safetensors, the rest new, seed 0), 8 photos, teacher clip, on ADAPTER
      a step of 4 photos in parts of 2: BYTES planned, BYTES allocated; weights and optimizer BYTES
      2 steps, 2 an epoch; run folder BASE/begun
      trained 2 steps in TIME, TIME in all
      LOSSES
      model: BASE/begun/model.safetensors (teacher clip)
      report: BASE/begun/report.html"
    `);
    const { config } = JSON.parse(await readFile(join(at('begun'), 'config.json'), 'utf8'));
    expect(config.positions).toBe('learnt');

    const line = out.split('\n').find((one) => one.startsWith('loss ')) as string;
    const ends = line.match(/[\d.e+-]+ → [\d.e+-]+/g)?.map((both) => both.split(' → ').map(Number)) as number[][];
    expect(line.replace(/[\d.e+-]+ → [\d.e+-]+/g, 'A → Z')).toBe(
      'loss A → Z (rec A → Z + distill A → Z + match A → Z + compose A → Z)',
    );
    for (const end of [0, 1]) {
      const [loss, ...terms] = ends.map((both) => both[end] as number) as [number, ...number[]];
      expect(Math.abs(terms.reduce((a, b) => a + b) - loss)).toBeLessThan(0.01 * loss);
    }
  });

  test('positions are open to the weights that training begins with, unless somebody has said what they are', async () => {
    const key = { teacher: 'clip', dim: 8, grids: [1, 2] };
    const isOpen = async (config: string, ...set: string[]) =>
      (await resolveOptions({ config, set }, { folder: 'F', length: 8, key })).isPositionsOpen;
    expect(await isOpen(at('small.json'))).toBe(true);
    expect(await isOpen(at('small.json'), 'positions=fixed')).toBe(false);
    expect(await isOpen('base')).toBe(true);
    // Measured with fixed ones.
    expect(await isOpen('scenes')).toBe(false);
    // A run's own settings say it, also where they are of before there was a choice.
    const run = JSON.parse(await readFile(join(at('begun'), 'config.json'), 'utf8'));
    delete run.config.positions;
    await writeFile(at('old.json'), JSON.stringify(run));
    expect(await isOpen(at('old.json'))).toBe(false);
  });

  test('train: a run folder with everything in it', async () => {
    const run = at('run');
    const { code, out, err } = await zeroseg(
      'train',
      '--cache',
      at('cache'),
      '--out',
      run,
      '--config',
      at('small.json'),
      '--steps',
      '6',
      '--save-every',
      '2',
      '--sample-every',
      '3',
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(steady(out).replace(/^loss .*/m, 'LOSSES')).toMatchInlineSnapshot(`
      "0.03 M parameters (new, seed 0), 8 photos, teacher clip, on ADAPTER
      a step of 4 photos in parts of 2: BYTES planned, BYTES allocated; weights and optimizer BYTES
      6 steps, 2 an epoch; run folder BASE/run
      trained 6 steps in TIME, TIME in all
      LOSSES
      model: BASE/run/model.safetensors (teacher clip)
      report: BASE/run/report.html"
    `);
    expect((await readdir(run)).sort()).toEqual([
      'checkpoints',
      'config.json',
      'metrics.jsonl',
      'model.safetensors',
      'report.html',
      'samples',
    ]);
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual(['step-000004', 'step-000006']);
    expect((await readdir(join(run, 'samples'))).sort()).toEqual([
      'step-000000.png',
      'step-000003.png',
      'step-000006.png',
    ]);
    const metrics = (await readFile(join(run, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Object.keys(metrics[0])).toEqual([
      'step',
      'epoch',
      'lr',
      'loss',
      'rec',
      'distill',
      'match',
      'compose',
      'gradNorm',
      'seconds',
      'watch',
      'imagesPerSecond',
    ]);
    const report = await readFile(join(run, 'report.html'), 'utf8');
    expect(report).toContain('data:image/jpeg;base64,');
    // Nothing is loaded from anywhere.
    expect(report.match(/(src|href)=["'](?!data:)/g)).toBe(null);
    const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'));
    expect(config.config).toMatchObject({ clip_dim: 8, grids: [1, 2], dim: 16 });
    expect(config.settings).toMatchObject({ batch: 4, micro: 2, epochs: 3 });
  });

  test('segment: overlay, label map and JSON', async () => {
    const { code, out, err } = await zeroseg(
      'segment',
      at('photos', 'photo-0.png'),
      at('photos', 'broken.jpg'),
      '--model',
      at('run'),
      '--clip',
      at('clip'),
      '--classes',
      'dog, sofa',
      '--templates',
      'simple',
      '--tokenizer',
      'hash',
      '--out',
      at('segments'),
    );
    expect(code).toBe(1);
    expect(steady(err)).toMatchInlineSnapshot(`
      "--tokenizer hash: words are numbered by their hash and mean nothing
      skipped BASE/photos/broken.jpg: this is not an image, or of a kind that cannot be read
        BASE/photos/broken.jpg: this is not an image, or of a kind that cannot be read
      zeroseg: segment: 1 of 2 photos could not be read; the others are done"
    `);
    expect(steady(out).replace(/\w+ \d+ %(, \w+ \d+ %)?/, 'SHARES')).toMatchInlineSnapshot(`
      "BASE/photos/photo-0.png: SHARES → BASE/segments/photo-0.overlay.png
      1 photo in TIME, written to BASE/segments
      all on ADAPTER"
    `);
    const labels = await readLabelMap(at('segments', 'photo-0.labels.png'));
    expect([labels.width, labels.height]).toEqual([48, 40]);
    expect(labels.data.every((label) => label === 1 || label === 2)).toBe(true);
    expect((await readPhoto(at('segments', 'photo-0.overlay.png'))).width).toBeGreaterThanOrEqual(320);
    const json = JSON.parse(await readFile(at('segments', 'photo-0.json'), 'utf8'));
    expect(json.classes.reduce((sum: number, { fraction }: { fraction: number }) => sum + fraction, 0)).toBeCloseTo(1);
    expect(json.model.step).toBe(6);
    expect(await readdir(at('segments'))).toHaveLength(5);
  });

  test('eval: mean IoU with and without background, and a sweep', async () => {
    await writeFile(at('voc', 'JPEGImages', 'photo-1.png'), 'no photo');
    const args = ['--model', at('run'), '--clip', at('clip'), '--templates', 'simple', '--tokenizer', 'hash'];
    const { code, out, err } = await zeroseg(
      'eval',
      '--data',
      'voc',
      '--root',
      at('voc'),
      ...args,
      '--sweep',
      '--json',
      '--out',
      at('scores.json'),
      ...['--save', at('saved'), '--synonyms', 'sofa|couch, tvmonitor|tv'],
    );
    expect(code).toBe(1);
    expect(err).toContain('skipped photo-1: ');
    expect(err).toContain('zeroseg: eval: 1 of 3 photos could not be used; the scores are of the others alone');
    const result = JSON.parse(out);
    expect(JSON.parse(await readFile(at('scores.json'), 'utf8'))).toEqual(result);
    expect(result.photos).toBe(2);
    expect(result.options.synonyms).toEqual([
      ['sofa', 'couch'],
      ['tvmonitor', 'tv'],
    ]);
    const saved = JSON.parse(await readFile(at('saved', 'evaluation.json'), 'utf8'));
    expect([saved.mean_iou, saved.worst_first.length]).toEqual([result.mean_iou, 2]);
    expect(await readdir(at('saved', 'photos'))).toEqual(['1.jpg', '2.jpg']);
    expect(Object.keys(result.failed)).toEqual(['photo-1']);
    expect(result.classes).toHaveLength(21);
    expect(result.sweep).toHaveLength(19);
    // At the data set's own threshold the sweep says the same.
    expect(result.sweep.at(-1)).toEqual({
      threshold: 0.95,
      mean_iou: result.mean_iou,
      mean_iou_without_background: result.mean_iou_without_background,
    });
  });
});

describe('what does not fit is refused', () => {
  const refused = async (...args: string[]) => {
    const { code, err } = await zeroseg(...args);
    expect(code).toBe(1);
    return err.replaceAll(base, 'BASE').replace(/\([0-9a-f]{12}…\)/g, '(HASH)');
  };
  const segment = (...more: string[]) =>
    refused('segment', at('photos', 'photo-0.png'), '--model', at('run'), '--out', at('never'), ...more);

  test('a cache made with other settings', async () => {
    expect(
      await refused(
        'cache',
        at('photos'),
        '--clip',
        at('clip'),
        '--out',
        at('cache'),
        '--grids',
        '1',
        '--image-size',
        '16',
      ),
    ).toMatchInlineSnapshot(
      `"zeroseg: cache: BASE/cache: made with other settings (grids is [1,2] in the cache, [1] now; views is 5 in the cache, 1 now); use another folder, or open it with force (--force) to empty it and compute all again"`,
    );
  });

  test('a used run folder, and another configuration on resume', async () => {
    const train = (...more: string[]) => refused('train', '--cache', at('cache'), '--out', at('run'), ...more);
    expect(await train('--config', at('small.json'))).toMatchInlineSnapshot(
      `"zeroseg: train: BASE/run: there is a run in this folder; resume it, or choose another folder"`,
    );
    expect(await train('--resume', '--seed', '7', '--set', 'mask_ratio=0.5')).toMatchInlineSnapshot(
      `"zeroseg: train: BASE/run: this run was begun differently (mask_ratio was 0.6, is 0.5 now; seed was 0, is 7 now); resume it as it was, or begin another in a new folder"`,
    );
    expect(await refused('train', '--cache', at('cache'), '--out', at('segments'))).toMatchInlineSnapshot(
      `"zeroseg: train: BASE/segments: the folder is not empty and holds no run; choose another folder"`,
    );
    expect(await refused('train', '--resume', '--out', at('nothing'))).toMatchInlineSnapshot(
      `"zeroseg: train: BASE/nothing: there is no run in this folder (no config.json); begin one instead of resuming"`,
    );
  });

  test('a configuration that does not fit the cache', async () => {
    const train = (...more: string[]) => refused('train', '--cache', at('cache'), '--out', at('never'), ...more);
    expect(await train('--config', 'tiny')).toMatchInlineSnapshot(
      `"zeroseg: cache: BASE/cache: its squares are 16 pixels, and the model takes 64; make it again with squares of 64 pixels (--image-size 64), or set image=16"`,
    );
    expect(await train('--config', at('small.json'), '--set', 'clip_dim=12')).toMatchInlineSnapshot(
      `"zeroseg: configuration: 'clip_dim' is 12, and the features in BASE/cache have 8 values (teacher 'clip'); leave clip_dim out, or use another cache"`,
    );
    expect(await train('--config', at('small.json'), '--set', 'grids=1,2,3')).toMatchInlineSnapshot(
      `"zeroseg: configuration: 'grids' is [1, 2, 3], and the features in BASE/cache are of [1, 2]; leave grids out, or make a cache of these (--grids 1,2,3)"`,
    );
    expect(await train('--config', at('small.json'), '--set', 'dimm=12')).toMatchInlineSnapshot(
      `"zeroseg: configuration: there is no key 'dimm'; did you mean 'dim'?"`,
    );
    expect(await train('--config', at('small.json'), '--batch', '100')).toMatchInlineSnapshot(
      `"zeroseg: training: 'batch' (100) is larger than the data set (8 photos); choose a batch of at most 8"`,
    );
    expect(await train('--config', 'huge')).toMatchInlineSnapshot(
      `"zeroseg: train: there is no configuration 'huge'; give base, scenes, tiny or a JSON file"`,
    );
    expect(await train('--config', at('cache'))).toMatchInlineSnapshot(
      `"zeroseg: BASE/cache: this is a folder, not a file"`,
    );
    expect(await train('--config', '/dev/null')).toMatchInlineSnapshot(`"zeroseg: /dev/null: the file is empty"`);
    expect(await train('--epochs', '1', '--steps', '1')).toMatchInlineSnapshot(
      `"zeroseg: train: --epochs and --steps both give the length of the run; leave one out"`,
    );
    expect(await train('--validate-scenes', '2', '--clip', at('clip'))).toMatchInlineSnapshot(
      `"zeroseg: BASE/clip/model.safetensors: its text tower knows 50 tokens, and CLIP's own tokenizer has 49408; put the checkpoint's tokenizer.json beside it"`,
    );
    expect(await train('--validate-scenes', '2')).toMatchInlineSnapshot(
      `"zeroseg: --clip is missing: the cache BASE/cache, whose CLIP names what --validate-scenes shows, learnt from clip (HASH); give the folder of that CLIP by --clip. OpenAI's are had by: zeroseg download openai/clip-vit-large-patch14 --out models/clip-vit-large-patch14"`,
    );
    await expect(stat(at('never'))).rejects.toThrow();
  });

  test('a model and a CLIP that do not belong together', async () => {
    await writeClip(at('wide'), 1, 12);
    await writeClip(at('other'), 2);
    expect(await segment('--clip', at('wide'), '--classes', 'dog')).toMatchInlineSnapshot(
      `"zeroseg: BASE/run/model.safetensors: its segments have 8 values (teacher clip (HASH)), and the CLIP wide has 12; give the CLIP that made its features"`,
    );
    expect(await segment('--clip', at('other'), '--classes', 'dog')).toMatchInlineSnapshot(
      `"zeroseg: BASE/run/model.safetensors: it was trained with the teacher clip (HASH), and the CLIP is other (HASH); give that one by --clip, or --force to name segments with this one"`,
    );
    expect(await segment('--clip', at('clip'), '--classes', 'dog')).toMatchInlineSnapshot(
      `"zeroseg: BASE/clip/model.safetensors: its text tower knows 50 tokens, and CLIP's own tokenizer has 49408; put the checkpoint's tokenizer.json beside it, or give --tokenizer hash to run with words that mean nothing"`,
    );
    const forced = await zeroseg(
      'segment',
      at('photos', 'photo-0.png'),
      '--model',
      at('run'),
      '--clip',
      at('other'),
      '--classes',
      'dog',
      '--templates',
      'identity',
      '--tokenizer',
      'hash',
      '--force',
      '--out',
      at('forced'),
    );
    expect(forced.code).toBe(0);
    expect(forced.err).toContain('going on, as --force says');
  });

  test('files that are not what they should be', async () => {
    expect(await refused('cache', at('nowhere'), '--clip', at('clip'), '--out', at('never'))).toMatchInlineSnapshot(
      `"zeroseg: BASE/nowhere: there is no such file or folder; check the spelling"`,
    );
    expect(await refused('cache', at('photos'), '--clip', at('nowhere'), '--out', at('never'))).toMatchInlineSnapshot(
      `"zeroseg: BASE/nowhere: there is no such file or folder; give built-in, or download a CLIP: zeroseg download openai/clip-vit-large-patch14 --out models/clip-vit-large-patch14"`,
    );
    expect(
      await refused('cache', at('photos'), '--clip', at('run', 'model.safetensors'), '--out', at('never')),
    ).toMatchInlineSnapshot(
      `"zeroseg: BASE/run/model.safetensors: holds no CLIP: neither 'vision_model.embeddings.class_embedding' (Hugging Face) nor 'visual.class_embedding' (OpenAI) is there"`,
    );
    expect(
      await refused('cache', at('photos'), '--clip', at('photos', 'broken.jpg'), '--out', at('never')),
    ).toMatchInlineSnapshot(
      `"zeroseg: BASE/photos/broken.jpg: this is no safetensors file: such a file begins with the length of its header"`,
    );
    expect(await refused('train', '--cache', at('photos'), '--out', at('never'))).toMatchInlineSnapshot(
      `"zeroseg: cache: BASE/photos: this is no feature cache (no cache.json); \`zeroseg cache\` makes one"`,
    );
    expect(await segment('--clip', at('clip'), '--classes', ' , ')).toMatchInlineSnapshot(
      `"zeroseg: --classes: there is no name in ' , '; give names such as "dog, sofa, window""`,
    );
    expect(await segment('--clip', at('clip'), '--classes', 'dog, dog')).toMatchInlineSnapshot(
      `"zeroseg: --classes: "dog" is there twice; 2 names must differ"`,
    );
    expect(await segment('--clip', at('clip'), '--classes', `@${at('names.txt')}`)).toMatchInlineSnapshot(
      `"zeroseg: --classes: BASE/names.txt: there is no such file or folder"`,
    );
    expect(
      await refused(
        'segment',
        at('photos', 'photo-0.png'),
        '--model',
        at('clip', 'model.safetensors'),
        '--clip',
        at('clip'),
        '--classes',
        'dog',
        '--out',
        at('never'),
      ),
    ).toMatchInlineSnapshot(
      `"zeroseg: BASE/clip/model.safetensors: is no ZeroSeg model: its metadata has format 'none', expected 'zeroseg-model-1'"`,
    );
    const voc = ['--model', at('run'), '--clip', at('clip')];
    expect(
      await refused('eval', '--data', 'voc', '--root', at('voc'), '--split', 'test', ...voc),
    ).toMatchInlineSnapshot(
      `"zeroseg: data set: BASE/voc/ImageSets/Segmentation/test.txt: there is no split "test"; this data set has: val"`,
    );
    expect(await refused('eval', '--data', 'coco', '--root', at('voc'), ...voc)).toMatchInlineSnapshot(
      `"zeroseg: data set: BASE/voc: labels of val2017 are missing; found ImageSets, JPEGImages, SegmentationClass; expected photos in images/SPLIT or SPLIT, and one of: objects/ID.png, annotations/SPLIT/ID_instanceTrainIds.png (GroupViT), annotations/SPLIT or stuffthingmaps/SPLIT with ID.png (COCO-Stuff), annotations/panoptic_SPLIT.json beside panoptic_SPLIT, annotations/instances_SPLIT.json. The archives may stay as they are beside each other (val2017.zip, stuffthingmaps_trainval2017.zip, annotations_trainval2017.zip), but for panoptic_val2017.zip, which is inside of another: unzip panoptic_annotations_trainval2017.zip"`,
    );
    await expect(stat(at('never'))).rejects.toThrow();
  });

  test('arguments', async () => {
    expect(await refused('cache')).toMatchInlineSnapshot(
      `"zeroseg cache: missing: <photos>, --clip <place>, --out <folder>. See zeroseg cache --help."`,
    );
    expect(
      await refused('cache', at('photos'), '--clip', at('clip'), '--out', at('never'), '--grids', '1,x'),
    ).toMatchInlineSnapshot(
      `"zeroseg cache: option '--grids <list>' argument '1,x' is invalid. It must be up to 64 numbers from 1 to 64 with commas between, such as 1,2,3,4. See zeroseg cache --help."`,
    );
    expect(await refused('train', '--out', at('never'), '--bacth', '3')).toMatchInlineSnapshot(
      `"zeroseg train: unknown option '--bacth' (Did you mean --batch?) See zeroseg train --help."`,
    );
    expect(await refused('train', '--out', at('never'))).toMatchInlineSnapshot(
      `"zeroseg: train: --cache is missing; make a cache with \`zeroseg cache\`"`,
    );
    expect(await refused('train', '--out', at('never'), '--batch', '0')).toMatchInlineSnapshot(
      `"zeroseg train: option '--batch <photos>' argument '0' is invalid. It must be a whole number from 1 to 16777216. See zeroseg train --help."`,
    );
    expect(await refused('eval', '--data', 'ade20k')).toMatchInlineSnapshot(
      `"zeroseg eval: option '--data <name>' argument 'ade20k' is invalid. It must be one of voc, voc20, context, context59, coco, coco-instances, coco-panoptic, stuff, ade, cityscapes, folder, scenes. See zeroseg eval --help."`,
    );
    expect(await refused('learn')).toMatchInlineSnapshot(`"zeroseg: unknown command 'learn'. See zeroseg --help."`);
    expect(await refused('bench', '--adapter', 'no such gpu')).toMatch(/^zeroseg: no adapter is called 'no such gpu'/);
  });
});
