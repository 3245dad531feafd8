import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  Checkpoints,
  heldOutCount,
  parseMetrics,
  plannedSteps,
  readDescription,
  shortTeacher,
  stepName,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { readCache } from '@zeroseg/core/zeroseg';
import {
  brokenField,
  FileError,
  hasFields,
  isTableOf,
  isText,
  isWhole,
  nodeFileSystem,
  readJson,
} from '../files/index.ts';
import { isPhotoName, listPhotos, readSceneIndex } from '../photos/index.ts';
import { isRecord } from '../segments/index.ts';
import { commandText, count, shellWord } from '../shell/index.ts';
import type { Fact, Info, Use } from './fact.ts';

/** The folder of `zeroseg train`. */
export async function runInfo(place: string): Promise<Info> {
  const files = nodeFileSystem(place);
  const { version, adapter, started, preset, init, cache, config, settings, validation } = await readDescription(files);
  const held = heldOutCount(cache.photos, validation?.fraction);
  const planned = plannedSteps(settings, cache.photos - held);
  const last = await lastMetrics(place);
  const done = last?.step ?? 0;
  const names = await readdir(place);
  const hasModel = names.includes('model.safetensors');
  const checkpoints = (await new Checkpoints(files).steps()).map(stepName);
  const goOn: Use = { for: 'going on', command: commandText('train', { out: place, resume: true }) };
  const segment: Use = {
    for: 'segmenting photos by words',
    command: commandText('segment photo.jpg', { model: place, clip: 'CLIP', classes: 'cat, grass' }),
  };
  return {
    kind: 'run',
    place,
    facts: {
      state: done >= planned ? 'finished' : `step ${done} of ${planned}`,
      loss: last ? Number(last.loss.toPrecision(4)) : null,
      begun: started,
      version,
      adapter,
      teacher: shortTeacher(teacherIdentity(cache.key.teacher, cache.key.weights)),
      cache: `${cache.folder} (${count(cache.photos, 'photos')})`,
      'initial weights': init ?? `new, seed ${settings.seed}`,
      'configuration from': preset,
      'photos held out': held,
      'scenes validated on': validation?.scenes ?? 0,
      checkpoints,
      'best weights': names.includes('best.safetensors') ? 'best.safetensors' : 'none are kept',
      model: hasModel ? 'model.safetensors' : 'not yet; that of the last checkpoint is taken',
      report: names.includes('report.html') ? 'report.html' : 'not yet',
      ...(await sizeFacts(place)),
      settings: settings as unknown as { [key: string]: Fact },
      configuration: config as unknown as { [key: string]: Fact },
    },
    uses: [...(done < planned ? [goOn] : []), ...(hasModel || checkpoints.length > 0 ? [segment] : [])],
  };
}

