import { type Device, type Tuned, type TuneOptions, tune } from '@zeroseg/core';
import { stepWorkloads } from './steps.ts';
import { digits, markdownTable } from './tables.ts';
import { lending } from './workloads.ts';

/** Tunes every matrix product of the whole steps, of which larger ones share the classes; see {@link tune}. */
export async function tuneSteps(
  device: Device,
  { quick = false, full = false, ...options }: TuneOptions & { readonly quick?: boolean; readonly full?: boolean },
): Promise<Tuned[]> {
  return lending(device, async (lend) => {
    const bodies = stepWorkloads(quick, full).map(({ prepare }) => prepare(lend));
    return tune(device, () => bodies.map((body) => body()), options);
  });
}

/** What was chosen. */
export function tunedTable(tuned: readonly Tuned[]): string[] {
  return markdownTable(
    ['product', 'chosen variant', 'ms by default', 'ms tuned', 'times as fast'],
    tuned.map(({ work, chosen, before, after }) => [
      work,
      chosen,
      digits(before),
      digits(after),
      (before / after).toFixed(2),
    ]),
  );
}

/** Why each was chosen: the times of all that were tried, as shares of the chosen one's. */
export function triedLines(tuned: readonly Tuned[]): string[] {
  return tuned.flatMap(({ work, chosen, after, tried }) => [
    `${work}: ${chosen}, ${digits(after)} ms`,
    ...tried
      .filter(({ variant }) => variant !== chosen)
      .map(({ variant, ms }) =>
        ms === undefined
          ? `  ${variant}: left out, its result is not that of the plain tile`
          : `  ${variant}: ${(ms / after).toFixed(2)} times as long`,
      ),
  ]);
}
