/** The runs of experiments on disk: each is trained once, whatever table asks for it. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Metrics, metricsLine, type RunScore } from '@zeroseg/core/internal';
import type { SceneOptions, TrainSettings, ZeroSegConfig } from '@zeroseg/core/zeroseg';
import {
  brokenField,
  FileError,
  hasFields,
  isNullOr,
  isNumber,
  isObject,
  isText,
  readJson,
  type WriteOptions,
  writeFileAtomic,
} from '../files/index.ts';
import { kindOfPath } from '../weights/index.ts';

/** All that decides a run's numbers (but for the last digits, in which adapters differ). */
export interface RunIdentity {
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** Initial weights: the SHA-256 of their file. */
  readonly init: string | null;
  /** Scenes that the teacher looked at, and the SHA-256 of its weights. */
  readonly data: {
    readonly scenes: SceneOptions;
    readonly seed: number;
    readonly count: number;
    readonly teacher: string;
  };
}

/** Which scenes a run is scored on, with the SHA-256 of the teacher that names its segments. */
export interface ScoringIdentity {
  readonly scenes: SceneOptions;
  readonly seed: number;
  readonly count: number;
  readonly teacher: string;
  /** Sentences around the names. */
  readonly templates: string;
}

/** `run.json`: a run that ended. Its folder has `model.safetensors` and `metrics.jsonl` beside. */
export interface EndedRunFile {
  readonly identity: RunIdentity;
  /** Of which table's row it was trained first: others may use it too. */
  readonly setting: string;
  readonly steps: number;
  readonly seconds: number;
  readonly adapter: string;
  readonly version: string;
  readonly ended: string;
}

const FORMAT = 'zeroseg experiment run';
/** Of what a run computes: to be raised when the same settings come to mean something else. */
const VERSION = 3;

/** The first digits of a SHA-256 over a value as JSON, whatever the order of its keys. */
export function hashOf(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return createHash('sha256').update(JSON.stringify(value, sorted)).digest('hex').slice(0, 12);
}

/**
 * The runs of a folder, by a hash of all their settings. A run is there when its `run.json` is, which is written last: one that
 * was stopped is trained again.
 *
 * ```ts
 * const runs = new RunStore('out/table4/runs');
 * const known = await runs.find(identity);
 * ```
 */
export class RunStore {
  readonly folder: string;
  readonly #lock: WriteOptions['lock'];

  /** Without the lock of a folder round it, nobody else may be writing there. */
  constructor(folder: string, lock?: WriteOptions['lock']) {
    this.folder = folder;
    this.#lock = lock;
  }

  /** The folder of a run. */
  place(identity: RunIdentity): string {
    return join(this.folder, hashOf({ identity, VERSION }));
  }

  async find(identity: RunIdentity): Promise<EndedRunFile | undefined> {
    return readRun(this.place(identity));
  }

  /** Keeps a run that ended. */
  async save(
    run: Omit<EndedRunFile, 'ended'>,
    { model, metrics }: { readonly model: Uint8Array; readonly metrics: readonly Metrics[] },
  ): Promise<void> {
    const place = this.place(run.identity);
    const lock = this.#lock;
    await writeFileAtomic(join(place, 'model.safetensors'), model, { lock });
    const lines = metrics.map((line) => `${metricsLine(line)}\n`).join('');
    await writeFileAtomic(join(place, 'metrics.jsonl'), lines, { lock });
    const file = { format: FORMAT, ...run, ended: new Date().toISOString() };
    await writeFileAtomic(join(place, 'run.json'), `${JSON.stringify(file, undefined, 2)}\n`, { lock });
  }

  /** The score of a run that is there, computed only if it is not known. */
  async score(identity: RunIdentity, scoring: ScoringIdentity, compute: () => Promise<RunScore>): Promise<RunScore> {
    const file = join(this.place(identity), `score-${hashOf(scoring)}.json`);
    if ((await kindOfPath(file)) === 'file') return parseScore(await readJson(file), file);
    const score = await compute();
    await writeFileAtomic(file, `${JSON.stringify({ scoring, score }, undefined, 2)}\n`, { lock: this.#lock });
    return score;
  }

  /** How the runs of the same row and seed that are here, but are others, differ from this one; each difference once. */
  async differences(setting: string, identity: RunIdentity): Promise<string[]> {
    const names = await readdir(this.folder).catch(() => []);
    const found = new Set<string>();
    for (const name of names.sort()) {
      const run = await readRun(join(this.folder, name));
      if (run?.setting !== setting || run.identity.settings.seed !== identity.settings.seed) continue;
      const [was, is] = [flatten(run.identity), flatten(identity)];
      for (const key of [...new Set([...was.keys(), ...is.keys()])]) {
        if (was.get(key) !== is.get(key)) found.add(`${key} was ${was.get(key)}, is ${is.get(key)} now`);
      }
    }
    return [...found];
  }
}

async function readRun(place: string): Promise<EndedRunFile | undefined> {
  const file = join(place, 'run.json');
  if ((await kindOfPath(file)) !== 'file') return undefined;
  return parseEndedRun(await readJson(file));
}

/** What a `run.json` says; undefined for one of another kind: its run is made again. */
export function parseEndedRun(found: unknown): EndedRunFile | undefined {
  const fields = {
    format: (value: unknown) => value === FORMAT,
    identity: hasFields({ config: isObject, settings: hasFields({ seed: isNumber }), data: isObject }),
    setting: isText,
    steps: isNumber,
    seconds: isNumber,
  };
  if (brokenField(found, fields) !== undefined) return undefined;
  const { format: _, ...run } = found as EndedRunFile & { format: string };
  return run;
}

/** What a file of a score says. */
export function parseScore(found: unknown, file: string): RunScore {
  const isScore = isNullOr(isNumber);
  const score = { all: isScore, objects: isScore, stuff: isScore, accuracy: isScore, chance: isScore };
  const broken = brokenField(found, { score: hasFields({ ...score, groupsUsed: isNumber, namesPresent: isNumber }) });
  if (broken === undefined) return (found as { score: RunScore }).score;
  throw new FileError('experiment', file, `the score is damaged (${broken}); delete it, and it is computed again`);
}

/** Values by the path of their keys, as JSON. */
function flatten(value: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([key, part]) =>
      part !== null && typeof part === 'object' && !Array.isArray(part)
        ? [...flatten(part as object, `${prefix}${key}.`)]
        : [[`${prefix}${key}`, JSON.stringify(part)] as const],
    ),
  );
}
