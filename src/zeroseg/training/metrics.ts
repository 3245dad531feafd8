/** Lines of `metrics.jsonl`: a flat object for every step, in which the terms of the loss stand under their own names. */
import { jsonOrNothing, ownValue } from '../../gpu/index.ts';
import { anyObject, fieldProblem, finiteNumber, nullOr, optional, tableOf, wholeNumber } from '../host/index.ts';
import { lossTerms } from '../model/index.ts';
import type { StepReport } from './trainer-options.ts';

/** What is kept of a step. */
export type Metrics = Omit<StepReport, 'steps'> & { readonly imagesPerSecond: number };

/** What is kept of a step of `batch` images. */
export function metricsOf({ steps: _, ...step }: StepReport, batch: number): Metrics {
  return { ...step, imagesPerSecond: batch / step.seconds };
}

/** A step as a line, without the end of the line. */
export function metricsLine({ step, epoch, lr, loss, terms, gradNorm, seconds, grouping, ...rest }: Metrics): string {
  const watch = grouping ? { watch: grouping } : {};
  return JSON.stringify({ step, epoch, lr, loss, ...terms, gradNorm, seconds, ...watch, ...rest });
}

/** A step from its line; undefined for one that is half written, or none. */
export function parseMetrics(line: string): Metrics | undefined {
  const found = jsonOrNothing(line);
  const fields = {
    step: wholeNumber(1),
    watch: optional(nullOr(anyObject)),
    probe: optional(nullOr(tableOf(nullOr(finiteNumber)))),
  };
  if (fieldProblem(found, fields) !== undefined) return undefined;
  const { watch, ...flat } = found as Record<string, unknown>;
  const terms: Record<string, number> = {};
  for (const { name } of lossTerms) {
    const value = ownValue(flat, name);
    if (typeof value === 'number') terms[name] = value;
    delete flat[name];
  }
  return { ...flat, terms, ...(watch ? { grouping: watch } : {}) } as unknown as Metrics;
}
