import type { Device, Piece } from '../../gpu/index.ts';
/**
 * A tensor seen from one axis is `outer · inner` lines of `length` elements that lie `inner` apart. What runs along an axis
 * gives every line some neighbouring invocations of a workgroup, its lanes: lane 0 takes elements 0, LANES, 2 LANES, …
 */
export interface Lines {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** The overrides of a kernel that works with lanes, with defaults. */
export const laneOverrides = { WG: 64, LANES: 8, ACROSS: 0 } as const;

/**
 * Lanes for some lines. Neighbouring invocations should read neighbouring addresses: with `inner` 1 they are lanes of one
 * line, otherwise (ACROSS) neighbouring lines.
 *
 * On a GPU there are no more lanes than addresses side by side (8: a sector of 32 bytes) unless the lines are too few to fill
 * it: joining lanes costs barriers. On a CPU, where barriers are dear and neighbours read nothing at once, a line has one lane
 * as long as there is a line for every lane of its vector units (8).
 */
export function laneConstants(
  device: Device,
  { outer, length, inner }: Lines,
  most = 64,
): { WG: number; LANES: number; ACROSS: number } {
  const lines = outer * inner;
  const across = inner >= 8;
  if (device.profile.kind === 'cpu') {
    let lanes = 1;
    while (lanes < most && lines * lanes < 8 && lanes * 16 < length) lanes *= 2;
    return { WG: Math.max(lanes, lines < 4096 ? 8 : 64), LANES: lanes, ACROSS: Number(across) };
  }
  const enough = across ? 1 : 8;
  let lanes = 1;
  while (lanes < (across ? Math.min(most, 8) : most) && lanes * 4 < length) {
    if (lanes >= enough && lines * lanes >= 32768) break;
    lanes *= 2;
  }
  return { WG: Math.max(64, across ? 32 * lanes : lanes), LANES: lanes, ACROSS: Number(across) };
}

/** The constants of a launch that gives every row one thread, where that is fastest: on a CPU, where barriers are expensive. */
export function threadPerRow(device: Device): { readonly WG: number; readonly LANES: 1 } | undefined {
  return device.profile.kind === 'cpu' ? { WG: 8, LANES: 1 } : undefined;
}

/** How many lines a workgroup takes. */
export function linesPerGroup({ WG, LANES }: { WG: number; LANES: number }): number {
  return WG / LANES;
}

/** Which line of the workgroup and which of its lanes an invocation is. For kernels with {@link laneOverrides}. */
export const lanePlace: Piece = {
  name: 'lanePlace',
  wgsl: `
fn lineOf(l: u32) -> u32 { return select(l / LANES, l % (WG / LANES), ACROSS == 1u); }
fn laneOf(l: u32) -> u32 { return select(l % LANES, l / (WG / LANES), ACROSS == 1u); }
// Where line i of the axis begins, and how far its elements are apart: see Lines.
fn lineStart(line: u32, length: u32, inner: u32) -> u32 { return line / inner * (length * inner) + line % inner; }`,
};

/**
 * Sums or maxima over the lanes of each line; every lane gets the result. All invocations of the workgroup must call it, from
 * uniform control flow.
 */
export const laneSum: Piece = /*#__PURE__*/ join('laneSum', 'a + b');
export const laneSums: Piece = /*#__PURE__*/ join('laneSums', 'a + b', 'vec2f');
export const laneSumFours: Piece = /*#__PURE__*/ join('laneSumFours', 'a + b', 'vec4f');
export const laneMax: Piece = /*#__PURE__*/ join('laneMax', 'max(a, b)');
export const laneMaxFours: Piece = /*#__PURE__*/ join('laneMaxFours', 'max(a, b)', 'vec4f');

function join(name: string, combine: string, type: 'f32' | 'vec2f' | 'vec4f' = 'f32'): Piece {
  return {
    name,
    needs: [lanePlace],
    // The barrier in front lets two calls follow each other: nobody may still be reading the previous result.
    wgsl: `
var<workgroup> ${name}Cells: array<${type}, WG>;
fn ${name}(value: ${type}, l: u32) -> ${type} {
  if (LANES == 1u) { return value; }
  let lane = laneOf(l);
  let lines = WG / LANES;
  let cell = lane * lines + lineOf(l);
  workgroupBarrier();
  ${name}Cells[cell] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half = half / 2u) {
    if (lane < half) {
      let a = ${name}Cells[cell];
      let b = ${name}Cells[cell + half * lines];
      ${name}Cells[cell] = ${combine};
    }
    workgroupBarrier();
  }
  return ${name}Cells[cell - lane * lines];
}`,
  };
}
