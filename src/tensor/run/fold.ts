// Loaded on demand: imports no values of other scripts (see `on-demand.ts`).
import type { Kernel, Piece } from '../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../graph/index.ts';

/** Storage buffers that every device can bind. */
const MOST_BINDINGS = 8;
/** Numbers of a launch, of four bytes, that a step keeps: see `memory-layout.ts`. */
const MOST_PARAMS = 64;
/** Of a kernel, before it is folded into another: chains end, as compilers take longer the more there is. */
const MOST_CODE = 8000;
/** A scalar, or no more than one vec4, whose elements may be computed again. */
const FEW_ELEMENTS = 4;

/**
 * A pointwise op is folded into the only launch that reads what it makes, where that reads each element once, as other pointwise ops and sums
 * do: it computes the values where it read them. That is a launch less, and memory that is not written and read.
 */
export function fold(launches: readonly Launch[], kept: ReadonlySet<Storage>): readonly Launch[] {
  const left: (Launch | undefined)[] = [...launches];
  /** The places of launches that use a root. */
  const uses = new Map<Storage, Set<number>>();
  const use = ({ tensors }: Launch, at: number) => {
    for (const { storage } of tensors) uses.set(storage.root, (uses.get(storage.root) ?? new Set()).add(at));
  };
  launches.forEach(use);
  for (const at of launches.keys()) {
    const op = left[at];
    const made = op && !op.loop ? pointwiseOf(op.kernel) : undefined;
    const y = op?.tensors[op.kernel.names.indexOf(made?.y ?? '')];
    if (!op || !made || !y || y.storage.parent || y.storage.kind !== 'recorded' || kept.has(y.storage)) continue;
    const readers = [...(uses.get(y.storage) ?? [])].filter((place) => place !== at);
    const [place = -1] = readers;
    const reader = left[place];
    if (readers.length !== 1 || place < at || !reader || reader.loop) continue;
    if (!isSame(left, uses, op, at, place) || !isSmall(left, uses, op, y, at, place)) continue;
    const folded = foldInto(op, made, y, reader);
    if (!folded) continue;
    for (const { storage } of op.tensors) uses.get(storage.root)?.delete(at);
    uses.delete(y.storage);
    left[at] = undefined;
    left[place] = folded;
    use(folded, place);
  }
  return left.filter((launch) => launch !== undefined);
}

type Uses = ReadonlyMap<Storage, ReadonlySet<number>>;
type Left = readonly (Launch | undefined)[];

const isRead = ({ bindings }: Kernel, i: number) => bindings[i]?.access === 'read';
const readBy = ({ kernel, tensors }: Launch) => tensors.filter((_, i) => isRead(kernel, i));
const writtenBy = ({ kernel, tensors }: Launch) => tensors.filter((_, i) => !isRead(kernel, i));

/** Whether what the op reads at a place is still the same at another. */
function isSame(left: Left, uses: Uses, op: Launch, at: number, place: number): boolean {
  return readBy(op).every(({ storage: { root } }) =>
    [...(uses.get(root) ?? [])].every((n) => {
      const launch = n > at && n < place ? left[n] : undefined;
      return !launch || !writtenBy(launch).some(({ storage }) => storage.root === root);
    }),
  );
}

/** Whether what would be kept longer, in the place of `y`, is no larger than it. What comes next keeps nothing longer. */
function isSmall(left: Left, uses: Uses, op: Launch, y: Tensor, at: number, place: number): boolean {
  if (!left.slice(at + 1, place).some((launch) => launch)) return true;
  const longer = new Set(readBy(op).map(({ storage }) => storage.root));
  let bytes = 0;
  for (const root of longer) {
    const last = Math.max(...(uses.get(root) ?? []));
    if (root.kind === 'recorded' && last < place) bytes += root.bytes;
  }
  return bytes <= y.storage.bytes;
}

/** What a pointwise kernel does for each element or vec4, number `i`. */
interface Pointwise {
  /** The result's name. */
  readonly y: string;
  /** Functions, with those of its pieces. */
  readonly functions: string;
  readonly body: string;
  readonly value: string;
}

const known = new WeakMap<Kernel, Pointwise | undefined>();

/** A kernel whose text is an `elementLoop` that ends with the one result: `y[i] = …;`. */
function pointwiseOf(kernel: Kernel): Pointwise | undefined {
  if (!known.has(kernel)) known.set(kernel, readPointwise(kernel));
  return known.get(kernel);
}

