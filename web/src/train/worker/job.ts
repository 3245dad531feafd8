/** A run that is being worked on: the teacher looks, then the student learns, until it is paused, at its end, or fails. */

import { type Device, DeviceError } from '@zeroseg/core';
import {
  type ClipSource,
  FileError,
  fillCache,
  type HeldLock,
  LockError,
  type Metrics,
  openClipFiles,
  readCache,
  type SceneAtlas,
} from '@zeroseg/core/zeroseg';
import { teacher } from '@zeroseg/pretrained';
import type { GivenFile } from '../../app/visitor-files.ts';
import type { Gpu } from '../../engine/gpu.ts';
import { sentenceOf } from '../../engine/sentence.ts';
import type { Phase, Standing, TrainEvent } from '../messages.ts';
import type { KeptRuns, PageRun } from './kept-runs.ts';
import { LEARNT_SIDE, pngOf, SHOWN_SIDE, sourceOfPhotos, sourceOfScenes } from './pictures.ts';
import { openSession, type Session } from './session.ts';

/** What the views of the teacher are cut by. */
export const GRIDS = [1, 2, 3, 4];
/** Of a slow teacher and of a slow training, so much work is lost at most when the page is closed at once. */
const SAVE_SECONDS = 15;
const SHARD = 64;
/** Checkpoints of a whole run, beside those by time; a short one has fewer. */
const CHECKPOINTS = 10;
const CHECKPOINT_STEPS = 4;
/** Lost devices that are replaced; a driver that loses more is broken. */
const MOST_LOSSES = 3;
/** What the page is told of steps is gathered for so long. */
const TELL_MILLISECONDS = 100;

/** Why work was stopped. */
const stops = { pause: Symbol('pause'), goOn: Symbol('go on') } as const;

function problemOf(error: unknown): string {
  if (error instanceof LockError) return 'This run is open in another tab: go on there, or close that tab.';
  return sentenceOf(error);
}

/** Photos must be chosen again: a page that was closed has no way to them. */
export class PhotosNeeded extends Error {}

export interface JobOptions {
  readonly gpu: Gpu;
  readonly kept: KeptRuns;
  readonly id: string;
  readonly atlas: () => Promise<SceneAtlas>;
  readonly onEvent: (event: TrainEvent) => void;
}

export class Job {
  readonly id: string;
  readonly #options: JobOptions;
  #photos: readonly GivenFile[] | undefined;
  #session: Session | undefined;
  #lock: HeldLock | undefined;
  #abort: AbortController | undefined;
  #work: Promise<void> | undefined;
  #isPausing = false;
  #rate: number | undefined;
  #told: Metrics[] = [];
  #telling: ReturnType<typeof setTimeout> | undefined;

