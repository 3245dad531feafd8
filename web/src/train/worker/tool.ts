/** The part of this tool that runs in the worker. */

import { countParameters, freeParameters, newWeights } from '@zeroseg/core/nn';
import {
  cacheBytes,
  liveChoices,
  lossTerms,
  presets,
  runBytes,
  type SceneAtlas,
  viewCount,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';
import type { GivenFile } from '../../app/visitor-files.ts';
import type { Gpu } from '../../engine/gpu.ts';
import type { RunCard, RunHistory, Space, TermFacts, TrainEvent } from '../messages.ts';
import type { Plan } from '../plan.ts';
import { handOver } from './hand-over.ts';
import { GRIDS, Job } from './job.ts';
import { KeptRuns } from './kept-runs.ts';
import {
  featuresName,
  LEARNT_SIDE,
  pngOf,
  SHEET_ROWS,
  SHOWN_SIDE,
  stacked,
  WATCHED,
  watchedScenes,
} from './pictures.ts';
import { LOOKS, resolvePlan } from './session.ts';

/** The built-in teacher's: how many numbers say what it sees in a view. */
const WIDTH = 64;
/** Of a sheet of samples as a PNG, at most. */
const SHEET_BYTES = 400_000;

export class TrainTool {
  readonly #gpu: Gpu;
  readonly #atlas: () => Promise<SceneAtlas>;
  #kept: Promise<KeptRuns> | undefined;
  #job: Job | undefined;
  #onEvent: (event: TrainEvent) => void = () => {};

  constructor(gpu: Gpu, atlas: () => Promise<SceneAtlas>) {
    this.#gpu = gpu;
    this.#atlas = atlas;
    gpu.onLost(() => this.#job?.deviceLost());
  }

  /** Whom events are told. */
  follow(onEvent: (event: TrainEvent) => void): void {
    this.#onEvent = onEvent;
  }

  terms(): readonly TermFacts[] {
    const config = presets[liveChoices.preset]?.config;
    return lossTerms.map(({ name, title, about, weight, defaultWeight }) => ({
      ...{ name, title, about, weight },
      usual: config?.[weight] ?? defaultWeight,
    }));
  }

  async runs(): Promise<RunCard[]> {
    return (await this.#runs()).list();
  }

  async space(plan: Plan, photos: readonly GivenFile[]): Promise<Space> {
    const kept = await this.#runs();
    const name = await featuresName(plan, photos);
    const isThere = (await kept.features(name).list()).length > 0;
    const isOfScenes = plan.source === 'scenes';
    const [count, studentSize] = isOfScenes ? [plan.scenes, LEARNT_SIDE] : [photos.length, SHOWN_SIDE];
    const features = isThere ? 0 : cacheBytes({ views: viewCount(GRIDS), dim: WIDTH, studentSize }, count);
    const run = runBytes(await this.#countParameters(plan), plan.steps) + Math.min(plan.steps, LOOKS) * SHEET_BYTES;
    const { quota = Number.POSITIVE_INFINITY, usage = 0 } = await navigator.storage.estimate();
    return { needed: features + run, free: Math.max(0, quota - usage) };
  }

  /** The pictures that a run on scenes will be watched on, one below the other. */
  async preview(plan: Plan): Promise<Blob> {
    const { scenes } = watchedScenes(await this.#atlas(), plan, WATCHED);
    return pngOf(stacked(scenes.slice(0, SHEET_ROWS).map(({ image }) => image)));
  }

  /** Begins a run; its number is returned, all else is told by events. */
  async begin(plan: Plan, title: string, photos: readonly GivenFile[]): Promise<string> {
    await this.#job?.close();
    const kept = await this.#runs();
    const id = `${new Date().toISOString().slice(0, 19).replace(/\D/g, '')}-${crypto.randomUUID().slice(0, 4)}`;
    await kept.write(id, {
      ...{ title, plan, begun: new Date().toISOString(), features: await featuresName(plan, photos) },
      ...{ isLooked: false, isWanted: true },
    });
    this.#start(kept, id).goOn(photos);
    return id;
  }

  /** What there is of a run. {@link goOn} works on it. */
  async open(id: string): Promise<RunHistory> {
    if (this.#job?.id !== id) await this.#job?.close();
    const kept = await this.#runs();
    const history = await kept.history(id);
    if (this.#job?.id !== id) this.#start(kept, id);
    return history;
  }

  goOn(photos?: readonly GivenFile[]): void {
    this.#job?.goOn(photos);
  }

  async pause(): Promise<void> {
    await this.#job?.pause();
  }

  save(): void {
    this.#job?.save();
  }

  async changeRate(rate: number): Promise<void> {
    await this.#job?.changeRate(rate);
  }

  async sheet(id: string, step: number): Promise<Blob | undefined> {
    return (await this.#runs()).sheet(id, step);
  }

  async model(id: string): Promise<Blob | undefined> {
    return (await this.#runs()).model(id);
  }

  /** Puts the model of a run on the shelf of models; returns what it is chosen by. Undefined before the first checkpoint. */
  async handOver(id: string): Promise<string | undefined> {
    const kept = await this.#runs();
    const [model, { title, begun }] = [await kept.model(id), await kept.page(id)];
    return model && handOver(id, `Trained on ${title}, ${begun.slice(0, 16).replace('T', ' ')}`, model);
  }

  async remove(id: string): Promise<void> {
    if (this.#job?.id === id) {
      await this.#job.close();
      this.#job = undefined;
    }
    await (await this.#runs()).remove(id);
  }

  #start(kept: KeptRuns, id: string): Job {
    const onEvent = (event: TrainEvent): void => this.#onEvent(event);
    this.#job = new Job({ gpu: this.#gpu, kept, id, atlas: this.#atlas, onEvent });
    return this.#job;
  }

  /** @throws {ConfigError} for settings that make no model. */
  async #countParameters(plan: Plan): Promise<number> {
    const key = { teacher: 'teacher', dim: WIDTH, grids: GRIDS };
    const { config } = resolvePlan(plan, { folder: 'features', length: Math.max(plan.batch, plan.scenes), key });
    const model = new ZeroSeg(newWeights(await this.#gpu.device(), 0), config);
    const count = countParameters(model);
    freeParameters(model);
    return count;
  }

  #runs(): Promise<KeptRuns> {
    this.#kept ??= KeptRuns.open();
    this.#kept.catch(() => {
      this.#kept = undefined;
    });
    return this.#kept;
  }
}
