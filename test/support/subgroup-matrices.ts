import { vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';

// The matrix units that no adapter of this suite has: their types and builtins of WGSL as plain functions. As on a GPU a matrix is spread over
// a subgroup: a result by every n-th element; left and right ones are where they lie in workgroup memory, as lavapipe takes minutes to compile
// a copy of each, so that they must be used before the next barrier. What must be the same in a subgroup is that of its first thread. What WGSL leaves undefined,
// and what Tint or Vulkan refuse, gives NaN: loads and stores beyond an array, rows that overlap, and rows that are not aligned to 16 bytes.

export interface MatrixConfig {
  readonly componentType: 'f16' | 'f32';
  readonly resultComponentType: 'f16' | 'f32';
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const config = (
  componentType: MatrixConfig['componentType'],
  resultComponentType: MatrixConfig['componentType'],
  M: number,
  N: number,
  K: number,
): MatrixConfig => ({ componentType, resultComponentType, M, N, K });

type Configs = readonly [MatrixConfig, ...MatrixConfig[]];
/** What adapters list, as far as kernels may take it. */
export const matrixConfigs: Readonly<
  Record<'apple' | 'nvidia' | 'intel' | 'square' | 'oblong' | 'oblongWide' | 'large' | 'shallow', Configs>
> = {
  /** Dawn on Metal. */
  apple: [config('f32', 'f32', 8, 8, 8), config('f16', 'f16', 8, 8, 8)],
  /** VK_KHR_cooperative_matrix on NVIDIA's GPUs. */
  nvidia: [config('f16', 'f16', 16, 16, 16), config('f16', 'f32', 16, 16, 16), config('f16', 'f32', 16, 8, 16)],
  /** Intel's Xe2. */
  intel: [config('f16', 'f32', 8, 16, 16)],
  /** Of no GPU. */
  oblong: [config('f32', 'f32', 16, 8, 16)],
  oblongWide: [config('f32', 'f32', 8, 16, 8)],
  square: [config('f16', 'f32', 8, 8, 8)],
  large: [config('f32', 'f32', 16, 16, 16)],
  shallow: [config('f32', 'f32', 16, 16, 8)],
};

/** What a left or right matrix is, other than one in memory. */
const [WRONG, FILLED] = [1, 2];

const FEATURE = 'chromium-experimental-subgroup-matrix';

export interface EmulationOptions {
  /** Which spelling the compiler knows. */
  readonly spelling?: 'template' | 'argument';
  /** Of the largest subgroups that the device may have: 32, though the adapters of this suite have smaller ones. */
  readonly subgroupMaxSize?: number;
  /** Changes the WGSL of the emulation. */
  readonly change?: (code: string) => string;
}

/** Lets a device have these matrix units from now on, until {@link withoutMatrixUnits}. Returns the WGSL for them that it gets. */
export function emulateMatrixUnits(
  device: Device,
  configs: readonly MatrixConfig[],
  { spelling = 'template', subgroupMaxSize = 32, change = (code) => code }: EmulationOptions = {},
): string[] {
  const { features, gpu } = device;
  const { vendor, architecture, device: model, description } = gpu.adapterInfo;
  // Subgroups of one size: dealt out by it.
  const { subgroupMinSize: size = 0 } = gpu.adapterInfo as { subgroupMinSize?: number };
  const adapter = { vendor, architecture, device: model, description, subgroupMinSize: size, subgroupMaxSize };
  Object.defineProperty(device, 'features', { value: new Set([...features, FEATURE]), configurable: true });
  Object.defineProperty(device, 'adapter', {
    value: { ...adapter, subgroupMatrixConfigs: configs },
    configurable: true,
  });
  const create = gpu.createShaderModule.bind(gpu);
  const given: string[] = [];
  vi.spyOn(gpu, 'createShaderModule').mockImplementation((descriptor) => {
    const { code } = descriptor;
    if (!code.includes('chromium_experimental_subgroup_matrix')) return create(descriptor);
    given.push(code);
    const isKnown = code.includes('row_major') === (spelling === 'template');
    return create({ ...descriptor, code: isKnown ? change(emulated(code, size)) : code });
  });
  return given;
}

/** Takes the units away again. */
export function withoutMatrixUnits(device: Device): void {
  Reflect.deleteProperty(device, 'form');
  Object.defineProperty(device, 'adapter', { value: device.gpu.adapterInfo });
  Object.defineProperty(device, 'features', { value: device.gpu.features });
  vi.restoreAllMocks();
}

interface Matrix {
  readonly name: string;
  readonly kind: 'left' | 'right' | 'result';
  readonly element: string;
  readonly cols: number;
  readonly rows: number;
}

/** WGSL with matrix units as WGSL without, for subgroups of `size` threads. */
export function emulated(code: string, size: number): string {
  const matrices = new Map<string, Matrix>();
  let text = code
    .replace('enable chromium_experimental_subgroup_matrix;', '')
    .replace(/@diagnostic\(off, ?chromium\.subgroup_matrix_uniformity\)/g, '@diagnostic(off, subgroup_uniformity)')
    .replace(
      /subgroup_matrix_(left|right|result)<(\w+), ?(\d+), ?(\d+)>/g,
      (_, kind: Matrix['kind'], element: string, cols: string, rows: string) => {
        const name = `Emulated_${kind}_${element}_${cols}_${rows}`;
        matrices.set(name, { name, kind, element, cols: Number(cols), rows: Number(rows) });
        return name;
      },
    );
  const aliases = new Map([...text.matchAll(/alias (\w+) ?= ?(Emulated_\w+);/g)].map(([, a, of]) => [a, of]));
  const typeOf = (name: string) => matrices.get(aliases.get(name) ?? name) as Matrix;
  const lengths = new Map(
    [...text.matchAll(/var<workgroup> ?(\w+): ?array<\w+, ?(\d+)>/g)].map(([, name, n]) => [name, Number(n)]),
  );
  const functions = new Map<string, string>();
  /** Where the elements of left and right matrices lie. */
  const sources = new Map<string, string>();
  const access = (kind: 'load' | 'store', { name, cols, rows, element }: Matrix, from: string, layout: string) => {
    const isRowMajor = layout === 'row_major' || layout === 'false';
    const called = `${kind}_${name}_${from}_${isRowMajor ? 'rows' : 'cols'}`;
    const [lines, line] = isRowMajor ? [rows, cols] : [cols, rows];
    const held = Math.ceil((rows * cols) / size);
    const aligned = Math.min(16, line * (element === 'f16' ? 2 : 4)) / (element === 'f16' ? 2 : 4);
    const begin = `
  let offset = subgroupBroadcastFirst(offsetOf);
  let stride = subgroupBroadcastFirst(strideOf);
  let isRight = stride >= ${line}u && offset % ${aligned}u == 0u && stride % ${aligned}u == 0u
    && offset + ${lines - 1}u * stride + ${line}u <= ${lengths.get(from)}u;`;
    const [down, across] = isRowMajor ? ['stride', '1u'] : ['1u', 'stride'];
    functions.set(
      called,
      kind === 'load'
        ? `
@diagnostic(off, subgroup_uniformity)
fn ${called}(offsetOf: u32, strideOf: u32) -> ${name} {${begin}
  return ${name}(select(${WRONG}u, 0u, isRight), offset, ${down}, ${across}, 0.0);
}`
        : `
@diagnostic(off, subgroup_uniformity)
fn ${called}(offsetOf: u32, matrix: ${name}, strideOf: u32) {${begin}
  for (var j = 0u; j < emulatedBound(${held}u); j++) {
    let i = emulatedLane + j * ${size}u;
    let row = i / ${cols}u;
    let at = min(offset + row * ${down} + i % ${cols}u * ${across}, ${lengths.get(from)! - 1}u);
    if (row < ${rows}u) { ${from}[at] = select(emulatedNan(), matrix.e[j], isRight); }
  }
}`,
    );
    if (kind === 'load') sources.set(name, from);
    return called;
  };
  text = text
    .replace(/subgroupMatrixLoad<(\w+), ?(\w+)>\(& ?(\w+), ?/g, (_, type, layout, from) => {
      return `${access('load', typeOf(type), from, layout)}(`;
    })
    .replace(
      /subgroupMatrixLoad<(\w+)>\(& ?(\w+),(.*), ?(true|false), ?(\w+)\)/g,
      (_, type, from, at, layout, stride) => {
        return `${access('load', typeOf(type), from, layout)}(${at}, ${stride})`;
      },
    );
  const [left, right, result] = (['left', 'right', 'result'] as const).map((kind) => {
    const found = [...matrices.values()].filter((matrix) => matrix.kind === kind);
    if (found.length !== 1) throw new Error(`the emulation wants one type of ${kind} matrices, not ${found.length}`);
    return found[0] as Matrix;
  }) as [Matrix, Matrix, Matrix];
  text = text
    .replace(/subgroupMatrixStore<(\w+)>\(& ?(\w+), ?/g, (_, layout, to) => `${access('store', result, to, layout)}(`)
    .replace(/subgroupMatrixStore\(& ?(\w+),(.*), ?(true|false), ?(\w+)\)/g, (_, to, given, layout, stride) => {
      return `${access('store', result, to, layout)}(${given}, ${stride})`;
    })
    .replaceAll('subgroupMatrixMultiplyAccumulate', 'emulatedProduct')
    .replace(/(for ?\(var k ?= ?0u; ?k ?< ?)(\d+u)/g, '$1emulatedBound($2)');
  // A matrix that is filled with a number; without one it is the structure's own zero.
  for (const [alias, of] of aliases) {
    text = text.replace(new RegExp(`\\b${alias}\\(([^()]+)\\)`, 'g'), (_, value) => {
      const { name } = typeOf(of as string);
      functions.set(
        `fill_${name}`,
        `fn fill_${name}(value: f32) -> ${name} { return ${name}(${FILLED}u, 0u, 0u, 0u, value); }`,
      );
      return `fill_${name}(${value})`;
    });
  }
  text = text.replace(/(@compute ?@workgroup_size\(\w+\)\s*fn main\()([^{]*)\)\s*\{/, (_, start, parameters) => {
    return `${start}@builtin(subgroup_invocation_id) lane: u32, ${parameters}) { emulatedLane = lane;`;
  });
  const element = ({ name }: Matrix) => `
fn elementOf_${name}(m: ${name}, row: u32, col: u32) -> f32 {
  if (m.is == ${WRONG}u) { return emulatedNan(); }
  if (m.is == ${FILLED}u) { return m.value; }
  return f32(${sources.get(name)}[m.offset + row * m.down + col * m.across]);
}`;
  const product = `
fn emulatedNan() -> f32 { return bitcast<f32>(0x7fc00000u | emulatedLane); }
// Not a constant: lavapipe would unroll the loop, which takes it minutes.
fn emulatedBound(n: u32) -> u32 { return min(n, params.maxRows * 1000u); }
${element(left)}${element(right)}
fn emulatedProduct(left: ${left.name}, right: ${right.name}, sums: ${result.name}) -> ${result.name} {
  var matrix = sums;
  for (var j = 0u; j < emulatedBound(${heldBy(result, size)}u); j++) {
    let i = emulatedLane + j * ${size}u;
    let row = min(i / ${result.cols}u, ${result.rows - 1}u);
    let col = i % ${result.cols}u;
    var sum = 0.0;
    for (var k = 0u; k < emulatedBound(${left.cols}u); k++) {
      sum += elementOf_${left.name}(left, row, k) * elementOf_${right.name}(right, k, col);
    }
    matrix.e[j] += sum;
  }
  return matrix;
}`;
  const structures = [...matrices.values()].map(({ kind, name }) =>
    kind === 'result'
      ? `struct ${name} { e: array<f32, ${heldBy(result, size)}> }`
      : `struct ${name} { is: u32, offset: u32, down: u32, across: u32, value: f32 }`,
  );
  // Behind the last directive.
  const [, directives = '', rest = ''] = /^((?:enable [^;]*;\s*)*)([\s\S]*)$/.exec(text) ?? [];
  return [directives, 'var<private> emulatedLane: u32;', ...structures, rest, ...functions.values(), product].join(
    '\n',
  );
}

function heldBy({ rows, cols }: Matrix, size: number): number {
  return Math.ceil((rows * cols) / size);
}
