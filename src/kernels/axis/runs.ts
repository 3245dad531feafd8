/**
 * How kernels add many numbers up. Added one after the other, n equal numbers are off by up to n · 2⁻²⁶ of their sum: every
 * rounding errs to the same side. So no accumulator takes more than so many numbers one after the other: a run is added up from
 * 0, then added to the sum of runs before it, of which again no more than so many make a longer run. Equal numbers then are off
 * by 6e-7 at most, however many there are (measured over all mantissas; 16 is a power of two, so most sums of sums are exact).
 */
export const RUN = 16;

/** Where a loop begins and ends, how far its steps are, and what its counter is called: u32 in WGSL. */
export interface Walk {
  readonly counter: string;
  readonly from: string;
  readonly to: string;
  readonly by: string;
}

export interface RunOptions {
  /** Loops, one inside the other: {@link RUN} steps in each but the outermost, which takes what is left. Default: 2. */
  readonly loops?: number;
  /** Steps of the innermost loop. Default: {@link RUN}. */
  readonly innermost?: number;
  /** What else `join` needs to know of the time before a run. */
  readonly kept?: readonly string[];
  /** WGSL with the innermost loop inside: what a run begins with at its step `first`, and what it makes of what it added up. */
  readonly around?: (loop: string, first: string) => string;
  /** A sum after a run, from what it was `before` and what the run made of it. Default: both added. */
  readonly join?: (sum: string, before: (name: string) => string) => string;
}

/**
 * WGSL of a loop whose `body` adds to each of `sums` (a variable, and its type): in runs. The variables start from 0.
 *
 * ```ts
 * `var total = 0.0; ${inRuns({ total: 'f32' }, { counter: 'i', from: 'l', to: 'params.n', by: 'WG' }, 'total += x[i];')}`;
 * ```
 */
export function inRuns(
  sums: Readonly<Record<string, string>>,
  walk: Walk,
  body: string,
  options: RunOptions = {},
): string {
  const { loops = 2, innermost = RUN, kept = [], around = (loop) => loop } = options;
  const { join = (sum, before) => `${before(sum)} + ${sum}` } = options;
  const { counter, from, to, by } = walk;
  const nest = (inside: number, start: string, end: string): string => {
    if (inside === 0) {
      const loop = `for (var ${counter} = ${start}; ${counter} < ${end}; ${counter} += ${by}) {\n${body}\n}`;
      return around(loop, start);
    }
    const run = `${counter}Run${inside}`;
    const length = `${innermost * RUN ** (inside - 1)}u * ${by}`;
    const before = (name: string) => `${name}Before${inside}`;
    return `for (var ${run} = ${start}; ${run} < ${end}; ${run} += ${length}) {
let ${run}End = min(${end}, ${run} + ${length});
${[...Object.keys(sums), ...kept].map((name) => `let ${before(name)} = ${name};`).join(' ')}
${Object.entries(sums)
  .map(([name, type]) => `${name} = ${type}();`)
  .join(' ')}
${nest(inside - 1, run, `${run}End`)}
${Object.keys(sums)
  .map((name) => `${name} = ${join(name, before)};`)
  .join(' ')}
}`;
  };
  // Each end is a variable: compilers of CPU adapters work out a loop's condition anew at every step.
  return `{ let ${counter}End = ${to};\n${nest(loops - 1, from, `${counter}End`)} }`;
}

/** So many steps of a walk are two runs long enough for any sum: {@link RUN} · 32. More want more loops, or another launch. */
export const FEW_STEPS = 512;

/** Loops for a walk of any length: with 64 threads of vec4s, 2²⁸ numbers before the outermost takes more than {@link RUN}. */
export const LOOPS_FOR_ALL = 5;

/** How many loops a walk of so many steps needs: one is a run of its own, as short rows must not pay for what long ones need. */
export function loopsFor(steps: number): number {
  if (steps <= 4 * RUN) return 1;
  return steps <= FEW_STEPS ? 2 : LOOPS_FOR_ALL;
}
