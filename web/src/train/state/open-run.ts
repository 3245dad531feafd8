/** What the visitor sees of a training: the run that is open, and those that are kept. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Metrics, RateChange } from '@zeroseg/core/zeroseg';
import { proxy } from 'comlink';
import { address } from '../../app/address.ts';
import { gpu } from '../../app/gpu-state.ts';
import { engine } from '../../engine/client.ts';
import type { Before, RunCard, RunHistory, Standing, TrainEvent } from '../messages.ts';
import { linkOf } from '../plan.ts';
import { attempt, problem, tool } from './asking.ts';
import { folder, measureSpace, photosOf, plan, readLink, spaceProblem, terms } from './next-run.ts';

/** The run that is open. */
export type OpenRun = Omit<RunHistory, 'metrics' | 'samples' | 'before' | 'rates'>;

export const runs: Signal<readonly RunCard[]> = signal([]);
export const run: Signal<OpenRun | undefined> = signal(undefined);
export const standing: Signal<Standing | undefined> = signal(undefined);
export const metrics: Signal<readonly Metrics[]> = signal([]);
export const before: Signal<Before | undefined> = signal(undefined);
/** Changes of the learning rate of the open run, and its peak as it is now. */
export const rates: Signal<readonly RateChange[]> = signal([]);
export const rate: Signal<number> = signal(0);
/** When the steps were heard of, of this visit: by the clock, so that samples and scores count. */
export const pace: Signal<readonly { readonly step: number; readonly at: number }[]> = signal([]);
/** Photos that could not be read, in words. */
export const unread: Signal<string | undefined> = signal(undefined);
/** Steps that there is a sheet of; which of them is shown, undefined for the newest; and the sheet. */
export const samples: Signal<readonly number[]> = signal([]);
export const chosenSample: Signal<number | undefined> = signal(undefined);
export const sheet: Signal<{ readonly step: number; readonly url: string } | undefined> = signal(undefined);

export const isWorking: ReadonlySignal<boolean> = computed(
  () => standing.value !== undefined && !['paused', 'ended', 'failed'].includes(standing.value.phase),
);
export const last: ReadonlySignal<Metrics | undefined> = computed(() => metrics.value.at(-1));

/** Tidings of steps that the pace is taken of. */
const PACED = 60;

let isStarted = false;

/** Begins to show what there is: settings of the link, kept runs, and the run that the address names. */
export async function startTraining(): Promise<void> {
  if (isStarted) {
    nameRun();
    await refresh();
    return;
  }
  isStarted = true;
  await attempt(async () => {
    const training = await tool();
    await training.follow(proxy(take));
    terms.value = await training.terms();
    gpu.value ??= await engine.gpu.facts();
    readLink();
    const id = address.peek().parameters.get('run');
    await refresh();
    if (id !== null && runs.peek().some((one) => one.id === id)) await openRun(id);
  });
}

/** Puts the run that is open into the address: a page that is reloaded opens it again. */
export function nameRun(): void {
  const open = run.peek();
  if (open && address.peek().id === 'train') history.replaceState(undefined, '', `#train?run=${open.id}`);
}

/** Begins a run of the settings. */
export async function begin(): Promise<void> {
  const chosen = plan.peek();
  const photos = photosOf(chosen);
  if (chosen.source === 'photos' && photos.length === 0) {
    problem.value = 'Choose a folder of photos first.';
    return;
  }
  problem.value = undefined;
  await attempt(async () => {
    await measureSpace();
    if (spaceProblem.peek() !== undefined || problem.peek() !== undefined) return;
    // What is kept is not cleared when the disk runs full, where the browser agrees.
    void navigator.storage.persist?.().catch(() => false);
    const title = chosen.source === 'scenes' ? `${chosen.scenes} scenes` : (folder.peek()?.name ?? 'photos');
    standing.value = { phase: 'gpu' };
    show({
      ...{ title, plan: chosen, steps: chosen.steps, metrics: [], samples: [], before: undefined },
      ...{ id: '', rates: [], isWanted: true },
    });
    const id = await (await tool()).begin(chosen, title, [...photos]);
    if (run.peek()) run.value = { ...(run.peek() as OpenRun), id };
    nameRun();
    await refresh();
  });
}

export async function openRun(id: string): Promise<void> {
  await attempt(async () => {
    const kept = await (await tool()).open(id);
    const isEnded = runs.peek().find((one) => one.id === id)?.isEnded ?? false;
    batch(() => {
      show(kept);
      standing.value = { phase: isEnded ? 'ended' : 'paused' };
    });
    nameRun();
    // It was training when its page was closed.
    if (kept.isWanted && !isEnded) await goOn();
  });
}

/** Back to the settings: the run that was open is paused, and its settings are those of the next. */
export async function leaveRun(): Promise<void> {
  const open = run.peek();
  if (!open) return;
  if (isWorking.peek()) await pause();
  leave(open);
  await refresh();
}

