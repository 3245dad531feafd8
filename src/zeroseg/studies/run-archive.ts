/** The runs of studies in a file system: each is trained once, whatever table asks for it. */
import { sha256 } from '../host/index.ts';
import type { ZeroSegConfig } from '../model/index.ts';
import type { SceneOptions } from '../scenes/index.ts';
import {
  brokenField,
  FileError,
  type FileSystem,
  hasFields,
  isNullOr,
  isNumber,
  isObject,
  isText,
  readJsonFile,
} from '../storage/index.ts';
import { type Metrics, metricsLine, type TrainSettings } from '../training/index.ts';
import { type BackgroundScore, backgroundThresholds } from './objects-and-background.ts';
import type { RunScore } from './score-run.ts';

/** All that decides a run's numbers (but for the last digits, in which adapters differ). */
export interface RunIdentity {
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** Initial weights: the SHA-256 of their file; null for new ones. */
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
  /** What is counted, where it is not {@link RunScore}. */
  readonly measure?: 'objects and background';
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

/**
 * The first twelve digits of a SHA-256 over a value as JSON, whatever the order of its keys.
 *
 * ```ts
 * (await hashOf({ a: 1, b: 2 })) === (await hashOf({ b: 2, a: 1 })); // true
 * ```
 */
export async function hashOf(value: unknown): Promise<string> {
  const sorted = (_: string, part: unknown): unknown =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  const hash = await sha256(new TextEncoder().encode(JSON.stringify(value, sorted)));
  return hash.slice(0, 12);
}

/**
 * The runs of a folder, by a hash of all their settings. A run is there when its `run.json` is, which is written last: one that
 * was stopped is trained again.
 *
 * ```ts
 * const runs = new RunArchive(files.folder('runs'));
 * const known = await runs.find(identity);
 * ```
 */
export class RunArchive {
  readonly files: FileSystem;

  /** Unless the folder, or one around it, is locked, nobody else may be writing there. */
  constructor(files: FileSystem) {
    this.files = files;
  }

  /** The name of a run's folder. */
  name(identity: RunIdentity): Promise<string> {
    return hashOf({ identity, VERSION });
  }

  async find(identity: RunIdentity): Promise<EndedRunFile | undefined> {
    return this.#read(await this.name(identity));
  }

  /** Keeps a run that ended. */
  async save(
    run: Omit<EndedRunFile, 'ended'>,
    { model, metrics }: { readonly model: Uint8Array; readonly metrics: readonly Metrics[] },
  ): Promise<void> {
    const files = this.files.folder(await this.name(run.identity));
    await files.write('model.safetensors', model);
    await files.write('metrics.jsonl', metrics.map((line) => `${metricsLine(line)}\n`).join(''));
    const file = { format: FORMAT, ...run, ended: new Date().toISOString() };
    await files.write('run.json', `${JSON.stringify(file, undefined, 2)}\n`);
  }

  /** The trained model of a run that ended, and where it is, for messages. */
  async model(identity: RunIdentity): Promise<{ bytes: Uint8Array<ArrayBuffer>; file: string }> {
    const path = `${await this.name(identity)}/model.safetensors`;
    return { bytes: await this.files.read(path), file: this.files.describe(path) };
  }

  /** The score of a run that is there, computed only if it is not known. `parse` checks one that is. */
  async score<Score>(
    identity: RunIdentity,
    scoring: ScoringIdentity,
    { parse, compute }: { parse(found: unknown, file: string): Score; compute(): Promise<Score> },
  ): Promise<Score> {
    const path = `${await this.name(identity)}/score-${await hashOf(scoring)}.json`;
    if ((await this.files.status(path))?.kind === 'file') {
      return parse(await readJsonFile(this.files, path), this.files.describe(path));
    }
    const score = await compute();
    await this.files.write(path, `${JSON.stringify({ scoring, score }, undefined, 2)}\n`);
    return score;
  }

  /** How the runs of the same row and seed that are here, but are others, differ from this one; each difference once. */
  async differences(setting: string, identity: RunIdentity): Promise<string[]> {
    const found = new Set<string>();
    for (const name of await this.files.list()) {
      const run = await this.#read(name);
      if (run?.setting !== setting || run.identity.settings.seed !== identity.settings.seed) continue;
      const [was, is] = [flatten(run.identity), flatten(identity)];
      for (const key of [...new Set([...was.keys(), ...is.keys()])]) {
        if (was.get(key) !== is.get(key)) found.add(`${key} was ${was.get(key)}, is ${is.get(key)} now`);
      }
    }
    return [...found];
  }

  async #read(name: string): Promise<EndedRunFile | undefined> {
    const path = `${name}/run.json`;
    if ((await this.files.status(path))?.kind !== 'file') return undefined;
    return parseEndedRun(await readJsonFile(this.files, path));
  }
}

/** The content of a `run.json`; undefined for one of another kind: its run is made again. */
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

/** The content of a file of a score. @throws FileError when it is damaged. */
export function parseScore(found: unknown, file: string): RunScore {
  const isScore = isNullOr(isNumber);
  const score = { all: isScore, objects: isScore, ground: isScore, accuracy: isScore, chance: isScore };
  return scoreIn(found, file, hasFields({ ...score, groupsUsed: isNumber, namesPresent: isNumber }));
}

/** As {@link parseScore}, of scores over objects and background. */
export function parseBackgroundScore(found: unknown, file: string): BackgroundScore {
  const isCurve = (value: unknown) =>
    Array.isArray(value) && value.length === backgroundThresholds.length && value.every(isNullOr(isNumber));
  return scoreIn(found, file, hasFields({ meanIou: isCurve, objects: isNullOr(isNumber) }));
}

function scoreIn<Score>(found: unknown, file: string, isScore: (value: unknown) => boolean): Score {
  const broken = brokenField(found, { score: isScore });
  if (broken === undefined) return (found as { score: Score }).score;
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
