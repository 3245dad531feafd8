/** What was measured, and what is being measured. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Tuned } from '@zeroseg/core';
import { proxy } from 'comlink';
import type { Limits, Row } from 'zeroseg/bench';
import { address } from '../app/address.ts';
import { gpu } from '../app/gpu-state.ts';
import { engine, held } from '../engine/client.ts';
import { sentenceOf } from '../engine/sentence.ts';
import type { BenchDoing, BenchReport } from './messages.ts';

const tool = held(() => engine.bench());

/** Small shapes: on the processor the others take minutes. Undefined until the visitor says; see {@link isQuick}. */
export const quickChosen: Signal<boolean | undefined> = signal(undefined);
export const isQuick: ReadonlySignal<boolean> = computed(() => quickChosen.value ?? gpu.value?.isSoftware ?? false);
/** Words of the work that is wanted, with commas between; `#bench?only=softmax` in a link. */
export const only: Signal<string> = signal(address.peek().parameters.get('only') ?? '');

export type Activity = 'measuring' | 'tuning' | 'comparing';
/** What is under way; one thing at a time, for two would disturb each other. */
export const activity: Signal<Activity | undefined> = signal(undefined);
export const doing: Signal<BenchDoing | undefined> = signal(undefined);
export const problem: Signal<string | undefined> = signal(undefined);

export const limits: Signal<Limits | undefined> = signal(undefined);
export const rows: Signal<readonly Row[]> = signal([]);
/** Once all is measured, or it was stopped. */
export const report: Signal<BenchReport | undefined> = signal(undefined);
/** The work that is pointed at, in the chart or in the table. */
export const pointed: Signal<string | undefined> = signal(undefined);

export const tuned: Signal<readonly Tuned[]> = signal([]);
export const keepTuned: Signal<boolean> = signal(true);

/** Does one thing, and tells what went wrong. */
export async function doOne(what: Activity, work: () => Promise<void>): Promise<void> {
  if (activity.peek()) return;
  batch(() => {
    activity.value = what;
    problem.value = undefined;
  });
  try {
    await work();
  } catch (error) {
    problem.value = sentenceOf(error);
  } finally {
    batch(() => {
      activity.value = undefined;
      doing.value = undefined;
    });
  }
}

export function measure(): Promise<void> {
  return doOne('measuring', async () => {
    batch(() => {
      limits.value = undefined;
      rows.value = [];
      report.value = undefined;
    });
    const filter = only
      .peek()
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean);
    report.value = await (await tool()).measure(
      { quick: isQuick.peek(), filter },
      proxy((event) => {
        batch(() => {
          if (event.kind === 'doing') doing.value = event.doing;
          else {
            limits.value = event.limits;
            rows.value = [...rows.peek(), event.row];
          }
        });
      }),
    );
    limits.value = report.value.limits;
  });
}

export function findForms(): Promise<void> {
  return doOne('tuning', async () => {
    tuned.value = [];
    doing.value = { name: 'the variants of matrix products', done: 0, total: 0 };
    tuned.value = await (await tool()).tune(
      { quick: isQuick.peek(), keep: keepTuned.peek() },
      proxy(({ found, done, of }) => {
        batch(() => {
          tuned.value = [...tuned.peek(), found];
          doing.value = { name: found.work, done, total: of };
        });
      }),
    );
  });
}

export async function stop(): Promise<void> {
  await (await tool()).stop();
}
