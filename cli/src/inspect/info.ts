import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes, weightEndings } from '@zeroseg/core/internal';
import { studyFile } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { FileError, hashFiles, readBounded, readJson, systemReason } from '../files/index.ts';
import { photoKind, readPhoto } from '../photos/index.ts';
import { commandText, shellWord } from '../shell/index.ts';
import { builtIn, builtInStudent, builtInTeacher, kindOfPath } from '../weights/index.ts';
import type { Fact, Info } from './fact.ts';
import { archiveInfo, jsonInfo, labelsInfo, textInfo } from './files.ts';
import { cacheInfo, checkpointInfo, photosInfo, runInfo, scenesInfo, segmentsInfo, sizeFacts } from './folders.ts';
import { withoutHome } from './hidden-home.ts';
import { experimentInfo, studyInfo } from './studies.ts';
import { clipInfo, weightsInfo } from './weights.ts';

/**
 * What something on disk is, and what it is for; `built-in` is both the model and the CLIP that the package brings.
 *
 * @throws FileError when it is nothing that any command reads, or damaged.
 */
export async function inspectPlace(place: string): Promise<readonly Info[]> {
  const kind = await kindOfPath(place);
  if (kind === 'folder') return [await folderInfo(place)];
  if (kind === 'file') {
    // To read a pipe would be to wait for who writes to it.
    if (!(await stat(place)).isFile())
      throw new FileError('info', place, 'this is a pipe or a device; give a file or a folder');
    return [await fileInfo(place)];
  }
  if (place === builtIn) {
    await builtInTeacher();
    return [await weightsInfo(await builtInStudent(), builtIn), await clipInfo(builtIn)];
  }
  // A link that leads nowhere, or in a circle.
  const { code } = await stat(place).then(
    () => ({ code: undefined }),
    (error: NodeJS.ErrnoException) => error,
  );
  const reason = code === undefined || code === 'ENOENT' ? 'there is no such file or folder' : systemReason({ code });
  throw new FileError('info', place, `${reason}; ${builtIn} is what the package brings`);
}

async function folderInfo(place: string): Promise<Info> {
  const names = await readdir(place).catch((error: unknown) => {
    throw new FileError('info', place, systemReason(error), { cause: error });
  });
  const has = (name: string) => names.includes(name);
  if (has('cache.json') || names.some((name) => /^1-of-\d+$/.test(name))) return cacheInfo(place);
  if (has('state.json')) return checkpointInfo(place);
  if (has('classes.json')) return scenesInfo(place);
  if (has(studyFile)) return studyInfo(place);
  if (has('evaluation.json')) return { ...(await jsonInfo(join(place, 'evaluation.json'))), place };
  if (has('demo.json') && has('scores.json')) return { ...(await jsonInfo(join(place, 'scores.json'))), place };
  if (has('config.json') && (await formatOf(join(place, 'config.json'))) === 'zeroseg run') return runInfo(place);
  const weights = names.filter((name) => name.endsWith('.safetensors'));
  if (weights.length > 0) {
    const only = join(place, weights[0] as string);
    const found = weights.length === 1 ? await weightsInfo(only) : await clipInfo(place);
    return found.kind === 'CLIP' ? { ...(await clipInfo(place)), facts: await withSize(place, found) } : found;
  }
  const found = (await segmentsInfo(place)) ?? (await experimentInfo(place, names)) ?? (await photosInfo(place));
  if (found) return found;
  if (names.some((name) => weightEndings.test(name))) return clipInfo(place);
  const reason = 'nothing in this folder is known: no run, no cache, no weights, no scenes, no segments, no photos';
  throw new FileError('info', place, reason);
}

async function withSize(place: string, { facts }: Info): Promise<Info['facts']> {
  return { ...facts, ...(await sizeFacts(place)) };
}

async function formatOf(path: string): Promise<unknown> {
  return ((await readJson(path)) as { format?: unknown } | null)?.format;
}

/** Of a photo, as much as tells its kind. */
const HEAD = 4096;

async function fileInfo(place: string): Promise<Info> {
  if (weightEndings.test(place) || place.endsWith('.index.json')) {
    const info = place.endsWith('.json') ? await clipInfo(place) : await weightsInfo(place);
    return { ...info, facts: await withSize(place, info) };
  }
  if (/\.jsonl?$/.test(place)) return jsonInfo(place);
  return (await archiveInfo(place)) ?? (await textInfo(place)) ?? (await labelsInfo(place)) ?? photoInfo(place);
}

async function photoInfo(place: string): Promise<Info> {
  const bytes = await readBounded('info', place, 2 ** 30);
  if (bytes.length === 0) throw new FileError('info', place, 'the file is empty');
  const found = photoKind(bytes.subarray(0, HEAD));
  if ('reason' in found) throw new FileError('info', place, found.reason);
  const { width, height } = await readPhoto(place);
  const { format, space, channels, depth, hasAlpha, orientation, icc } = await sharp(bytes).metadata();
  return {
    kind: 'photo',
    place,
    facts: {
      format: found.kind,
      size: `${width} × ${height} pixels, as it is seen`,
      colours: `${space}, ${channels} channels of ${depth}${hasAlpha ? ', one for transparency' : ''}`,
      'colour profile': icc !== undefined,
      'EXIF orientation': orientation ?? 'not said',
      ...(format === undefined ? {} : await sizeFacts(place)),
      sha256: await hashFiles([place]),
    },
    uses: [
      { for: 'segmenting it by words', command: commandText(`segment ${shellWord(place)}`, { classes: 'cat, grass' }) },
    ],
  };
}

/** What is known as text: a line a fact, long tables at the end. */
export function infoLines({ kind, place, facts, uses }: Info): string[] {
  const entries = Object.entries(facts);
  const tables = entries.filter(([, value]) => isTable(value));
  const lines = entries.filter(([, value]) => !isTable(value));
  const width = longest(lines);
  return [
    `${withoutHome(place)}: ${kind}`,
    ...lines.map(([name, value]) => `  ${name.padEnd(width)}  ${withoutHome(words(name, value))}`),
    ...tables.flatMap(([name, table]) => {
      const rows = Object.entries(table as Record<string, Fact>);
      const max = longest(rows);
      return [`  ${name}`, ...rows.map(([key, value]) => `    ${key.padEnd(max)}  ${withoutHome(words(key, value))}`)];
    }),
    ...uses.flatMap(({ for: purpose, command }) => [`for ${purpose}:`, `  ${withoutHome(command)}`]),
  ];
}

function longest(rows: readonly (readonly [name: string, value: unknown])[]): number {
  return rows.reduce((max, [name]) => Math.max(max, name.length), 0);
}

function isTable(value: Fact): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function words(name: string, value: Fact): string {
  if (name === 'bytes' && typeof value === 'number') return formatBytes(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  return isTable(value) ? JSON.stringify(value) : String(value);
}

/** What is known, for JSON: without the name of the home folder. */
export function infoJson(infos: readonly Info[]): unknown {
  return JSON.parse(
    JSON.stringify(infos, (_, value: unknown) => (typeof value === 'string' ? withoutHome(value) : value)),
  );
}
