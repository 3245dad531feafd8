import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { withoutHome } from '../../../cli/src/inspect/hidden-home.ts';
import { inspectPlace } from '../../../cli/src/inspect/info.ts';
import { writeLabelPng } from '../../../cli/src/photos/image-files.ts';
import { pascalPalette } from '../../../src/zeroseg/image/palette.ts';
import { temporaryFolder, useCommandLine, writeClip, writeConfig, writePhotos } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

beforeAll(async () => {
  await writePhotos(at('photos'), 4);
  await writeClip(at('clip'));
  await writeConfig(at('small.json'));
  const made = await zeroseg(
    ...['cache', at('photos'), '--clip', at('clip'), '--out', at('cache'), '--grids', '1,2', '--image-size', '16'],
  );
  expect(made.err).toBe('');
  const trained = await zeroseg(
    ...['train', '--cache', at('cache'), '--out', at('run'), '--config', at('small.json'), '--steps', '2'],
  );
  expect([trained.code, trained.err]).toEqual([0, '']);
  const scenes = await zeroseg('scenes', '--out', at('scenes'), '--count', '2', '--size', '32', '--classes', '2');
  expect(scenes.code, scenes.err).toBe(0);
});

async function info(...names: string[]) {
  const { code, out, err } = await zeroseg('info', at(...names), '--json');
  expect([code, err]).toEqual([0, '']);
  const [only] = JSON.parse(out) as { kind: string; facts: Record<string, unknown>; uses: { command: string }[] }[];
  if (!only) throw new Error('nothing was told');
  return { ...only, commands: only.uses.map(({ command }) => command.replaceAll(base, 'BASE').replace(/ --.*/, '')) };
}

test('each kind is known by what it holds, and told with what takes it', async () => {
  const run = await info('run');
  expect([run.kind, run.facts['state'], run.facts['checkpoints'], run.commands]).toEqual([
    'run',
    'finished',
    ['step-000002'],
    ['zeroseg segment photo.jpg'],
  ]);
  const cache = await info('cache');
  expect([cache.kind, cache.facts['photos'], cache.facts['squares'], cache.commands]).toEqual([
    'cache',
    4,
    '16 × 16 pixels',
    ['zeroseg train'],
  ]);
  const model = await info('run', 'model.safetensors');
  expect([model.kind, model.facts['trained for'], model.facts['image']]).toEqual([
    'model',
    '2 steps',
    '16 × 16 pixels, patches of 4',
  ]);
  expect(model.facts['sha256']).toMatch(/^[0-9a-f]{64}$/);
  const checkpoint = await info('run', 'checkpoints', 'step-000002');
  expect([checkpoint.kind, checkpoint.facts['after step']]).toEqual(['checkpoint', 2]);
  const optimizer = await info('run', 'checkpoints', 'step-000002', 'optimizer.safetensors');
  expect([optimizer.kind, optimizer.facts['after step'], optimizer.uses[0]?.command.replace(base, 'BASE')]).toEqual([
    'optimizer state',
    2,
    'zeroseg train --out BASE/run --resume',
  ]);
  const clip = await info('clip');
  expect([clip.kind, clip.facts['vocabulary']]).toEqual(['CLIP', 'any word may be asked for']);
  const scenes = await info('scenes');
  expect([scenes.kind, scenes.facts['scenes'], scenes.commands[1]]).toEqual(['scenes', 2, 'zeroseg eval']);
  const photos = await info('photos');
  expect([photos.kind, photos.facts['photos'], photos.commands[0]]).toEqual([
    'photos',
    4,
    'zeroseg segment BASE/photos',
  ]);
  const photo = await info('photos', 'photo-0.png');
  expect([photo.kind, photo.facts['size']]).toEqual(['photo', '48 × 40 pixels, as it is seen']);
});

test('built-in is a model and a CLIP with its words; the text has a line for each fact', async () => {
  const { code, out } = await zeroseg('info', 'built-in');
  expect(code).toBe(0);
  expect(out).toMatch(/^built-in: model\n {2}trained for {4,}4000 steps\n/);
  expect(out).toContain('\n\nbuilt-in: CLIP\n');
  expect(out).toMatch(/\n {4}has seen +drawings only\n/);
  expect(out).toContain('zeroseg segment photo.jpg --model built-in --clip built-in --classes');
});

test('what no command reads is refused by its name', async () => {
  await writeFile(at('notes.dat'), Uint8Array.of(7, 0, 7));
  await writeFile(at('empty.jpg'), '');
  await writeFile(at('photos.tar'), 'no archive');
  await symlink(at('circle'), at('circle'));
  await writeFile(at('half.safetensors'), 'half');
  for (const [name, words] of [
    ['notes.dat', 'this is not an image, or of a kind that cannot be read'],
    ['empty.jpg', 'the file is empty'],
    ['photos.tar', 'this is neither a tar nor a zip archive'],
    ['circle', 'a link leads in a circle'],
    ['missing', 'there is no such file or folder; built-in is what the package brings'],
    ['half.safetensors', 'this is no safetensors file: it has 4 bytes'],
  ] as const) {
    const { code, out, err } = await zeroseg('info', at(name));
    expect([code, out, err.includes(`${at(name)}: `), err.includes(words)], err).toEqual([1, '', true, true]);
  }
});