function leave(open: OpenRun): void {
  batch(() => {
    plan.value = open.plan;
    forget();
  });
  history.replaceState(undefined, '', `#${linkOf(open.plan)}`);
}

export async function pause(): Promise<void> {
  await attempt(async () => (await tool()).pause());
  await refresh();
}

export async function goOn(): Promise<void> {
  const open = run.peek();
  const photos = open?.plan.source === 'photos' ? folder.peek()?.photos : undefined;
  standing.value = { phase: 'gpu' };
  await attempt(async () => (await tool()).goOn(photos ? [...photos] : undefined));
}

export async function changeRate(to: number): Promise<void> {
  rate.value = to;
  await attempt(async () => (await tool()).changeRate(to));
}

/** Deletes a run; where it was open, its settings stay for the next, as when it is left. */
export async function removeRun(id: string): Promise<void> {
  await attempt(async () => {
    await (await tool()).remove(id);
    const open = run.peek();
    if (open?.id === id) leave(open);
  });
  await refresh();
  await measureSpace();
}

/** The model of a run as a file; undefined where none was saved yet. */
export async function modelOf(id: string): Promise<Blob | undefined> {
  return attempt(async () => (await tool()).model(id));
}

/** Segments with the model of a run, as it is saved last. */
export async function segmentWith(id: string): Promise<void> {
  if (isWorking.peek()) await pause();
  const choice = await attempt(async () => (await tool()).handOver(id));
  if (choice !== undefined) location.hash = `#segment?${new URLSearchParams({ model: choice })}`;
  else problem.value ??= NOT_SAVED;
}

export const NOT_SAVED = 'Nothing is saved yet: the first checkpoint comes after a few steps.';

/** The page may be closed soon: what was learnt is saved. */
export async function saveSoon(): Promise<void> {
  if (isWorking.peek()) await attempt(async () => (await tool()).save());
}

export async function refresh(): Promise<void> {
  await attempt(async () => {
    runs.value = await (await tool()).runs();
  });
}

/** Shows the sheet of a step; undefined: the newest, and those that follow. */
export async function chooseSample(step: number | undefined): Promise<void> {
  chosenSample.value = step;
  const wanted = step ?? samples.peek().at(-1);
  const id = run.peek()?.id;
  if (wanted === undefined || !id || sheet.peek()?.step === wanted) return;
  const found = await attempt(async () => (await tool()).sheet(id, wanted));
  if (found && (chosenSample.peek() ?? samples.peek().at(-1)) === wanted) await showSheet(wanted, found);
}

function show({ metrics: all, samples: sheets, before: was, rates: changes, ...rest }: RunHistory): void {
  const isOther = run.peek()?.id !== rest.id;
  batch(() => {
    run.value = rest;
    metrics.value = all;
    before.value = was;
    rates.value = changes;
    rate.value = changes.at(-1)?.base_lr ?? rest.plan.rate;
    samples.value = sheets;
    problem.value = undefined;
    if (isOther) {
      unread.value = undefined;
      sheet.value = undefined;
      chosenSample.value = undefined;
    }
  });
  if (isOther || sheet.peek() === undefined) void chooseSample(undefined);
}

function forget(): void {
  run.value = undefined;
  standing.value = undefined;
  metrics.value = [];
  samples.value = [];
  before.value = undefined;
  sheet.value = undefined;
  chosenSample.value = undefined;
}

/** What the worker tells. */
function take(event: TrainEvent): void {
  const open = run.peek();
  if (!open || (open.id !== event.run && open.id !== '')) return;
  if (open.id === '') run.value = { ...open, id: event.run };
  switch (event.kind) {
    case 'standing':
      standing.value = event.standing;
      pace.value = [];
      if (event.standing.phase === 'ended' || event.standing.phase === 'failed') void refresh();
      return;
    case 'history':
      show(event.history);
      void refresh(); // there are features now, and sizes in the list
      return;
    case 'steps':
      metrics.value = [...metrics.peek(), ...event.metrics];
      pace.value = [...pace.peek(), { step: metrics.peek().at(-1)?.step ?? 0, at: performance.now() }].slice(-PACED);
      return;
    case 'rates':
      rates.value = event.rates;
      return;
    case 'unread':
      unread.value = event.words;
      return;
    case 'before':
      before.value = event.before;
      return;
    case 'sample':
      samples.value = [...samples.peek().filter((step) => step < event.step), event.step];
      if (chosenSample.peek() === undefined) void showSheet(event.step, event.sheet);
  }
}

async function showSheet(step: number, blob: Blob): Promise<void> {
  const url = URL.createObjectURL(blob);
  const picture = new Image();
  picture.src = url;
  // In the stead of the one before only when it can be painted.
  await picture.decode().catch(() => undefined);
  const old = sheet.peek();
  sheet.value = { step, url };
  if (old) setTimeout(() => URL.revokeObjectURL(old.url), 1000);
}
