import { heard } from '../../gpu/index.ts';
import type { WorkOptions } from '../host/index.ts';
import type { PartContent } from './checkpoints.ts';
import type { RunStore } from './run-store.ts';
import type { StepTrainer } from './step-trainer.ts';

/** When {@link trainSaved} keeps what. */
export interface SaveOptions<R> extends WorkOptions<R> {
  /** Steps between checkpoints. Default: only by time, when stopped, and at the end. */
  readonly saveEvery?: number | undefined;
  /** A checkpoint is also written after so many seconds, however few steps that are. Default: 600. */
  readonly saveSeconds?: number | undefined;
}

/** What of a training is kept, and how. */
export interface SavedRun<R extends { readonly step: number }, M extends { readonly step: number }, C = undefined> {
  readonly trainer: StepTrainer<unknown, unknown, R>;
  readonly store: RunStore<M>;
  metricsOf(report: R): M;
  /**
   * Copies the model as the GPU has it after `step`, for a checkpoint that is written while it works on; undefined where there is no room.
   * Without this it waits until each checkpoint is written.
   */
  copy?(step: number): Promise<C | undefined>;
  /** Files of a checkpoint: of the copy, or of the model as it is, which is then not written until they are there. */
  checkpoint(copy: C | undefined): Promise<Readonly<Record<string, PartContent>>>;
  /** Called when a checkpoint was saved, or could not be. */
  release?(copy: C | undefined): void;
  /** Called when a checkpoint was saved. */
  saved?(): Promise<void>;
  /** After which steps `evaluate` runs: it draws samples, or validates. */
  isEvaluated(step: number): boolean;
  evaluate(step: number): Promise<void>;
  /** Whether `evaluate` has saved a checkpoint of this step. */
  isKept?(step: number): boolean;
}

/** Ten minutes are what one can bear to lose. */
const SAVE_SECONDS = 600;

/**
 * Trains to the end, with a line of metrics for every step and a checkpoint every so many steps or minutes, and one at the end or
 * when the signal stops it.
 *
 * @returns whether the training is at its end; false where the signal stopped it.
 */
export async function trainSaved<
  R extends { readonly step: number },
  M extends { readonly step: number },
  C = undefined,
>(
  run: SavedRun<R, M, C>,
  { saveEvery, saveSeconds = SAVE_SECONDS, signal, onProgress }: SaveOptions<R> = {},
): Promise<boolean> {
  const { trainer, store } = run;
  let saved = trainer.done;
  let savedAt = performance.now();
  /** Steps after which there is to be a checkpoint, and their copies. */
  const due = new Map<number, C | undefined>();
  let saving: Promise<void> | undefined;
  const save = async (copy: C | undefined) => {
    const step = trainer.done;
    saved = step;
    savedAt = performance.now();
    try {
      if (!run.isKept?.(step)) await store.save(step, await run.checkpoint(copy));
      await run.saved?.();
    } finally {
      run.release?.(copy);
    }
  };
  const needsModel = async (step: number) => {
    const isEvaluated = run.isEvaluated(step);
    const isDue =
      (saveEvery !== undefined && step % saveEvery === 0) || performance.now() - savedAt > saveSeconds * 1000;
    if (!isDue) return isEvaluated;
    // One copy at a time: where the disk is slower than the steps, they wait for it.
    await saving;
    const copy = await run.copy?.(step);
    due.set(step, copy);
    return isEvaluated || copy === undefined;
  };
  const stop = () => trainer.stop();
  signal?.addEventListener('abort', stop);
  try {
    if (!signal?.aborted) {
      for await (const report of trainer.run({ needsModel })) {
        await store.append(run.metricsOf(report));
        onProgress?.(report);
        if (run.isEvaluated(report.step)) await run.evaluate(report.step);
        if (!due.has(report.step)) continue;
        const copy = due.get(report.step);
        due.delete(report.step);
        saving = heard(save(copy));
        // Without a copy, the next step would change what is written.
        if (copy === undefined) await saving;
      }
    }
    await saving;
  } finally {
    signal?.removeEventListener('abort', stop);
    await saving?.catch(() => undefined);
    for (const copy of due.values()) run.release?.(copy);
  }
  if (saved !== trainer.done) await save(undefined);
  return trainer.done >= trainer.steps;
}