// WGSL as it is written, or as it ships, without space that separates nothing.
const LOOP =
  /@compute ?@workgroup_size\(WG\)\s*fn main\([^{]*\{\s*let first ?=[^;]*params\.perThread;\s*let end ?=[^;]*;\s*for ?\([^{]*\{([\s\S]*)\}\s*\}\s*$/;

function readPointwise(kernel: Kernel): Pointwise | undefined {
  const written = kernel.names.filter((_, i) => !isRead(kernel, i));
  const [y = ''] = written;
  if (written.length !== 1 || kernel.bind[y]?.startsWith('update') || kernel.code.length > MOST_CODE) return undefined;
  const found = LOOP.exec(kernel.code);
  const [, body = '', value = ''] =
    new RegExp(`^([\\s\\S]*)\\b${y}\\[i\\] ?= ?([^;]*);\\s*$`).exec(found?.[1] ?? '') ?? [];
  if (!found || value === '' || /\b(for|while|loop|break|continue|return|g|l|size|first|end)\b/.test(body))
    return undefined;
  const functions = `${piecesOf(kernel.use)}\n${kernel.code.slice(0, found.index)}`;
  if (kernel.requires || new RegExp(`\\b${y}\\[|&${y}\\b`).test(`${functions}${body}`) || /\bvar ?</.test(functions))
    return undefined;
  return { y, functions, body, value };
}

function piecesOf(use: readonly Piece[] = []): string {
  const texts = new Set<string>();
  const place = ({ needs = [], wgsl }: Piece) => {
    needs.forEach(place);
    texts.add(wgsl.trim());
  };
  use.forEach(place);
  return [...texts].join('\n');
}

/** Kernels that are not pointwise, and what they read like this. */
const READ_ONCE: ReadonlyMap<string, string> = new Map([['sum', 'x']]);

/** Whether a kernel reads each element of a binding once, if no other of its tensors is larger. */
function readsOnce({ name: kernel, code, use }: Kernel, name: string): boolean {
  const times = (text = '') => text.split(new RegExp(`\\b${name}\\[`)).length - 1;
  if (times(piecesOf(use)) > 0 || code === '' || new RegExp(`& ?${name}\\b`).test(code)) return false;
  if (READ_ONCE.get(kernel) === name) return true;
  const body = LOOP.exec(code)?.[1];
  return times(code) === 1 && times(body) === 1 && !/\b(for|while|loop)\b/.test(body as string);
}

/** Whether an invocation of a kernel reads the first element of a binding, once, and no other. */
function readsScalar({ code, use }: Kernel, name: string): boolean {
  const mention = new RegExp(`\\b${name}\\b`, 'g');
  const [before = '', after = '', ...others] = code.split(mention);
  if (!/^\[0u?\]/.test(after) || others.length > 0 || mention.test(piecesOf(use))) return false;
  // What is open there: main, and perhaps conditions, but no loop.
  let open = before.slice(before.indexOf('fn main('));
  for (let text = ''; text !== open; ) [text, open] = [open, open.replace(/[^{};]*\{[^{}]*\}/g, '')];
  return before.includes('fn main(') && !/\b(for|while|loop)\b/.test(open);
}

/** The launch that reads `y` and computes it as well; nothing where that cannot be one launch. */
function foldInto(op: Launch, made: Pointwise, y: Tensor, reader: Launch): Launch | undefined {
  const at = reader.tensors.findIndex(({ storage }) => storage === y.storage);
  const name = reader.kernel.names[at];
  if (name === undefined || !isRead(reader.kernel, at) || op.ranges || reader.ranges) return undefined;
  const others = reader.tensors.filter((_, i) => i !== at);
  if (others.some(({ storage }) => storage.root === y.storage)) return undefined;
  const isScalar = y.size === 1 && readsScalar(reader.kernel, name);
  if (!isScalar && (!readsOnce(reader.kernel, name) || others.some(({ size }) => size > y.size))) return undefined;
  // Compilers leave out the rounding to f16 where nothing is stored.
  if (op.element === 'f16' || reader.element === 'f16') return undefined;
  // WebGPU refuses a launch that reads one part of a buffer and writes another.
  const written = writtenBy(reader).map(({ storage }) => storage.root);
  if (readBy(op).some(({ storage }) => written.includes(storage.root))) return undefined;
  const [from, to] = [typeOf(op.kernel, made.y), typeOf(reader.kernel, name)];
  const isPart = from === `vec4<${to}>`;
  if (from !== to && !(isPart && y.size <= FEW_ELEMENTS)) return undefined;
  const kernel = foldedKernel(op.kernel, made, reader.kernel, name, isPart);
  if (!kernel) return undefined;
  const ending = `_${name}`;
  const under = <V>(one: string, [ofOp, op]: Under<V>, [ofReader, reader]: Under<V>): V => {
    const place = ofReader.indexOf(one);
    return (place >= 0 ? reader[place] : op[ofOp.indexOf(one.slice(0, -ending.length))]) as V;
  };
  const overrides = Object.entries(op.constants).map(([one, value]) => [`${one}${ending}`, value] as const);
  return {
    ...reader,
    kernel,
    tensors: kernel.names.map((one) =>
      under(one, [op.kernel.names, op.tensors], [reader.kernel.names, reader.tensors]),
    ),
    params: kernel.paramNames.map((one) =>
      under(one, [op.kernel.paramNames, op.params], [reader.kernel.paramNames, reader.params]),
    ),
    constants: {
      ...Object.fromEntries(overrides.filter(([one]) => kernel.override?.[one] !== undefined)),
      ...reader.constants,
    },
    label: `${reader.label.slice(0, -reader.kernel.name.length)}${kernel.name}`,
    of: [...(op.of ?? [op]), ...(reader.of ?? [reader])],
  };
}

/** Names, and what stands under them. */
type Under<V> = readonly [names: readonly string[], values: readonly V[]];

const kernels = new WeakMap<Kernel, WeakMap<Kernel, Map<string, Kernel | undefined>>>();

/** One kernel for launches of the same two. */
function foldedKernel(op: Kernel, made: Pointwise, reader: Kernel, name: string, isPart: boolean): Kernel | undefined {
  const readers = kernels.get(op) ?? new WeakMap<Kernel, Map<string, Kernel | undefined>>();
  const names = readers.get(reader) ?? new Map<string, Kernel | undefined>();
  kernels.set(op, readers.set(reader, names));
  if (!names.has(name)) names.set(name, makeFolded(op, made, reader, name, isPart));
  return names.get(name);
}

/** Of elements in memory: `vec4<f32>`. */
function typeOf({ bindings, names }: Kernel, name: string): string {
  return (bindings[names.indexOf(name)] as Kernel['bindings'][number]).element.replace('T', 'f32');
}

function makeFolded(op: Kernel, made: Pointwise, reader: Kernel, name: string, isPart: boolean): Kernel | undefined {
  const ending = `_${name}`;
  const stored = (op.bindings[op.names.indexOf(made.y)] as Kernel['bindings'][number]).element;
  const text = `${made.functions}
fn folded(i: u32) -> ${stored} {${made.body}
  return ${made.value};
}`;
  const declared = [...text.matchAll(/^(?:fn|alias|const|struct) (\w+)/gm)].map(([, one]) => one as string);
  const isUsed = (one: string) => new RegExp(`(?<![.\\w])${one}\\b`).test(text);
  const overrides = Object.entries(op.override ?? {}).filter(([one]) => isUsed(one));
  const inputs = op.names.filter((one) => one !== made.y && isUsed(one));
  const own = [...declared, ...inputs, ...overrides.map(([one]) => one)];
  const renamed = text
    .replace(new RegExp(`(?<![.\\w])(?:${own.join('|')})\\b`, 'g'), (one) => `${one}${ending}`)
    .replace(/\bparams\.(\w+)/g, `params.$1${ending}`);
  const params = op.paramNames.filter((one) => new RegExp(`\\bparams\\.${one}\\b`).test(text));
  const ended = <V>(of: Readonly<Record<string, V>>, those: readonly string[]) =>
    Object.fromEntries(those.map((one) => [`${one}${ending}`, of[one] as V]));
  const others = reader.names.filter((one) => one !== name);
  if (others.length + inputs.length > MOST_BINDINGS) return undefined;
  const part = (at: string) => (isPart ? `folded${ending}((${at}) / 4u)[(${at}) % 4u]` : `folded${ending}(${at})`);
  const code = `${renamed}
${reader.code.replace(new RegExp(`\\b${name}\\[([^\\[\\]]*)\\]`, 'g'), (_, at: string) => part(at))}`;
  if (new RegExp(`\\b${name}\\[`).test(code)) return undefined;
  const bindingOf = (kernel: Kernel) => (one: string) =>
    kernel.bindings[kernel.names.indexOf(one)] as Kernel['bindings'][number];
  const bind = {
    ...ended(op.bind, inputs),
    ...Object.fromEntries(others.map((one) => [one, reader.bind[one] as Kernel['bind'][string]])),
  };
  const all = { ...(reader.params ?? {}), ...ended(op.params ?? {}, params) };
  if (Object.keys(all).length > MOST_PARAMS) return undefined;
  const { rule: _, adds: __, ...rest } = reader;
  return {
    ...rest,
    name: `${op.name} in ${reader.name}`,
    bind,
    bindings: [...inputs.map(bindingOf(op)), ...others.map(bindingOf(reader))],
    names: Object.keys(bind),
    params: all,
    paramNames: Object.keys(all),
    override: {
      ...reader.override,
      ...ended(
        op.override ?? {},
        overrides.map(([one]) => one),
      ),
    },
    wgsl: code,
    code,
  };
}
