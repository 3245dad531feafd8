/** The models that the visitor has, and what is being done with them. */

import { type Signal, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { GivenFile } from '../app/visitor-files.ts';
import { engine } from '../engine/client.ts';
import { sentenceOf } from '../engine/sentence.ts';
import type { Added, Copying, ModelChoice, Shelf, Space } from './messages.ts';

/** Undefined until it was looked at. */
export const shelf: Signal<Shelf | undefined> = signal(undefined);
/** Models that are being copied or downloaded, by id. */
export const copies: Signal<ReadonlyMap<string, Copying & { readonly name: string }>> = signal(new Map());
/** Undefined where the browser does not say. */
export const space: Signal<(Space & { readonly isProtected: boolean }) | undefined> = signal(undefined);
/** What went wrong, a sentence each. */
export const problems: Signal<readonly string[]> = signal([]);
export const isOpen: Signal<boolean> = signal(false);

export async function lookAtShelf(): Promise<void> {
  shelf.value = await engine.shelf.list();
}

export async function lookAtSpace(): Promise<void> {
  try {
    const found = await engine.shelf.space();
    space.value = { ...found, isProtected: await navigator.storage.persisted() };
  } catch {
    space.value = undefined;
  }
}

/** A choice by its id, once the shelf was looked at. */
export function choiceOf(id: string): ModelChoice | undefined {
  return shelf.value?.choices.find((choice) => choice.id === id);
}

/** The first way to segment by one of some models. */
export function choiceBy(ids: readonly string[]): ModelChoice | undefined {
  return shelf.value?.choices.find(({ uses, problem }) => problem === undefined && ids.includes(uses[0] ?? ''));
}

/** Takes files for this visit. */
export async function addModels(given: readonly GivenFile[]): Promise<Added> {
  problems.value = [];
  try {
    const added = await engine.shelf.add(given);
    problems.value = added.problems;
    await lookAtShelf();
    return added;
  } catch (error) {
    problems.value = [sentenceOf(error)];
    return { ids: [], problems: problems.value };
  }
}

/** Keeps a model in the browser; asks that the browser does not clear it. */
export async function keepModel(id: string, name: string): Promise<void> {
  await following(id, name, async (onProgress) => {
    await protect();
    await engine.shelf.keep(id, onProgress);
  });
}

/** Asks the browser not to clear what is kept. */
export async function protect(): Promise<void> {
  await navigator.storage.persist().catch(() => false);
  await lookAtSpace();
}

export async function removeModel(id: string): Promise<void> {
  problems.value = [];
  try {
    await engine.shelf.remove(id);
  } catch (error) {
    problems.value = [sentenceOf(error)];
  }
  await Promise.all([lookAtShelf(), lookAtSpace()]);
}

/**
 * Downloads a CLIP of the Hugging Face Hub by its name; `id` of a download to go on with.
 *
 * @returns the model's id; undefined where it could not be had, which `problems` says.
 */
export async function downloadModel(
  repo: string,
  id: string = crypto.randomUUID().slice(0, 8),
): Promise<string | undefined> {
  const isThere = await following(id, repo, async (onProgress) => {
    await protect();
    await engine.shelf.download(id, repo, onProgress);
  });
  return isThere ? id : undefined;
}

export function stopCopy(id: string): void {
  void engine.shelf.stop(id);
}

/** @returns whether it was done. */
async function following(
  id: string,
  name: string,
  work: (onProgress: (copying: Copying) => void) => Promise<void>,
): Promise<boolean> {
  problems.value = [];
  const onProgress = (copying: Copying | undefined): void => {
    const next = new Map(copies.peek());
    if (copying) next.set(id, { ...copying, name });
    else next.delete(id);
    copies.value = next;
  };
  onProgress({ what: 'asking', done: 0, bytes: 0 });
  try {
    await work(proxy(onProgress));
    return true;
  } catch (error) {
    if ((error as Error).name !== 'AbortError') problems.value = [sentenceOf(error)];
    return false;
  } finally {
    onProgress(undefined);
    await Promise.all([lookAtShelf(), lookAtSpace()]);
  }
}
