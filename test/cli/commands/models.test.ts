/** `--model` of segment and eval beside ZeroSeg files: CLIPs by themselves in every way, SegCLIP; and `--refine`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { readLabelMap, readPhoto } from '../../../cli/src/photos/image-files.ts';
import { openVocabulary } from '../../../cli/src/runs/open-vocabulary.ts';
import type { SegmentsRecord } from '../../../cli/src/segments/record.ts';
import type { SegmentByNamesOptions } from '../../../src/zeroseg/open-vocabulary/open-vocabulary.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { temporaryFolder, useCommandLine, writeClip, writeVoc } from '../../support/made-up.ts';
import { segClipFile } from '../../support/segclip.ts';

const device = useDevice();
const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const photo = at('photos', 'photo-0.png');
const segclip = `segclip:${at('segclip.safetensors')}`;
const words = 'dog,sofa,sky,cat,bus,tree,road,cup,sheep,boat,bird,lamp'.split(',');

beforeAll(async () => {
  await writeClip(at('clip'));
  // Noise, so that patches differ.
  const random = seeded(1);
  const data = Uint8Array.from({ length: 48 * 40 * 3 }, () => 256 * random());
  await mkdir(at('photos'));
  await sharp(data, { raw: { width: 48, height: 40, channels: 3 } })
    .png()
    .toFile(photo);
  await writeVoc(at('voc'), 2);
  await writeFile(at('segclip.safetensors'), await segClipFile());
});

const steady = (text: string) => text.replaceAll(base, 'BASE');

async function segment(model: string, out: string, ...more: string[]) {
  const args = ['--model', model, '--classes', words.join(','), '--tokenizer', 'hash', '--templates', 'identity'];
  const { code, err } = await zeroseg('segment', photo, '--out', at(out), ...args, ...more);
  if (code !== 0) return { code, err: steady(err) };
  const labels = await readLabelMap(at(out, 'photo-0.labels.png'));
  const record: SegmentsRecord = JSON.parse(await readFile(at(out, 'photo-0.json'), 'utf8'));
  return { code, labels: [...labels.data], record };
}

async function byLibrary(model: string, options: SegmentByNamesOptions = {}): Promise<number[]> {
  using opened = await openVocabulary(device.current, { model, tokenizer: 'hash', templates: 'identity' });
  return [...(await opened.segment(await readPhoto(photo), words, options)).labels.data];
}

test('a CLIP alone segments in the library as in core: without a model, in the way that dense names', async () => {
  const asked = { tokenizer: 'hash', templates: 'identity' } as const;
  using opened = await openVocabulary(device.current, { clip: at('clip'), dense: 'sclip', ...asked });
  const { labels } = await opened.segment(await readPhoto(photo), words);
  expect([...labels.data]).toEqual(await byLibrary(`clip:${at('clip')}:sclip`));
  await expect(openVocabulary(device.current, {})).rejects.toThrow(/give a model, or a clip to segment by itself/);
  const strange = { model: 7 } as unknown as { model: string };
  await expect(openVocabulary(device.current, strange)).rejects.toThrow(
    "openVocabulary: model must be a path or 'built-in'; got 7",
  );
});

test.each(['maskclip', 'sclip', 'clearclip', 'crops'])(
  'segment --model clip:PATH:%s finds what the library finds',
  async (mode) => {
    const model = `clip:${at('clip')}:${mode}`;
    const { labels, record } = await segment(model, mode);
    expect(labels).toEqual(await byLibrary(model));
    expect(record?.model['file']).toBe(`clip:clip:${mode}`);
    expect(new Set(labels).size).toBeGreaterThan(1);
  },
);

test('the ways differ, and a way that is none is told with those that are', async () => {
  const maps = await Promise.all(
    ['maskclip', 'sclip', 'clearclip', 'crops'].map((mode) => readFile(at(mode, 'photo-0.labels.png'), 'hex')),
  );
  expect(new Set(maps).size).toBe(maps.length);
  expect(await segment(`clip:${at('clip')}:sclap`, 'none')).toMatchInlineSnapshot(`
    {
      "code": 1,
      "err": "zeroseg: clip:BASE/clip:sclap: "sclap" is no way to segment with a CLIP; give one of plain, maskclip, maskclip_reduced, sclip, clearclip, naclip, naclip_kk, crops",
    }
  `);
});

test('--refine pamr draws to edges; naclip has it by itself, and --refine none takes it away', async () => {
  const [sclip, naclip] = [`clip:${at('clip')}:sclip`, `clip:${at('clip')}:naclip_kk`];
  const refine = { steps: 3, dilations: [1, 2] };
  const refined = await segment(sclip, 'refined', '--refine', 'pamr', '--pamr-steps', '3', '--pamr-dilations', '1,2');
  expect(refined.labels).toEqual(await byLibrary(sclip, { refine }));
  expect(refined.labels).not.toEqual(await byLibrary(sclip));
  expect((await segment(naclip, 'unrefined', '--refine', 'none')).labels).toEqual(
    await byLibrary(naclip, { refine: false }),
  );
  expect(await byLibrary(naclip, { refine: { steps: 10, dilations: [8, 16] } })).toEqual(await byLibrary(naclip));
});

test('a SegCLIP: its sentences, its windows; refined as all others', async () => {
  const model = ['--classes', words.join(','), '--tokenizer', 'hash', '--model', segclip];
  expect((await zeroseg('segment', photo, '--out', at('own'), ...model)).code).toBe(0);
  const record: SegmentsRecord = JSON.parse(await readFile(at('own', 'photo-0.json'), 'utf8'));
  expect(record.options).toMatchObject({ templates: 'simple', mean_first: true, scoring: 'groupvit', top: 5 });
  using opened = await openVocabulary(device.current, { model: segclip, tokenizer: 'hash' });
  const { labels, windows } = await opened.segment(await readPhoto(photo), words);
  expect([...(await readLabelMap(at('own', 'photo-0.labels.png'))).data]).toEqual([...labels.data]);
  expect(windows[0]?.box).toEqual([0, 0, 16, 16]);
  const refined = await segment(segclip, 'segclip-refined', '--refine', 'pamr');
  expect(refined.labels).toEqual(await byLibrary(segclip, { refine: {} }));
});

test('eval takes the thresholds of the authors of a model', async () => {
  const found: Record<string, unknown> = {};
  for (const [name, model] of Object.entries({ segclip, sclip: `clip:${at('clip')}:sclip` })) {
    const args = ['--data', 'voc', '--root', at('voc'), '--model', model, '--tokenizer', 'hash', '--json'];
    const { code, out } = await zeroseg('eval', ...args, ...(name === 'sclip' ? ['--templates', 'identity'] : []));
    expect(code).toBe(0);
    const { threshold, options } = JSON.parse(out);
    const { background, ...rest } = options;
    found[name] = { threshold, ...rest, background: background?.length };
  }
  expect(found).toMatchInlineSnapshot(`
    {
      "sclip": {
        "area": 0.1,
        "background": 26,
        "mode": "slide",
        "scale": 0.9905635226737177,
        "scoring": "groupvit",
        "templates": "identity",
        "threshold": 0.1,
        "top": 5,
      },
      "segclip": {
        "background": undefined,
        "mode": "slide",
        "scale": 12.000000283720757,
        "scoring": "groupvit",
        "templates": "simple",
        "threshold": 0.8,
        "top": 5,
      },
    }
  `);
});

test('info tells a SegCLIP, and a file that is none is refused by its name', async () => {
  const { out } = await zeroseg('info', at('segclip.safetensors'));
  expect(steady(out).replace(/(sha256|written) +\S+/g, '$1 …')).toMatchInlineSnapshot(`
    "BASE/segclip.safetensors: SegCLIP
      image           16 × 16 pixels, patches of 4
      image tower     2 + 1 blocks of width 24
      segments        5
      features        18 channels
      text tower      yes
      tensors         108
      parameters      99040
      number formats  F32
      sha256 …
      bytes           408.3 kB
      written …
    for segmenting photos by words:
      zeroseg segment photo.jpg --model segclip:BASE/segclip.safetensors --classes 'cat, grass'"
  `);
  expect(await segment(`segclip:${at('clip', 'model.safetensors')}`, 'none')).toMatchInlineSnapshot(`
    {
      "code": 1,
      "err": "zeroseg: BASE/clip/model.safetensors: holds no SegCLIP; leave out segclip: for what it is",
    }
  `);
});
