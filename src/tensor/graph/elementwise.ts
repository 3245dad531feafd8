import type { Device } from '../../gpu/index.ts';
/**
 * How a launch runs over `n` elements, four at a time: memory ends at whole vec4s, so the last ones need no form of their own.
 * An invocation takes `perThread` of the `vec4s`, a workgroup's width apart, so that neighbours read neighbours.
 */
export interface Elements {
  readonly vec4s: number;
  readonly perThread: number;
}

const WG = 64;

export const elementParams = { vec4s: 'u32', perThread: 'u32' } as const;
export const elementOverride: { readonly WG: 64 } = { WG };

/**
 * A GPU wants many invocations, so that loads are under way in each; on a CPU a workgroup costs what some 20 vec4s do, and 64 of
 * them an invocation made `add` of 2.4 M elements take 4.4 ms of lavapipe's processor time instead of 14 with one.
 */
export function elementsOf(device: Device, n: number): Elements {
  const vec4s = Math.ceil(n / 4);
  return {
    vec4s,
    perThread: device.profile.kind === 'cpu' ? Math.min(64, Math.ceil(vec4s / (8 * WG))) : vec4s >= 2 ** 19 ? 4 : 1,
  };
}

export function elementGrid({ vec4s, perThread }: Elements, { WG }: { WG: number }): number[] {
  return [vec4s === 0 ? 0 : Math.ceil(vec4s / (WG * perThread))];
}

/** The entry point of a kernel that does `body` for every vec4, number `i`. */
export function elementLoop(body: string): string {
  // The bound is a number that the compiler does not know: it would unroll the loop, and take seconds.
  return `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = flatGroup(g, size) * WG * params.perThread;
  let end = min(params.vec4s, first + WG * params.perThread);
  for (var i = first + l; i < end; i += WG) {
${body}
  }
}`;
}
