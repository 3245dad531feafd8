/** What a visitor wants trained: the settings of a run, as the page, the worker and a link hold them. */

export interface Plan {
  readonly source: 'scenes' | 'photos';
  /** Scenes to learn from; of photos, all that there are. */
  readonly scenes: number;
  readonly steps: number;
  readonly batch: number;
  /** Learning rate for 256 pictures a step, at its peak. */
  readonly rate: number;
  /** Share of the patches that is hidden. */
  readonly mask: number;
  /** What the weights begin with: the image tower of the teacher, the built-in student, that without what it knows of names, or nothing but the seed. */
  readonly start: 'teacher' | 'student' | 'names' | 'new';
  readonly seed: number;
  /** Weights of the terms of the loss, by their keys; what is left out is as the preset has it. */
  readonly weights: Readonly<Record<string, number>>;
}

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
}

export const ranges = {
  scenes: { min: 16, max: 10_000, isWhole: true },
  steps: { min: 4, max: 100_000, isWhole: true },
  batch: { min: 2, max: 256, isWhole: true },
  rate: { min: 0.0001, max: 1, isWhole: false },
  mask: { min: 0, max: 0.9, isWhole: false },
  seed: { min: 0, max: 2 ** 32 - 1, isWhole: true },
} as const satisfies Readonly<Record<string, Range>>;

export type NumberKey = keyof typeof ranges;

const weightRange: Range = { min: 0, max: 1000, isWhole: false };

const choices = { source: ['scenes', 'photos'], start: ['teacher', 'names', 'student', 'new'] } as const;

/** What can be learnt in a few minutes: on a GPU, or on the processor that stands in for one, where there is time for names alone. */
export function defaultPlan(isSoftware: boolean): Plan {
  return {
    source: 'scenes',
    ...(isSoftware ? { scenes: 48, steps: 48 } : { scenes: 600, steps: 1200 }),
    batch: 8,
    rate: isSoftware ? 0.03 : 0.02,
    mask: 0.4,
    start: isSoftware ? 'names' : 'teacher',
    seed: 1,
    weights: {},
  };
}

/** Why a number cannot be taken, in words; undefined where it can. */
export function numberProblem(value: number, { min, max, isWhole }: Range): string | undefined {
  if (Number.isFinite(value) && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return undefined;
  return `must be a${isWhole ? ' whole' : ''} number from ${min} to ${max}`;
}

/** The settings of a link over those that hold otherwise, and what of it could not be taken, in words. */
export function planOfLink(parameters: URLSearchParams, plan: Plan): { plan: Plan; problems: string[] } {
  const taken: Record<string, unknown> = {};
  const weights: Record<string, number> = {};
  const problems: string[] = [];
  const number = (key: string, text: string, range: Range): number | undefined => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const problem = numberProblem(value, range);
    if (problem === undefined) return value;
    problems.push(`${key} ${problem}; the link has “${text}”`);
    return undefined;
  };
  for (const [key, text] of parameters) {
    if (key === 'run') continue;
    if (Object.hasOwn(ranges, key)) taken[key] = number(key, text, ranges[key as NumberKey]) ?? plan[key as NumberKey];
    else if (/^w_\w+$/.test(key)) {
      const weight = number(key, text, weightRange);
      if (weight !== undefined) weights[key] = weight;
    } else if (Object.hasOwn(choices, key)) {
      const known = choices[key as keyof typeof choices] as readonly string[];
      if (known.includes(text)) taken[key] = text;
      else problems.push(`${key} must be ${known.join(' or ')}; the link has “${text}”`);
    } else problems.push(`there is no setting “${key}”`);
  }
  return { plan: { ...plan, ...taken, weights: { ...plan.weights, ...weights } }, problems };
}

/** The part of an address behind `#` that opens these settings. */
export function linkOf({ weights, ...plan }: Plan): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of [...Object.entries(plan), ...Object.entries(weights)]) parameters.set(key, String(value));
  return `train?${parameters}`;
}
