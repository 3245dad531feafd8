// How a workgroup for GPUs brings 16 steps of both operands into workgroup memory: see `tile-kernel.ts`. Loaded on demand with it, and so
// imports no values.
import type { WgslTools } from './kernel-interface.ts';
import type { Operand } from './subgroup-kernel.ts';

/** Of an operand's lines: the first, how many there are, and the elements from one to the next, or from step to step. */
export interface Lines {
  readonly which: 'a' | 'b';
  readonly first: string;
  readonly count: string;
  readonly stride: string;
  /** Vec4s of a step in the tile. */
  readonly fours: number;
}

/** How a thread brings a block of 4 × 4 of an operand, whose lines are rows of a or columns of b, and how the tile holds it. */
export interface Block {
  /** Which four steps, and which four lines, by the thread's number. */
  readonly step: string;
  readonly line: string;
  /** Vec4s of the tile. */
  readonly length: number;
  /** Declares where its elements begin. */
  readonly place: string;
  /** Loads the block from step `k` of the inner axis on, or zeros beyond its end, as vec4s `name0` to `name3`. */
  readonly load: (name: string, k: string) => string;
  /** Stores in the tile what was loaded from step `k` on. */
  readonly store: (name: string, k: string) => string;
  /** Where the vec4 number `quad` of a step lies, from `start` on, for each `four`; and how much further that of its step `k` does. */
  readonly quadAt: (quad: string) => string;
  readonly stepAt: string;
  /** Adds them to the sums of four rows. */
  readonly addRows: (name: string) => string;
  /** Which of a tile's rows is the `i`-th of a thread, the same for eight of them. */
  readonly rowOf: (thread: string) => string;
  /** What the tile holds of line `l`, after a step's place. */
  readonly lineAt: string;
  /** The four lines of a vec4 lie `fours` apart, and steps before `start + 16` come with those before them. */
  readonly isShifted?: true;
}

export function linesOf(which: 'a' | 'b', { along }: Operand, fours: number): Lines {
  const [first, count] = which === 'a' ? ['p.row', 'params.rows'] : ['p.col', 'params.cols'];
  const stride = `params.${which}${(along === 'inner') === (which === 'a') ? 'Down' : 'Across'}`;
  return { which, first, count, stride, fours } as Lines;
}

/** Of an operand whose rows in memory are whole vec4s. */
export function blockOf(
  { which, first, count, stride, fours }: Lines,
  { along }: Operand,
  { list, times }: WgslTools,
): Block {
  const isInner = along === 'inner';
  // Four steps, and two fours of space: threads that turn their blocks store four steps apart, and no two of eight meet in one bank.
  const quadSteps = 4 * fours + 2;
  // Neighbours load what lies next to each other.
  const [step, line] = isInner ? ['block % 4u', 'block / 4u'] : [`block / ${fours}u`, `block % ${fours}u`];
  const inTile = (i: number) => `${which}Tile[(${step}) * ${quadSteps}u + ${i * fours}u + ${line}]`;
  const shared = {
    ...{ step, line, length: 4 * quadSteps, lineAt: 'l / 4u][l % 4u' },
    rowOf: (thread: string) => `${thread} * ${fours / 2}u + i`,
    quadAt: (quad: string) => quad,
    stepAt: `four * ${quadSteps}u + k * ${fours}u`,
  };
  if (isInner) {
    // Lines beyond the edge repeat the last, and are not stored.
    const lineAt = (n: number) => `min(${first} + (${line}) * 4u + ${n}u, ${count} - 1u)`;
    return {
      ...shared,
      place: times(4, (n) => `let ${which}At${n} = p.${which} + ${lineAt(n)} * ${stride} + ${step} * 4u;`),
      load: (name, k) => `${times(4, (n) => `${name}${n} = V();`)}
        if (${k} + ${step} * 4u < p.end) {
          ${times(4, (n) => `${name}${n} = V(${which}[(${which}At${n} + ${k}) / 4u]);`)}
        }`,
      store: (name) => times(4, (i) => `${inTile(i)} = V(${list(4, (n) => `${name}${n}[${i}]`)});`),
      addRows: (name) => `rowSum += vec4f(${list(4, (n) => `dot(vec4f(${name}${n}), vec4f(1.0))`)});`,
    };
  }
  return {
    ...shared,
    place: `let ${which}At = p.${which} + min(${first} + (${line}) * 4u, ${count} - 4u);`,
    load: (name, k) =>
      times(4, (i) => {
        const from = `(${k} + ${step} * 4u + ${i}u) * ${stride}`;
        return `${name}${i} = V();
        if (${k} + ${step} * 4u + ${i}u < p.end) { ${name}${i} = V(${which}[(${which}At + ${from}) / 4u]); }`;
      }),
    store: (name) => times(4, (i) => `${inTile(i)} = ${name}${i};`),
    addRows: (name) => `rowSum += ${list(4, (i) => `vec4f(${name}${i})`).replaceAll(',', ' +')};`,
  };
}
