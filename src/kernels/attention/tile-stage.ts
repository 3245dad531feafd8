// How the kernels for GPUs bring rows into workgroup memory, and store theirs.
import { list, type Operand, times } from './interface.ts';

/** 4, which compilers do not know: what they do not unroll they compile in a fraction of the time. For what is not in the innermost loops. */
export const FOUR_TURNS = 'min(4u, params.heads + 3u)';

/** Fours of the head's width that a thread sums in each row, and whether rows are read by vec4s. */
export interface RowShape {
  readonly fours: number;
  readonly four: boolean;
}

/** Where the fours of rows begin that an array of weights has for one of the other side: threads that store write others four apart. */
export const weightAt = (groups: number, other: string): string => `(${other}) * ${groups}u + (${other}) / 4u`;

/** A function of each of the four. */
export const each = (f: string, x: string): string => `vec4f(${list(4, (i) => `${f}(${x}[${i}])`)})`;

/** How a block of `steps` of the width × `groups` fours of rows lies in workgroup memory: a step after the other, turned. */
export function stageOf(operand: Operand, steps: number, groups: number, start: number): Stage {
  // Two fours of space after four steps: threads that turn their blocks store four steps apart, and no two of eight meet in one bank.
  const quad = 4 * groups + 2;
  const size = (steps / 4) * quad;
  const at = (four: string, step: string, row: string) =>
    `${start}u + (${four}) * ${quad}u + (${step}) * ${groups}u + ${row}`;
  const [four, row] = [`l % ${steps / 4}u`, `l / ${steps / 4}u % ${groups}u`];
  return {
    size,
    at,
    load: (first, count, isFour) => {
      const place = `d + ${four} * 4u`;
      const from = `from${operand.toUpperCase()}`;
      const rowAt = (n: string) => `min(${first} + (${row}) * 4u + ${n}, ${count} - 1u)`;
      const values = valuesAt(bufferOf(operand), place, isFour);
      return `
        ${times(4, (n) => `var r${n} = vec4f();`)}
        if (${place} < params.width) {
          ${
            isFour
              ? times(
                  4,
                  (n) =>
                    `{ let at = ${from} + ${rowAt(`${n}u`)} * params.${operand}Row + ${place}; r${n} = ${values}; }`,
                )
              : `for (var n = 0u; n < ${FOUR_TURNS}; n++) {
            let at = ${from} + ${rowAt('n')} * params.${operand}Row + ${place};
            let values = ${values};
            switch (n) { ${[0, 1, 2].map((n) => `case ${n}u: { r${n} = values; }`).join(' ')} default: { r3 = values; } }
          }`
          }
        }
        ${times(4, (i) => `stage[${at(four, `${i}u`, row)}] = vec4f(${list(4, (n) => `r${n}[${i}]`)});`)}`;
    },
  };
}

export interface Stage {
  /** Elements, vec4s. */
  readonly size: number;
  /** Where four rows of a step lie, by the four of the step, its place in it, and the four of the rows. */
  readonly at: (four: string, step: string, row: string) => string;
  /** Brings a thread's block of 4 rows from `first` on × 4 of the width from `d` on; rows beyond the last repeat it. */
  readonly load: (first: string, count: string, four: boolean) => string;
}

/** Where y lies, its gradient does. */
const bufferOf = (operand: Operand) => (operand === 'y' ? 'dy' : operand);

/** Four values of the width from `at` on, which is `place` in it; zeros beyond it. */
export function valuesAt(x: string, place: string, four: boolean): string {
  if (four) return `vec4f(${x}[at / 4u])`;
  return `vec4f(${list(4, (i) => `select(0.0, f32(${x}[at + min(${i}u, params.width - 1u - (${place}))]), ${place} + ${i}u < params.width)`)})`;
}

/** Brings `count` rows from `first` on as they are, with zeros beyond the last and the width. */
export function stageRows(
  operand: Operand,
  first: string,
  all: string,
  count: number,
  fours: number,
  four: boolean,
  start = 0,
): string {
  return `
      for (var i = l; i < ${count * 8 * fours}u; i += 64u) {
        let row = ${first} + i / ${8 * fours}u;
        let place = i % ${8 * fours}u * 4u;
        var values = vec4f();
        if (row < ${all} && place < params.width) {
          let at = from${operand.toUpperCase()} + row * params.${operand}Row + place;
          values = ${valuesAt(bufferOf(operand), 'place', four)};
        }
        stage[${start}u + i] = values;
      }`;
}

/** Stores the rows of a thread, of sums `name` + row + four. */
export function storeRows(
  to: string,
  operand: Operand,
  all: string,
  { height, fours, four }: RowShape & { readonly height: number },
  name: string,
): string {
  const values = (r: number) => times(fours, (c) => `v${c} = ${name}${r}${c};`);
  const store = (c: number) =>
    four
      ? `if (place + ${32 * c}u < params.width) { ${to}[(at + ${32 * c}u) / 4u] = vec4<T>(v${c}); }`
      : times(4, (i) => `if (place + ${32 * c + i}u < params.width) { ${to}[at + ${32 * c + i}u] = T(v${c}[${i}]); }`);
  return `{
    let row = first + down * ${height}u;
    let place = across * 4u;
    for (var i = 0u; i < min(row + ${height}u, max(${all}, row)) - row; i++) {
      ${times(fours, (c) => `var v${c} = ${name}0${c};`)}
      // Not an array: one with an index that is known when it runs would lie in memory.
      switch (i) {
        ${times(height - 1, (r) => `case ${r + 1}u: { ${values(r + 1)} }`)}
        default: {}
      }
      let at = ${operand}Base(image, head) + (row + i) * params.${operand}Row + place;
      ${times(fours, store)}
    }
  }`;
}
