/** How processes that train one model together share a step: which micro-batches are whose, and what each finds. */
import type { ProcessGroup } from '../../nn/distributed/index.ts';
import { ConfigError } from '../host/index.ts';
import type { GroupingStatistics } from './grouping-statistics.ts';
import type { TrainSettings } from './settings.ts';

/** What a step found. */
export interface StepFindings {
  /** The loss and its terms, by micro-batch. */
  readonly losses: readonly (readonly number[])[];
  readonly gradNorm: number;
  readonly statistics: GroupingStatistics | undefined;
}

interface ToldFindings extends StepFindings {
  /** Whether this process is to stop; of all together, whether any is. */
  readonly isAskedToStop: boolean;
}

/** The group of a trainer, unless it is alone. */
export function groupOf({ group }: { readonly group?: ProcessGroup | undefined }): ProcessGroup | undefined {
  return group && group.size > 1 ? group : undefined;
}

/**
 * The micro-batches of a step that a process computes: every so manyth, as many as it is processes. Masks, noise and photos are
 * drawn by the number of a micro-batch, so that they are the same whoever computes it.
 *
 * @throws ConfigError when there are fewer than processes.
 */
export function partsOf(
  { batch, micro }: Pick<TrainSettings, 'batch' | 'micro'>,
  { rank, size }: Pick<ProcessGroup, 'rank' | 'size'> = { rank: 0, size: 1 },
): readonly number[] {
  const parts = batch / micro;
  if (parts < size) {
    throw new ConfigError(
      `training: a batch of ${batch} in micro-batches of ${micro} is no work for ${size} processes; ` +
        `choose a 'micro' that divides the batch, of at most ${Math.floor(batch / size)}, or a larger batch`,
    );
  }
  return Array.from({ length: Math.ceil((parts - rank) / size) }, (_, i) => rank + i * size);
}

/** Tells the others what a process found in its micro-batches `own`, of `parts` in all, and gives what all found: the same numbers in each. */
export async function shareFindings(
  group: ProcessGroup,
  own: readonly number[],
  parts: number,
  { losses, gradNorm, statistics, isAskedToStop }: ToldFindings,
): Promise<ToldFindings> {
  const terms = losses[0]?.length ?? 0;
  const watched = statistics ? flatten(statistics, own.length / parts) : [];
  const numbers = new Float64Array(2 + watched.length + parts * terms);
  numbers[0] = isAskedToStop ? 1 : 0;
  numbers[1] = group.rank === 0 ? gradNorm : 0;
  numbers.set(watched, 2);
  const first = 2 + watched.length;
  own.forEach((part, i) => {
    numbers.set(losses[i] as readonly number[], first + part * terms);
  });
  await group.allReduce(numbers);
  return {
    losses: Array.from({ length: parts }, (_, part) => [
      ...numbers.subarray(first + part * terms, first + (part + 1) * terms),
    ]),
    gradNorm: numbers[1] as number,
    statistics: statistics && unflatten(statistics, [...numbers.subarray(2, first)]),
    isAskedToStop: (numbers[0] as number) > 0,
  };
}

/** Statistics as numbers times a weight, in the order of their keys, which all processes share. */
function flatten({ nearest, ...means }: GroupingStatistics, weight: number): number[] {
  return [...Object.values(means), ...Object.values(nearest)].map((value) => value * weight);
}

function unflatten({ nearest, ...means }: GroupingStatistics, values: readonly number[]): GroupingStatistics {
  const names = Object.keys(means);
  const named = Object.fromEntries(names.map((name, i) => [name, values[i] as number]));
  const shares = Object.keys(nearest).map((grid, i) => [grid, values[names.length + i] as number] as const);
  return { ...(named as Omit<GroupingStatistics, 'nearest'>), nearest: Object.fromEntries(shares) };
}
