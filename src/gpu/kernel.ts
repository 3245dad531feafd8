/** The type of one field of a kernel's uniform struct. */
export type Scalar = 'u32' | 'i32' | 'f32';

/**
 * How a kernel uses one buffer: `read`; `write` (every element, old values are never seen); `update` (read and write,
 * starting from values that are there). Then the element: `T` (f32 or f16, chosen at the launch), two of them, four of them, `f32`, four
 * of them, `u32`, four of them, `i32`, four of them; `atomic<u32>` where threads meet, which is `update` only. Tensors of i32, u32 and bool
 * (u32 that are 1 or 0) are bound as either of i32 and u32, as their bits.
 */
export type Binding = `${Access} ${Element}`;
export type Access = 'read' | 'write' | 'update';
export type Element =
  | 'T'
  | 'vec2<T>'
  | 'vec4<T>'
  | 'f32'
  | 'vec4<f32>'
  | 'u32'
  | 'vec4<u32>'
  | 'i32'
  | 'vec4<i32>'
  | 'atomic<u32>';

/** An extension of WGSL, as `enable` names it. */
export type WgslFeature = 'subgroups' | 'chromium_experimental_subgroup_matrix';

/** A WGSL fragment that several kernels use; `needs` are placed before it. */
export interface Piece {
  readonly name: string;
  readonly wgsl: string;
  readonly needs?: readonly Piece[];
}

/** One WGSL program as data. Bindings, the uniform struct `params`, overrides and `alias T` are generated from it. */
export interface KernelSpec<
  B extends Record<string, Binding> = Record<string, Binding>,
  P extends Record<string, Scalar> = Record<string, Scalar>,
  O extends Record<string, number> = Record<string, number>,
> {
  readonly name: string;
  /** Storage buffers, in order. At most eight: that is what every device has. */
  readonly bind: B;
  /** The fields of the uniform struct `params`. */
  readonly params?: P;
  /** Pipeline constants (WGSL `override`, u32), with defaults. A launch may give others. */
  readonly override?: O;
  readonly use?: readonly Piece[];
  /** Optional features of WGSL. Whoever launches the kernel has asked `device.features` first. */
  readonly requires?: readonly WgslFeature[];
  /** Workgroups along x, y, z. A one-dimensional grid may be of any size: see `flatGroup` in the prelude. */
  readonly grid: (params: { [K in keyof P]: number }, constants: { [K in keyof O]: number }) => readonly number[];
  /** The result to which a launch can add what is bound as `residual` before it is stored: where the param `hasResidual` is 1. */
  readonly adds?: string | false | undefined;
  /**
   * Loads what leaves launches of this kernel to others, where they are cheap (few, or on a CPU adapter) or not: `{ fuse }`, a `FusionRule` of `tensor/run`, 1 for sums
   * of gradients that meet, or nothing.
   */
  readonly rule?: ((areCheap: boolean) => unknown) | undefined;
  /** Functions only, with the entry point `main`; or what brings them, where a page should load only what its device runs. */
  readonly wgsl: string | (() => Promise<string>);
}

export interface Kernel<
  B extends Record<string, Binding> = Record<string, Binding>,
  P extends Record<string, Scalar> = Record<string, Scalar>,
  O extends Record<string, number> = Record<string, number>,
> extends KernelSpec<B, P, O> {
  /** Empty until it is loaded, where `wgsl` is a function. */
  code: string;
  /** Names of the bindings, in order. */
  readonly names: readonly string[];
  /** What each of `names` is. */
  readonly bindings: readonly { readonly access: Access; readonly element: Element }[];
  readonly paramNames: readonly string[];
}

/**
 * Declares a kernel. It is compiled once per device, the first time a step or a read needs it.
 *
 * ```ts
 * const double = kernel({
 *   name: 'double',
 *   bind: { x: 'read T', y: 'write T' },
 *   params: { n: 'u32' },
 *   override: { WG: 64 },
 *   grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
 *   wgsl: `
 *     @compute @workgroup_size(WG)
 *     fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
 *       let i = flatGroup(g, size) * WG + l;
 *       if (i < params.n) { y[i] = x[i] + x[i]; }
 *     }`,
 * });
 * ```
 */
export function kernel<
  const B extends Record<string, Binding>,
  const P extends Record<string, Scalar> = Record<never, Scalar>,
  const O extends Record<string, number> = Record<never, number>,
>(spec: KernelSpec<B, P, O>): Kernel<B, P, O> {
  const names = Object.keys(spec.bind);
  if (names.length === 0 || names.length > 8) {
    throw new Error(`internal: kernel ${spec.name} binds ${names.length} buffers`);
  }
  const bindings = names.map((name) => {
    const [access, element] = (spec.bind[name] as Binding).split(' ') as [Access, Element];
    return { access, element };
  });
  const code = typeof spec.wgsl === 'string' ? spec.wgsl : '';
  return { ...spec, code, names, bindings, paramNames: Object.keys(spec.params ?? {}) };
}

/** Flat index of a workgroup in a one-dimensional grid, which the launch may have wrapped into two dimensions. */
const flatGroup = 'fn flatGroup(g: vec3u, size: vec3u) -> u32 { return g.x + g.y * size.x; }';

/** The complete WGSL module of a kernel for one element type, as far as it is loaded. */
export function source(kernel: Kernel, element: 'f32' | 'f16'): string {
  const lines: string[] = [];
  if (element === 'f16') lines.push('enable f16;');
  for (const feature of kernel.requires ?? []) lines.push(`enable ${feature};`);
  lines.push(`alias T = ${element};`);
  kernel.names.forEach((name, i) => {
    const { access, element } = kernel.bindings[i] as Kernel['bindings'][number];
    const mode = access === 'read' ? 'read' : 'read_write';
    lines.push(`@group(0) @binding(${i}) var<storage, ${mode}> ${name}: array<${element}>;`);
  });
  if (kernel.paramNames.length > 0) {
    const fields = kernel.paramNames.map((name) => `${name}: ${kernel.params?.[name]}`).join(', ');
    lines.push(`struct Params { ${fields} }`);
    lines.push(`@group(0) @binding(${kernel.names.length}) var<uniform> params: Params;`);
  }
  for (const [name, value] of Object.entries(kernel.override ?? {})) lines.push(`override ${name}: u32 = ${value};`);
  lines.push(flatGroup);
  const placed = new Set<Piece>();
  const place = (piece: Piece) => {
    if (placed.has(piece)) return;
    placed.add(piece);
    for (const needed of piece.needs ?? []) place(needed);
    lines.push(piece.wgsl.trim());
  };
  for (const piece of kernel.use ?? []) place(piece);
  lines.push(kernel.code.trim());
  return lines.join('\n');
}
