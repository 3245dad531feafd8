import type { WorkOptions } from '../host/index.ts';
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
export interface SavedRun<R extends { readonly step: number }, M extends { readonly step: number }> {
  readonly trainer: StepTrainer<unknown, unknown, R>;
  readonly store: RunStore<M>;
  metricsOf(report: R): M;
  /** Files of a checkpoint of the model as it is. */
  checkpoint(): Promise<Readonly<Record<string, Uint8Array>>>;
  /** Called when a checkpoint was saved. */
  saved?(): Promise<void>;
  /** After which steps `evaluate` runs: it draws samples, or validates. */
  isEvaluated(step: number): boolean;
  evaluate(step: number): Promise<void>;
}

/** Ten minutes are what one can bear to lose. */
const SAVE_SECONDS = 600;

/**
 * Trains to the end, with a line of metrics for every step and a checkpoint every so many steps or minutes, and one at the end or
 * when the signal stops it.
 *
 * @returns whether the training is at its end; false where the signal stopped it.
 */
export async function trainSaved<R extends { readonly step: number }, M extends { readonly step: number }>(
  run: SavedRun<R, M>,
  { saveEvery, saveSeconds = SAVE_SECONDS, signal, onProgress }: SaveOptions<R> = {},
): Promise<boolean> {
  const { trainer, store } = run;
  let saved = trainer.done;
  let savedAt = performance.now();
  const due = new Set<number>();
  const save = async () => {
    await store.save(trainer.done, await run.checkpoint());
    await run.saved?.();
    saved = trainer.done;
    savedAt = performance.now();
  };
  const needsModel = (step: number) => {
    const isDue =
      (saveEvery !== undefined && step % saveEvery === 0) || performance.now() - savedAt > saveSeconds * 1000;
    if (isDue) due.add(step);
    return isDue || run.isEvaluated(step);
  };
  const stop = () => trainer.stop();
  signal?.addEventListener('abort', stop);
  try {
    if (!signal?.aborted) {
      for await (const report of trainer.run({ needsModel })) {
        await store.append(run.metricsOf(report));
        onProgress?.(report);
        if (run.isEvaluated(report.step)) await run.evaluate(report.step);
        if (due.delete(report.step)) await save();
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (saved !== trainer.done) await save();
  return trainer.done >= trainer.steps;
}