test('lists, records, pages and label maps are told by what is in them', async () => {
  await writeFile(at('names.txt'), 'sofa|couch\n天空\n');
  await writeFile(at('page.html'), '<!doctype html><title>x</title>');
  await writeFile(at('eval.json'), '{ "data": "voc", "mean_iou": 0.4, "classes": [] }');
  await writeFile(at('choices.json'), '{ "dim": 96, "batch": 8 }');
  await writeFile(at('other.json'), '{ "colour": 1 }');
  await writeLabelPng(at('labels.png'), { width: 2, height: 1, data: Uint8Array.of(0, 3) }, pascalPalette());
  const kinds: string[] = [];
  for (const name of ['names.txt', 'page.html', 'eval.json', 'choices.json', 'other.json', 'labels.png']) {
    const { code, out } = await zeroseg('info', at(name));
    expect(code, name).toBe(0);
    kinds.push((out.split('\n')[0] as string).replace(/^.*\//, ''));
  }
  expect(kinds).toMatchInlineSnapshot(`
    [
      "names.txt: text; as a list of classes",
      "page.html: page, to be opened in a browser",
      "eval.json: scores of a model on labelled photos",
      "choices.json: configuration",
      "other.json: JSON of another program",
      "labels.png: label map: a PNG whose pixels are numbers of classes",
    ]
  `);
});

test("PyTorch's files are told as others are, and refused by what is in them", async () => {
  const kinds = await zeroseg('info', 'test/fixtures/torch/training.pt');
  expect([kinds.code, kinds.out.split('\n')[0]]).toEqual([
    0,
    'test/fixtures/torch/training.pt: PyTorch file of another program',
  ]);
  await mkdir(at('published'));
  await copyFile('test/fixtures/torch/clip-tiny.pt', at('published/pytorch_model.bin'));
  const heads = { num_attention_heads: 2 };
  const config = { vision_config: { ...heads, hidden_act: 'quick_gelu' }, text_config: heads };
  await writeFile(at('published/config.json'), JSON.stringify(config));
  for (const place of [at('published'), at('published/pytorch_model.bin')]) {
    const clip = await zeroseg('info', place);
    expect([clip.code, clip.out.split('\n')[0]], clip.err).toEqual([0, `${place}: CLIP`]);
  }
  const program = await zeroseg('info', 'test/fixtures/torch/module.pt');
  expect(program.code).toBe(1);
  expect(program.err).toContain('module.pt: it is refused: it names __main__.Two, which weights do not need');
});

test('the home folder is told as ~', async () => {
  expect(withoutHome(`${homedir()}/photos and ${homedir()}/out`)).toBe('~/photos and ~/out');
  expect(withoutHome('/photos', '/')).toBe('/photos');
});

test('encoders and towers of other projects are told by their content', async () => {
  const fixture = (name: string): string => new URL(`../../fixtures/${name}.safetensors`, import.meta.url).pathname;
  const told = async (place: string) => {
    const [info] = await inspectPlace(place);
    return [
      info?.kind,
      info?.facts['made by'],
      info?.facts['names begin with'],
      info?.uses.map(({ command }) => command.split(' ')[1]),
    ];
  };
  expect(await told(fixture('vit-tiny/moco-tiny'))).toEqual([
    'weights of a vision transformer',
    'MoCo v3',
    'module.base_encoder.',
    ['train'],
  ]);
  expect(await told(fixture('vit-tiny/deit-tiny'))).toEqual([
    'weights of a vision transformer',
    'vision transformer, with a classifier of 10 classes',
    'nothing',
    ['train'],
  ]);
  expect(await told(fixture('siglip-tiny/siglip-tiny'))).toEqual(['SigLIP', undefined, undefined, ['cache']]);
  expect(await told(fixture('open-clip-tiny/open_clip_model'))).toEqual([
    'CLIP',
    undefined,
    undefined,
    ['cache', 'segment', 'words'],
  ]);
});

test('a study and experiments are no folders of photos', async () => {
  await writePhotos(at('study', 'pictures'), 1);
  const picture = 'pictures/photo-0.png';
  const study = {
    ...{ format: 'zeroseg-study-1', id: '0123456789abcdef', seed: 1, votes: 5, question: 'Which?', same: 2 },
    ...{ titles: { a: 'ours', b: 'theirs' }, unknown: { a: [], b: ['gatto'] } },
    pictures: [{ name: 'photo-0', a: picture, b: picture, photo: null }],
  };
  await writeFile(at('study', 'study.json'), JSON.stringify(study));
  const told = await info('study');
  expect(told).toMatchObject({ kind: 'study', commands: ['zeroseg page', 'zeroseg study'] });
  expect(told.facts).toMatchObject({
    compared: ['ours', 'theirs'],
    pairs: 1,
    'words that theirs does not know': ['gatto'],
  });

  await writePhotos(at('made', 'segments'), 1);
  await mkdir(at('made', 'table4'));
  for (const file of ['fig4.json', 'fig4.png', 'table4/table.md']) await writeFile(at('made', file), '{}');
  expect((await info('made')).facts).toMatchObject({
    made: ['fig4', 'table4'],
    files: ['fig4.png', 'table4/table.md'],
  });
});
