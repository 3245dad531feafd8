import type { Device, Piece } from '../../gpu/index.ts';
/**
 * For kernels that move rows of `width` neighbouring elements. A row goes to some neighbouring threads; each takes elements
 * THREADS apart, EACH of them at most, and finds out only once where the row comes from: dividing indices for every element
 * would take longer than moving it, on CPUs several times so. Longer rows are cut into chunks.
 */
export const rowOverrides = { WG: 64, THREADS: 64, EACH: 8 } as const;

interface Rows {
  readonly rows: number;
  readonly width: number;
}

/** `cpuThreads`: threads per row on a CPU. By default those of a vector unit, and as few as keep all cores busy. */
export function rowConstants(
  device: Device,
  { rows, width }: Rows,
  cpuThreads: 1 | 8 = width < 8 ? 1 : 8,
): { THREADS: number; EACH: number } {
  if (device.profile.kind === 'cpu') return { THREADS: cpuThreads, EACH: 64 };
  // Eight threads side by side read 32 bytes, what a GPU fetches at once; more only when each has four elements to move.
  let threads = 1;
  while (threads < rowOverrides.WG && threads < Math.max(Math.min(width, 8), width / 4)) threads *= 2;
  // Small tensors are spread over more invocations, so that a GPU has enough to do.
  return { THREADS: threads, EACH: rows * width >= 2 ** 20 ? 8 : 4 };
}

export function rowGrid(
  { rows, width }: Rows,
  { WG, THREADS, EACH }: { readonly [name in keyof typeof rowOverrides]: number },
): number[] {
  return [Math.ceil(rows / (WG / THREADS)) * Math.ceil(width / (THREADS * EACH))];
}

/** `rowPlace(group, l, width)`: which row an invocation works on (maybe one too many), and from which column to which. */
export const rowPlace: Piece = {
  name: 'rowPlace',
  wgsl: `
struct RowPlace { row: u32, start: u32, end: u32 }
fn rowPlace(group: u32, l: u32, width: u32) -> RowPlace {
  let chunks = (width + THREADS * EACH - 1u) / (THREADS * EACH);
  let line = group / chunks;
  let first = (group - line * chunks) * THREADS * EACH;
  return RowPlace(line * (WG / THREADS) + l / THREADS, first + l % THREADS, min(first + THREADS * EACH, width));
}`,
};

/**
 * The entry point of a kernel over rows: `body` moves the columns from `place.start` to `place.end`, THREADS apart, of the row
 * `row`. The kernel has `rows` and `width` among its params, and uses {@link rowPlace}.
 */
export function eachRow(body: string): string {
  return `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let place = rowPlace(flatGroup(g, size), l, params.width);
  let row = place.row;
  if (row >= params.rows) { return; }
${body}
}`;
}