  constructor(options: JobOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** Works until it is paused, at its end, or fails; what becomes of it is told by events. `photos`: those of the visitor, where the run is on photos. */
  goOn(photos?: readonly GivenFile[]): void {
    if (photos) this.#photos = photos;
    this.#isPausing = false;
    this.#work ??= this.#workOn().finally(() => {
      this.#work = undefined;
    });
  }

  /** Stops at the next safe point, and saves. */
  async pause(): Promise<void> {
    this.#isPausing = true;
    this.#abort?.abort(stops.pause);
    await this.#work;
  }

  /** Saves, and goes on: the page may be closed soon. */
  save(): void {
    if (this.#session) this.#abort?.abort(stops.goOn);
  }

  /** Goes on with another learning rate, at once or when it trains. */
  async changeRate(rate: number): Promise<void> {
    this.#rate = rate;
    if (!this.#session) return;
    if (this.#abort) this.#abort.abort(stops.goOn);
    else await this.#takeRate(this.#session);
  }

  async close(): Promise<void> {
    await this.pause();
    await this.#letGo();
  }

  /** The device is gone, and what was on it: the run is opened anew when it goes on. */
  deviceLost(): void {
    if (!this.#work) void this.#letGo();
  }

  async #workOn(): Promise<void> {
    const { kept, id } = this.#options;
    try {
      this.#lock ??= await kept.folder(id).lock('train', 'page.lock');
      await this.#note({ isWanted: true });
      for (let losses = 0; ; losses++) {
        try {
          await this.#attempt();
          return;
        } catch (error) {
          if (!(error instanceof DeviceError) || losses === MOST_LOSSES) throw error;
          await this.#closeSession();
        }
      }
    } catch (error) {
      await this.#letGo();
      this.#stand({ phase: 'failed', problem: problemOf(error), needsPhotos: error instanceof PhotosNeeded });
    }
  }

  /** On one device, until it is lost. */
  async #attempt(): Promise<void> {
    const { gpu } = this.#options;
    try {
      if (!this.#session) {
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        this.#stand({ phase: 'gpu' });
        const device = await gpu.device();
        const clip = await openClipFiles(teacher);
        await this.#look(device, clip, signal);
        this.#session = await this.#open(device, clip);
        // Paused meanwhile: before anything is trained.
        if (this.#isPausing) throw stops.pause;
      }
      await this.#train(this.#session);
      await this.#note({ isWanted: false });
      this.#stand({ phase: 'ended' });
      await this.#letGo();
    } catch (reason) {
      if (reason !== stops.pause) throw reason;
      await this.#note({ isWanted: false });
      this.#stand({ phase: 'paused' });
    } finally {
      this.#abort = undefined;
    }
  }

  /** Has the teacher look at all pictures, unless it has. */
  async #look(device: Device, clip: ClipSource, signal: AbortSignal): Promise<void> {
    const { kept, id, atlas } = this.#options;
    const page = await kept.page(id);
    if (page.isLooked) return;
    const isOfScenes = page.plan.source === 'scenes';
    if (!isOfScenes && !this.#photos) {
      throw new PhotosNeeded(`not all photos of “${page.title}” were looked at; choose the folder again to go on`);
    }
    const source = isOfScenes
      ? sourceOfScenes(await atlas(), page.plan)
      : sourceOfPhotos(this.#photos as readonly GivenFile[]);
    const files = kept.features(page.features);
    await fillCache(device, {
      ...{
        files,
        source,
        clip,
        grids: GRIDS,
        viewSource: 'native',
        shardSize: SHARD,
        flushSeconds: SAVE_SECONDS,
        signal,
      },
      studentSize: isOfScenes ? LEARNT_SIDE : SHOWN_SIDE,
      // Half a shard of a page that was killed is no reason to begin again.
      repair: true,
      // Nor are features of an earlier version of this page, whose teacher was another: they are computed again.
      force: true,
      onProgress: ({ done, total }) => this.#stand({ phase: 'looking', done, total }),
    });
    const cache = await readCache(files);
    const { length, failures } = cache;
    await cache.close();
    if (length < 4) {
      const [first] = failures;
      throw new FileError(
        'train',
        page.title,
        `${length} pictures could be read, too few to learn from${first ? `; ${first[0]}: ${first[1]}` : ''}`,
      );
    }
    this.#unread(failures);
    await this.#note({ isLooked: true });
  }

  /** Photos that were passed over. */
  #unread(failures: ReadonlyMap<string, string>): void {
    const [first] = failures;
    if (!first) return;
    const others = failures.size > 1 ? `, and ${failures.size - 1} more` : '';
    this.#options.onEvent({ run: this.id, kind: 'unread', words: `Passed over: ${first[0]}: ${first[1]}${others}.` });
  }

  async #open(device: Device, clip: ClipSource): Promise<Session> {
    const { kept, id, atlas, onEvent } = this.#options;
    const page = await kept.page(id);
    const tell = (phase: Phase): void => this.#stand({ phase });
    const session = await openSession({ device, kept, id, page, clip, atlas, tell });
    if (session.measure && session.run.trainer.done === 0) {
      const { accuracy, used } = await session.measure();
      const before = { accuracy, used };
      await this.#note({ before });
      onEvent({ run: id, kind: 'before', before });
    }
    // What was trained after the checkpoint that it goes on from is trained again.
    onEvent({ run: id, kind: 'history', history: await kept.history(id) });
    return session;
  }

  async #train(session: Session): Promise<void> {
    const { run, every } = session;
    const { steps } = run.trainer;
    const { id, onEvent } = this.#options;
    for (;;) {
      // First of all: a pause while the rate is written counts, too.
      this.#abort = new AbortController();
      const { signal } = this.#abort;
      if (this.#rate !== undefined) await this.#takeRate(session);
      this.#stand({ phase: 'training' });
      try {
        await run.train({
          saveEvery: Math.max(CHECKPOINT_STEPS, Math.round(steps / CHECKPOINTS)),
          saveSeconds: SAVE_SECONDS,
          sampleEvery: every,
          sample: async () => {
            const step = run.trainer.done;
            const png = pngOf(await session.draw());
            onEvent({ run: id, kind: 'sample', step, sheet: png });
            return new Uint8Array(await png.arrayBuffer());
          },
          signal,
          onProgress: () => {
            this.#told.push(run.metrics.at(-1) as Metrics);
            this.#telling ??= setTimeout(() => this.#tellSteps(), TELL_MILLISECONDS);
          },
        });
        this.#tellSteps();
        return;
      } catch (reason) {
        this.#tellSteps();
        if (reason !== stops.goOn) throw reason;
        if (this.#isPausing) throw stops.pause;
      }
    }
  }

  async #takeRate(session: Session): Promise<void> {
    const rate = this.#rate as number;
    this.#rate = undefined;
    await session.run.changeRate(rate);
    const { rates = [] } = session.run.description;
    this.#options.onEvent({ run: this.id, kind: 'rates', rates });
  }

  #tellSteps(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    if (this.#told.length > 0) this.#options.onEvent({ run: this.id, kind: 'steps', metrics: this.#told.splice(0) });
  }

  #stand(standing: Standing): void {
    this.#options.onEvent({ run: this.id, kind: 'standing', standing });
  }

  async #note(changes: Partial<PageRun>): Promise<void> {
    const { kept, id } = this.#options;
    await kept.write(id, { ...(await kept.page(id)), ...changes });
  }

  async #closeSession(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #letGo(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await this.#closeSession().catch(() => undefined);
    await lock?.release();
  }
}
