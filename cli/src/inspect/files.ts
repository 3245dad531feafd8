/** What single files are that are neither weights nor photos: records, lists, pages, archives, label maps. */
import { open } from 'node:fs/promises';
import { ownValue } from '@zeroseg/core/internal';
import { configSchema, parseClassText, settingsSchema } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { openPhotos } from '../features/index.ts';
import { hashFiles, readBounded, readJson } from '../files/index.ts';
import { readLabelMap } from '../photos/index.ts';
import { isRecord } from '../segments/index.ts';
import { commandText, formatPercent, shellWord } from '../shell/index.ts';
import type { Fact, Info } from './fact.ts';
import { sizeFacts } from './folders.ts';

/** Of a text, as much as is read to tell what it is. */
const LARGEST_TEXT = 2 ** 24;

async function factsOf(place: string): Promise<Info['facts']> {
  return { ...(await sizeFacts(place)), sha256: await hashFiles([place]) };
}

/** A JSON by what is in it. */
export async function jsonInfo(place: string): Promise<Info> {
  const facts = await factsOf(place);
  if (place.endsWith('.jsonl')) return { kind: 'metrics of a training, a line a step', place, facts, uses: [] };
  const content = await readJson(place);
  if (isRecord(content)) {
    const { photo, width, height, classes, names } = content;
    const fractions = Object.fromEntries(classes.map(({ name, fraction }) => [name, formatPercent(fraction)]));
    const own = { photo, size: `${width} × ${height} pixels`, 'asked for': names, found: fractions };
    return { kind: 'segments of a photo', place, facts: { ...own, ...facts }, uses: [] };
  }
  const fields = typeof content === 'object' && content !== null && !Array.isArray(content) ? { ...content } : {};
  const known = kinds.find(({ has }) => has.every((name) => ownValue(fields, name) !== undefined));
  if (known) return { kind: known.kind, place, facts: { ...shown(fields, known.shows), ...facts }, uses: [] };
  const keys = Object.keys(fields);
  const configKeys = Object.keys({ ...configSchema(), ...settingsSchema });
  const isConfig = keys.length > 0 && keys.every((key) => configKeys.includes(key));
  const uses = [
    { for: 'training with it', command: commandText('train', { cache: 'out/cache', out: 'out/run', config: place }) },
  ];
  return isConfig
    ? { kind: 'configuration', place, facts: { keys, ...facts }, uses }
    : { kind: 'JSON of another program', place, facts: { keys: keys.slice(0, 12), ...facts }, uses: [] };
}

/** What commands write as JSON, and tokenizers; by the keys that no other has. */
const kinds: readonly { readonly kind: string; readonly has: readonly string[]; readonly shows: readonly string[] }[] =
  [
    {
      kind: 'scores of a model on labelled photos',
      has: ['data', 'mean_iou', 'classes'],
      shows: ['data', 'root', 'photos', 'mean_iou', 'pixel_accuracy', 'boundary_f', 'adapter'],
    },
    {
      kind: 'scores of students in a demo',
      has: ['students', 'scenes', 'scoring'],
      shows: ['scenes', 'seed', 'adapter', 'version'],
    },
    { kind: 'measurements of a device', has: ['clock', 'runs', 'adapter'], shows: ['adapter', 'clock', 'version'] },
    { kind: 'classes of scenes', has: ['format', 'objects', 'synonyms'], shows: ['count', 'seed'] },
    { kind: 'tokenizer of Hugging Face', has: ['model', 'pre_tokenizer'], shows: ['version'] },
    { kind: 'settings of a CLIP, as Hugging Face has them', has: ['vision_config'], shows: ['model_type'] },
    { kind: 'settings of a CLIP, as open_clip has them', has: ['model_cfg'], shows: [] },
  ];

function shown(fields: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, Fact> {
  const plain = names.filter((name) => ['string', 'number'].includes(typeof ownValue(fields, name)));
  return Object.fromEntries(plain.map((name) => [name.replaceAll('_', ' '), fields[name] as string | number]));
}

/** A list of classes, or a page; nothing for what is no text. */
export async function textInfo(place: string): Promise<Info | undefined> {
  const text = await textOf(place);
  if (text === undefined) return undefined;
  const facts = await factsOf(place);
  if (/^\s*<!doctype html/i.test(text)) return { kind: 'page, to be opened in a browser', place, facts, uses: [] };
  if (/^\s*</.test(text)) return undefined;
  const classes = classesOf(text);
  if (classes === undefined) return undefined;
  const command = commandText('segment photo.jpg', { classes: `@${place}` });
  return {
    kind: 'text; as a list of classes',
    place,
    facts: { classes: classes.length, 'the first': classes.slice(0, 8), ...facts },
    uses: [{ for: 'segmenting photos by its words', command }],
  };
}

async function textOf(place: string): Promise<string | undefined> {
  const file = await open(place);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    if (size === 0 || size > LARGEST_TEXT || buffer.subarray(0, bytesRead).includes(0)) return undefined;
  } finally {
    await file.close();
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBounded('info', place, LARGEST_TEXT));
  } catch {
    return undefined;
  }
}

function classesOf(text: string): string[] | undefined {
  try {
    const classes = parseClassText(text).map(({ name }) => name);
    return classes.length > 0 ? classes : undefined;
  } catch {
    return undefined;
  }
}

/** A tar or zip archive of photos; nothing for other files. */
export async function archiveInfo(place: string): Promise<Info | undefined> {
  const [, kind] = /\.(tar|zip|tgz|7z|rar)(?:\.\w+)?$/i.exec(place) ?? [];
  if (kind === undefined) return undefined;
  const { photos } = await openPhotos(place, true);
  return {
    kind: `${kind.toLowerCase()} archive of photos`,
    place,
    facts: { photos: photos.length, ...(await factsOf(place)) },
    uses: [
      {
        for: 'the features that a model learns from, out of the archive as it is',
        command: commandText(`cache ${shellWord(place)}`, { clip: 'CLIP', out: 'out/cache' }),
      },
    ],
  };
}

/** A PNG whose pixels are numbers of colours, as label maps are; nothing for other files. */
export async function labelsInfo(place: string): Promise<Info | undefined> {
  const found = await sharp(place)
    .metadata()
    .catch(() => undefined);
  if (found?.format !== 'png' || !found.isPalette) return undefined;
  const map = await readLabelMap(place).catch(() => undefined);
  if (!map) return undefined;
  const labels = [...new Set(map.data)].sort((a, b) => a - b);
  return {
    kind: 'label map: a PNG whose pixels are numbers of classes',
    place,
    facts: {
      size: `${map.width} × ${map.height} pixels`,
      labels: labels.length > 24 ? labels.length : labels,
      ...(await factsOf(place)),
    },
    uses: [],
  };
}
