/** What the visitor turns, and what the model makes of it. Each result follows from the ones above it, and is made anew only with them. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { proxy } from 'comlink';
import { gpu } from '../app/gpu-state.ts';
import { engine, held } from '../engine/client.ts';
import { sentenceOf } from '../engine/sentence.ts';
import { fetchSample, model, type Picture, picture } from '../picture/picture.ts';
import { samples } from '../picture/samples.ts';
import type { Grouped, GroupRequest, Named, Seen, SeeRequest, Subject } from './messages.ts';
import { newest } from './newest.ts';

/** Share of the patches that is hidden, and which: undefined is as in training. */
export const maskRatio: Signal<number | undefined> = signal(undefined);
export const maskSeed: Signal<number> = signal(1);
export const tau: Signal<number | undefined> = signal(undefined);
export const hard: Signal<boolean> = signal(true);
export const noise: Signal<boolean> = signal(false);
export const noiseSeed: Signal<number> = signal(1);
/** How many of the model's grids are compared; undefined is all. */
export const gridCount: Signal<number | undefined> = signal(undefined);
export const words: Signal<readonly string[]> = signal([]);

export const problem: Signal<string | undefined> = signal(undefined);
export const subject: Signal<Subject | undefined> = signal(undefined);
export const seen: Signal<Seen | undefined> = signal(undefined);
export const grouped: Signal<Grouped | undefined> = signal(undefined);
export const named: Signal<Named | undefined> = signal(undefined);
/** Milliseconds from a slider's move to the last result that follows from it. */
export const took: Signal<number | undefined> = signal(undefined);

export const shownMaskRatio: ReadonlySignal<number> = computed(
  () => maskRatio.value ?? subject.value?.trained.maskRatio ?? 0,
);
export const shownTau: ReadonlySignal<number> = computed(() => tau.value ?? subject.value?.trained.tau ?? 1);
export const shownGrids: ReadonlySignal<number> = computed(() => gridCount.value ?? subject.value?.grids.length ?? 1);
/** The largest ratio that leaves enough patches for the groups to begin at. */
export const mostMasked: ReadonlySignal<number> = computed(() => {
  const { value } = subject;
  if (!value) return 0.9;
  return Math.min(0.9, Math.floor(100 * (1 - value.trained.leastKept / value.cols ** 2)) / 100);
});

export type Phase = 'training' | 'test';
/** Whether all is set as in training, or as at test time; undefined where the visitor has turned something. */
export const phase: ReadonlySignal<Phase | undefined> = computed(() => {
  const { value } = subject;
  if (!value || shownTau.value !== value.trained.tau || hard.value !== value.trained.hard) return undefined;
  if (noise.value) return shownMaskRatio.value === value.trained.maskRatio ? 'training' : undefined;
  return shownMaskRatio.value === 0 ? 'test' : undefined;
});

export function setPhase(next: Phase): void {
  batch(() => {
    maskRatio.value = next === 'test' ? 0 : undefined;
    noise.value = next === 'training';
    tau.value = undefined;
    hard.value = subject.peek()?.trained.hard ?? true;
  });
}

const isStale = (error: unknown): boolean => /another picture has taken its place/.test(String(error));
const fail = (error: unknown): void => {
  if (!isStale(error)) problem.value = sentenceOf(error);
};
const worker = held(() => engine.explain());
let changed = 0;

const open = newest(
  async ({ file, name, model: id }: { file: Blob; name: string; model: string }) =>
    (await worker()).open(file, name, id),
  (result) =>
    batch(() => {
      problem.value = undefined;
      subject.value = result;
      for (const one of [seen, grouped, named]) one.value = undefined;
    }),
  fail,
);
const see = newest(
  async (request: SeeRequest) => (await worker()).see(request),
  (result, { subject: id }) => {
    if (id === subject.peek()?.id) seen.value = result;
  },
  fail,
);
const group = newest(
  async (request: GroupRequest) => (await worker()).group(request),
  (result, { subject: id }) => {
    if (id !== subject.peek()?.id) return;
    grouped.value = result;
    took.value = performance.now() - changed;
  },
  fail,
);
const name = newest(
  async (request: { subject: number; words: readonly string[] }) => (await worker()).name(request, request.words),
  (result, { subject: id }) => {
    if (id === subject.peek()?.id) named.value = result;
  },
  fail,
);

/** Counts the devices that were lost: each time, the picture is looked at again on a new one. */
const losses = signal(0);

/** Begins to follow the picture, the sliders and the words. Called once. */
export function startExplaining(): void {
  effect(() => {
    const [current, id] = [picture.value, model.value];
    void losses.value;
    if (current) open({ file: current.file, name: current.name, model: id });
  });
  effect(() => {
    const given = picture.value?.words;
    if (given) words.value = given;
  });
  const looking = computed((): SeeRequest | undefined => {
    const id = subject.value?.id;
    return id === undefined
      ? undefined
      : { subject: id, maskRatio: Math.min(shownMaskRatio.value, mostMasked.value), maskSeed: maskSeed.value };
  });
  effect(() => {
    if (looking.value) see(looking.value);
  });
  effect(() => {
    if (!looking.value) return;
    changed = performance.now();
    group({
      ...looking.value,
      tau: shownTau.value,
      hard: hard.value,
      noiseSeed: noise.value ? noiseSeed.value : undefined,
      grids: shownGrids.value,
    });
  });
  effect(() => {
    const id = subject.value?.id;
    if (id !== undefined && grouped.value) name({ subject: id, words: words.value });
  });
  void engine.gpu.onLost(
    proxy(() => {
      losses.value++;
      void engine.gpu.facts().then((facts) => {
        gpu.value = facts;
      });
    }),
  );
}

/** Takes another picture, for the other tools too. */
export async function openPicture(given: Picture | Promise<Picture>): Promise<void> {
  try {
    picture.value = await given;
  } catch (error) {
    problem.value = sentenceOf(error);
  }
}

export function openFirst(): void {
  if (!picture.peek()) void openPicture(fetchSample(samples[0]));
}

/** What is there already is not added. */
export function addWords(more: readonly string[]): void {
  words.value = [...new Set([...words.peek(), ...more])];
}
