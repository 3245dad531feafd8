import type { Device, Piece } from '../../gpu/index.ts';

/**
 * A tensor seen from one axis: `outer · inner` rows of `length` elements that lie `inner` apart. A workgroup
 * has several rows, and THREADS of its threads share each: thread 0 takes elements 0, THREADS, 2 THREADS, …
 */
export interface AxisRows {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** The overrides of a kernel whose rows are shared by threads, with defaults. ROWS_ADJACENT: neighbouring threads have neighbouring rows. */
export const rowThreadOverrides = { WG: 64, THREADS: 8, ROWS_ADJACENT: 0 } as const;

/**
 * How many threads share a row. Neighbouring threads should read neighbouring addresses: with `inner` 1 they share one row,
 * otherwise (ROWS_ADJACENT) they have neighbouring rows.
 *
 * On a GPU no more threads share a row than addresses are loaded at once (`enough`: 8 vec4s are 128 bytes) unless there are too few rows to
 * keep it busy: reducing over threads costs barriers. On a CPU, where barriers are expensive and neighbouring addresses are loaded
 * one by one, each row has one thread as long as there is a row for every element of its vector units (8).
 */
export function rowThreads(
  device: Device,
  { outer, length, inner }: AxisRows,
  max = 64,
  enough = 8,
): { WG: number; THREADS: number; ROWS_ADJACENT: number } {
  const rows = outer * inner;
  const across = inner >= 8;
  if (device.profile.kind === 'cpu') {
    let threads = 1;
    while (threads < max && rows * threads < 8 && threads * 16 < length) threads *= 2;
    return { WG: Math.max(threads, rows < 4096 ? 8 : 64), THREADS: threads, ROWS_ADJACENT: Number(across) };
  }
  let threads = 1;
  while (threads < (across ? Math.min(max, 8) : max) && threads * 4 < length) {
    if (threads >= (across ? 1 : enough) && rows * threads >= 32768) break;
    threads *= 2;
  }
  return { WG: Math.max(64, across ? 32 * threads : threads), THREADS: threads, ROWS_ADJACENT: Number(across) };
}

/** The constants of a launch that gives every row one thread, where that is fastest: on a CPU, where barriers are expensive. */
export function threadPerRow(device: Device): { readonly WG: number; readonly THREADS: 1 } | undefined {
  return device.profile.kind === 'cpu' ? { WG: 8, THREADS: 1 } : undefined;
}

/** How many rows a workgroup takes. */
export function rowsPerGroup({ WG, THREADS }: { WG: number; THREADS: number }): number {
  return WG / THREADS;
}

/** Which row of the workgroup and which of its threads an invocation is. For kernels with {@link rowThreadOverrides}. */
export const rowThreadPlace: Piece = {
  name: 'rowThreadPlace',
  wgsl: `
fn rowOf(l: u32) -> u32 { return select(l / THREADS, l % (WG / THREADS), ROWS_ADJACENT == 1u); }
fn threadOf(l: u32) -> u32 { return select(l % THREADS, l / (WG / THREADS), ROWS_ADJACENT == 1u); }
// Where row i of the axis begins, and how far its elements are apart: see AxisRows.
fn rowStart(row: u32, length: u32, inner: u32) -> u32 { return row / inner * (length * inner) + row % inner; }`,
};

/**
 * Sums or maxima over the threads of each row; every thread gets the result. All invocations of the workgroup must call it, from
 * uniform control flow.
 */
export const rowSum: Piece = /*#__PURE__*/ join('rowSum', 'a + b');
export const rowSumVec2: Piece = /*#__PURE__*/ join('rowSumVec2', 'a + b', 'vec2f');
export const rowSumVec4: Piece = /*#__PURE__*/ join('rowSumVec4', 'a + b', 'vec4f');
export const rowMax: Piece = /*#__PURE__*/ join('rowMax', 'max(a, b)');
export const rowMaxVec4: Piece = /*#__PURE__*/ join('rowMaxVec4', 'max(a, b)', 'vec4f');

function join(name: string, combine: string, type: 'f32' | 'vec2f' | 'vec4f' = 'f32'): Piece {
  return {
    name,
    needs: [rowThreadPlace],
    // Neighbours have neighbouring cells, which lie in different banks; the threads of a row are `hop` apart. The barrier in front lets two
    // calls follow each other: nobody may still be reading the previous result.
    wgsl: `
var<workgroup> ${name}Cells: array<${type}, WG>;
fn ${name}(value: ${type}, l: u32) -> ${type} {
  if (THREADS == 1u) { return value; }
  let thread = threadOf(l);
  let hop = select(1u, WG / THREADS, ROWS_ADJACENT == 1u);
  workgroupBarrier();
  ${name}Cells[l] = value;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
    if (thread < half) {
      let a = ${name}Cells[l];
      let b = ${name}Cells[l + half * hop];
      ${name}Cells[l] = ${combine};
    }
    workgroupBarrier();
  }
  return ${name}Cells[l - thread * hop];
}`,
  };
}