async function lastMetrics(place: string) {
  const text = await readFile(join(place, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(-3)
    .map(parseMetrics)
    .findLast((line) => line !== undefined);
}

/** A checkpoint of a run: `checkpoints/step-000100`. */
export async function checkpointInfo(place: string): Promise<Info> {
  const state = await readJson(join(place, 'state.json'));
  const broken = brokenField(state, {
    step: isWhole(0),
    files: isTableOf(hasFields({ bytes: isWhole(0), sha256: isText })),
  });
  if (broken !== undefined)
    throw new FileError('info', join(place, 'state.json'), `this is no checkpoint's: ${broken}`);
  const { step, files } = state as { step: number; files: Record<string, { bytes: number; sha256: string }> };
  const run = join(place, '..', '..');
  return {
    kind: 'checkpoint',
    place,
    facts: { 'after step': step, ...(await sizeFacts(place)), files },
    uses: [
      { for: 'going on with the run', command: commandText('train', { out: run, resume: true }) },
      {
        for: 'segmenting photos by words',
        command: commandText('segment photo.jpg', {
          model: join(place, 'model.safetensors'),
          clip: 'CLIP',
          classes: 'cat, grass',
        }),
      },
    ],
  };
}

/** The folder of `zeroseg cache`. */
export async function cacheInfo(place: string): Promise<Info> {
  const cache = await readCache(nodeFileSystem(place));
  try {
    const { teacher, weights, grids, viewSource, teacherSize, views, dim, studentSize, decoder, ...more } = cache.key;
    return {
      kind: 'cache',
      place,
      facts: {
        photos: cache.length,
        'photos that failed': cache.failures.size,
        teacher: shortTeacher(teacherIdentity(teacher, weights)),
        'sha256 of the teacher': weights,
        views: `${views} a photo: grids ${grids.join(', ')}, ${viewSource}, ${teacherSize} pixels each`,
        features: `${dim} channels, half precision`,
        ...(more.regions && {
          'features of cells': `${more.regions}: ${more.denseMode}, from squares of ${more.denseSize} pixels`,
        }),
        squares: studentSize === null ? 'none are kept' : `${studentSize} × ${studentSize} pixels`,
        decoder: decoder ?? 'not said',
        ...(await sizeFacts(place)),
      },
      uses:
        studentSize === null
          ? []
          : [{ for: 'training a model', command: commandText('train', { cache: place, out: 'out/run' }) }],
    };
  } finally {
    await cache.close();
  }
}

/** The folder of `zeroseg scenes`. */
export async function scenesInfo(place: string): Promise<Info> {
  const { names, objects, seed, count, options } = await readSceneIndex(place);
  return {
    kind: 'scenes',
    place,
    facts: {
      scenes: count,
      seed,
      objects: names.slice(0, objects),
      grounds: names.slice(objects),
      ...(await sizeFacts(place)),
      options: options as unknown as { [key: string]: Fact },
    },
    uses: [
      {
        for: 'the features that a model learns from',
        command: commandText(`cache ${shellWord(join(place, 'JPEGImages'))}`, { clip: 'built-in', out: 'out/cache' }),
      },
      {
        for: 'scoring a model',
        command: commandText('eval', { data: 'scenes', root: place, model: 'out/run', clip: 'built-in' }),
      },
      {
        for: 'segmenting them',
        command: commandText(`segment ${shellWord(join(place, 'JPEGImages'))}`, {
          classes: `@${join(place, 'names.txt')}`,
        }),
      },
    ],
  };
}

/** The folder of `zeroseg segment`; undefined where it is none. */
export async function segmentsInfo(place: string): Promise<Info | undefined> {
  const classes = new Map<string, number>();
  const photos: string[] = [];
  for (const name of (await readdir(place)).filter((file) => file.endsWith('.json'))) {
    const record = await readJson(join(place, name)).catch(() => undefined);
    if (!isRecord(record)) continue;
    photos.push(record.photo);
    for (const found of record.classes) classes.set(found.name, (classes.get(found.name) ?? 0) + 1);
  }
  if (photos.length === 0) return undefined;
  const found = [...classes].sort(([, a], [, b]) => b - a);
  return {
    kind: 'segments',
    place,
    facts: { photos: photos.length, 'photos with a class': Object.fromEntries(found), ...(await sizeFacts(place)) },
    uses: [
      {
        for: 'other photos or classes beside these',
        command: commandText(`segment ${shellWord(photos[0] as string)}`, { classes: 'cat, grass', out: place }),
      },
    ],
  };
}

/** A folder of photos; undefined where there are none. */
export async function photosInfo(place: string): Promise<Info | undefined> {
  const names = await readdir(place, { recursive: true });
  if (!names.some((name) => isPhotoName(basename(name)))) return undefined;
  const photos = await listPhotos(place);
  return {
    kind: 'photos',
    place,
    facts: { photos: photos.length, ...(await sizeFacts(place)) },
    uses: [
      {
        for: 'segmenting them by words',
        command: commandText(`segment ${shellWord(place)}`, { classes: 'cat, grass' }),
      },
      {
        for: 'the features that a model learns from',
        command: commandText(`cache ${shellWord(place)}`, { clip: 'CLIP', out: 'out/cache' }),
      },
    ],
  };
}

/** Bytes of all files of a folder, and when the last of them was written. */
export async function sizeFacts(place: string): Promise<{ bytes: number; written: string }> {
  const found = await stat(place);
  if (!found.isDirectory()) return { bytes: found.size, written: found.mtime.toISOString() };
  let [bytes, last] = [0, found.mtimeMs];
  for (const entry of await readdir(place, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { size, mtimeMs } = await stat(join(entry.parentPath, entry.name));
    bytes += size;
    last = Math.max(last, mtimeMs);
  }
  return { bytes, written: new Date(last).toISOString() };
}
