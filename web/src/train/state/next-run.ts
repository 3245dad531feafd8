/** The settings of the next run, and what there is to say of them before it begins. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { address } from '../../app/address.ts';
import { gpu } from '../../app/gpu-state.ts';
import type { GivenFile } from '../../app/visitor-files.ts';
import { sentenceOf } from '../../engine/sentence.ts';
import { formatBytes } from '../formats.ts';
import type { Space, TermFacts } from '../messages.ts';
import { defaultPlan, type Plan, planOfLink } from '../plan.ts';
import { attempt, problem, tool } from './asking.ts';

/** The visitor's photos; empty until a folder was chosen. */
export interface Folder {
  readonly name: string;
  readonly photos: readonly GivenFile[];
}

export const plan: Signal<Plan> = signal(defaultPlan(false));
export const folder: Signal<Folder | undefined> = signal(undefined);
export const terms: Signal<readonly TermFacts[]> = signal([]);
export const space: Signal<Space | undefined> = signal(undefined);
/** What of a link could not be taken. */
export const linkProblems: Signal<readonly string[]> = signal([]);

/** The pictures that a run of the settings would be watched on; of photos, none. */
export const preview: Signal<string | undefined> = signal(undefined);

/** Takes the settings of the address. */
export function readLink(): void {
  const found = planOfLink(address.peek().parameters, defaultPlan(gpu.peek()?.isSoftware ?? false));
  batch(() => {
    plan.value = found.plan;
    linkProblems.value = found.problems;
  });
}

export function change(changes: Partial<Plan>): void {
  plan.value = { ...plan.peek(), ...changes };
}

let asked = 0;
/** What the last measuring said: an answer that comes late takes back that alone, and not what was said since. */
let spaceTrouble: string | undefined;

/** Looks how much space the settings would take. */
export async function measureSpace(): Promise<void> {
  const number = ++asked;
  try {
    const found = await (await tool()).space(plan.peek(), photosOf(plan.peek()));
    if (number !== asked) return;
    batch(() => {
      space.value = found;
      if (problem.peek() === spaceTrouble) problem.value = undefined;
      spaceTrouble = undefined;
    });
  } catch (error) {
    if (number === asked) problem.value = spaceTrouble = sentenceOf(error);
  }
}

let previewed: string | undefined;

/** Draws what a run of the settings would be watched on. */
export async function drawPreview(): Promise<void> {
  const { source, seed } = plan.value;
  const wanted = source === 'scenes' ? String(seed) : undefined;
  if (wanted === previewed) return;
  previewed = wanted;
  const drawn = wanted && (await attempt(async () => (await tool()).preview(plan.peek())));
  if (wanted !== previewed) return;
  const old = preview.peek();
  preview.value = drawn ? URL.createObjectURL(drawn) : undefined;
  if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
}

/** Why a run of these settings would not fit into the browser's storage; undefined where it does. */
export const spaceProblem: ReadonlySignal<string | undefined> = computed(() => {
  const found = space.value;
  if (!found || found.needed <= found.free) return undefined;
  return (
    `This takes about ${formatBytes(found.needed)}, and the browser gives this site ${formatBytes(found.free)} more: ` +
    'choose fewer pictures, delete a run below, or free space on the disk.'
  );
});

export function photosOf(chosen: Plan): readonly GivenFile[] {
  return chosen.source === 'photos' ? (folder.peek()?.photos ?? []) : [];
}
