import type { Kernel, kernel as makeKernel } from '../../../gpu/index.ts';

/** Bits of what is not written yet: NaN of f32, two NaN of f16, and an index that no tensor is large enough for. */
const UNWRITTEN = '0x7fff7fffu';
/** What a scan finds where there is nothing. */
export const NOTHING = 0xffffffff;
/** Words of a row of the judge's table: see {@link judge}. */
export const ROW = 20;
/** Most scans, and most inputs, of a row. */
export const ROW_SCANS = 8;
/** In the third word of a row: infinities may be there, and (as they were given, not made) NaN too. */
export const LETS_INFINITIES = 1;
export const LETS_ALL = 2;

const WORDS_A_THREAD = 16;
/** Enough threads for any device; larger tensors are looked at in more rounds. */
const MAX_GROUPS = 1024;
const groupsFor = ({ words }: { words: number }, { WG }: { WG: number }) => [
  Math.min(MAX_GROUPS, Math.ceil(words / (WG * WORDS_A_THREAD))),
];

/** Without the names of its parameters: a check lays them out itself. */
function plain(kernel: unknown): Kernel {
  return kernel as Kernel;
}

/** What the words of a tensor are: of all that are no floats, any but that of what is not written. */
export const KINDS = { f32: 0, f16: 1, u32: 2, i32: 2, bool: 2 } as const;

export interface CheckKernels {
  readonly forget: Kernel;
  readonly scan: Kernel;
  readonly judge: Kernel;
}

/** The kernels of check mode, made by `kernel` of the library. */
export function checkKernels(kernel: typeof makeKernel): CheckKernels {
  /** Fills memory with what no kernel would write. */
  const forget: Kernel = plain(
    kernel({
      name: 'forget',
      bind: { y: 'write u32' },
      params: { words: 'u32' },
      override: { WG: 64 },
      grid: groupsFor,
      wgsl: /* wgsl */ `
      @compute @workgroup_size(WG)
      fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        for (var i = id.x; i < params.words; i += groups.x * WG) { y[i] = ${UNWRITTEN}; }
      }`,
    }),
  );

  /** Finds the first NaN, the first ∞ and the first -∞ of a tensor: `hits[3 * scan + (0, 1, 2)]`. Of what are no floats, what was not written. */
  const scan: Kernel = plain(
    kernel({
      name: 'scan',
      bind: { x: 'read u32', hits: 'update atomic<u32>' },
      params: { words: 'u32', size: 'u32', scan: 'u32' },
      override: { WG: 64, KIND: 0 },
      grid: groupsFor,
      wgsl: /* wgsl */ `
      var<private> first: vec3u;

      fn see(bits: u32, exponent: u32, sign: u32, i: u32) {
        if (KIND == ${KINDS.u32}u) {
          if (bits == ${UNWRITTEN}) { first.x = min(first.x, i); }
          return;
        }
        if ((bits & exponent) != exponent || i >= params.size) { return; }
        if ((bits & ~(exponent | sign)) != 0u) { first.x = min(first.x, i); }
        else if ((bits & sign) == 0u) { first.y = min(first.y, i); }
        else { first.z = min(first.z, i); }
      }

      @compute @workgroup_size(WG)
      fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        first = vec3u(${NOTHING}u);
        for (var i = id.x; i < params.words; i += groups.x * WG) {
          if (KIND == ${KINDS.f16}u) {
            see(x[i] & 0xffffu, 0x7c00u, 0x8000u, 2u * i);
            see(x[i] >> 16u, 0x7c00u, 0x8000u, 2u * i + 1u);
          } else {
            see(x[i], 0x7f800000u, 0x80000000u, i);
          }
        }
        for (var k = 0u; k < 3u; k++) {
          if (first[k] != ${NOTHING}u) { atomicMin(&hits[3u * params.scan + k], first[k]); }
        }
      }`,
    }),
  );

  /**
   * Judges what was found after a launch, and stops all that comes later by taking the workgroups from it. An infinity is let
   * through where the launch saw one: in what it read (`isInfinite`, by root) or in its parameters.
   *
   * A row of the table: first scan, number of scans, what is let through, number of inputs, roots of the inputs, roots of the scans.
   */
  const judge: Kernel = plain(
    kernel({
      name: 'judge',
      bind: {
        table: 'read u32',
        hits: 'read u32',
        isInfinite: 'update u32',
        verdict: 'update u32',
        grids: 'update u32',
      },
      params: { row: 'u32', words: 'u32' },
      grid: () => [1],
      wgsl: /* wgsl */ `
      @compute @workgroup_size(1)
      fn main() {
        if (verdict[0] != 0u) { return; }
        let at = params.row * ${ROW}u;
        var isLet = table[at + 2u];
        for (var k = 0u; k < table[at + 3u]; k++) { isLet |= isInfinite[table[at + 4u + k]]; }
        var isBad = false;
        for (var k = 0u; k < table[at + 1u]; k++) {
          let hit = 3u * (table[at] + k);
          if (hits[hit] != ${NOTHING}u && (isLet & ${LETS_ALL}u) == 0u) { isBad = true; }
          if (hits[hit + 1u] == ${NOTHING}u && hits[hit + 2u] == ${NOTHING}u) { continue; }
          if (isLet == 0u) { isBad = true; } else { isInfinite[table[at + ${4 + ROW_SCANS}u + k]] = 1u; }
        }
        if (!isBad) { return; }
        verdict[0] = params.row + 1u;
        for (var i = 0u; i < params.words; i++) { grids[i] = 0u; }
      }`,
    }),
  );

  return { forget, scan, judge };
}
