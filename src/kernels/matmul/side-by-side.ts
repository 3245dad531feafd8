// Loaded on demand: imports no values of other scripts (see `tensor/run/on-demand.ts`).
import type { Binding, Kernel, Piece, Scalar } from '../../gpu/index.ts';
import type { Launch, Tensor } from '../../tensor/graph/index.ts';
import type { FusionTools } from '../../tensor/run/index.ts';

/** How far behind a launch another is looked for: in the backward of an MLP two products lie between a pair. */
const REACH = 8;
/** More workgroups keep any GPU busy by themselves: what a launch costs is nothing beside them. */
const BUSY = 2048;
/** Storage buffers that every device can bind. */
const MOST_BINDINGS = 8;
const MOST_GROUPS = 65_535;

/**
 * Two products that do not wait for each other run as one launch: of a layer, the gradient of its input and that of its weight. The
 * first workgroups do what the one would, the others what the other would, so the values are the same. A GPU then starts one launch
 * less, and of small products, which leave most of its cores idle, has two at once.
 */
export async function putSideBySide(
  launches: readonly Launch[],
  isProduct: (launch: Launch) => boolean,
  { areBound }: FusionTools,
): Promise<readonly Launch[]> {
  const left: (Launch | undefined)[] = [...launches];
  for (const [at, first] of launches.entries()) {
    if (!left[at] || !isProduct(first)) continue;
    const between: Launch[] = [];
    for (let next = at; next <= at + REACH && !left[next]?.loop; next++) {
      const second = left[next];
      if (!second) continue;
      const isFree = next > at && !between.some((one) => areBound(one, second));
      const isPair = isFree && isProduct(second) && second.element === first.element;
      const pair = isPair ? await together(first, second) : undefined;
      if (pair) {
        left[at] = pair;
        left[next] = undefined;
        break;
      }
      between.push(second);
    }
  }
  return left.filter((launch) => launch !== undefined);
}

function isWritten({ kernel }: Launch, i: number): boolean {
  return kernel.bindings[i]?.access !== 'read';
}

/** A product as one of two, in WGSL whose names are its own. */
interface Half {
  readonly name: string;
  /** The numbers of the tensors that it binds. */
  readonly bound: readonly number[];
  readonly bind: Readonly<Record<string, Binding>>;
  readonly bindings: Kernel['bindings'];
  readonly params: Readonly<Record<string, Scalar>>;
  /** What both halves may share: structures, and workgroup memory by its name. */
  readonly structures: readonly string[];
  readonly memory: ReadonlyMap<string, { readonly element: string; readonly length: number }>;
  readonly parameters: string;
  readonly workgroup: string;
  readonly requires: Kernel['requires'];
  readonly wgsl: string;
}

/** Launches of one kernel that bind the same have the same half. */
const halves = new Map<Kernel, Map<string, Half>>();
const pairs = new Map<Half, Map<Half, Kernel>>();

/** One launch for two; undefined where a launch cannot bind what they do, or where both are large. */
async function together(first: Launch, second: Launch): Promise<Launch | undefined> {
  const groups = [first, second].map(({ grid: [x, y, z] }) => x * y * z) as [number, number];
  if (Math.min(...groups) >= BUSY || groups[0] + groups[1] > MOST_GROUPS) return undefined;
  const [one, other] = [await halfOf(first, ''), await halfOf(second, 'Second')];
  const tensors = [...one.bound.map((i) => first.tensors[i]), ...other.bound.map((i) => second.tensors[i])] as Tensor[];
  if (tensors.length > MOST_BINDINGS) return undefined;
  const kernel = pairOf(one, other);
  const launch: Launch = {
    ...first,
    kernel,
    tensors,
    params: [groups[0], groups[1], ...first.params, ...second.params],
    grid: [groups[0] + groups[1], 1, 1],
    label: `${first.label} and ${second.kernel.name}`,
    of: [first, second],
  };
  // WebGPU refuses a launch that reads one part of a buffer and writes another.
  const written = new Set(tensors.filter((_, i) => isWritten(launch, i)).map(({ storage }) => storage.root));
  return tensors.some(({ storage }, i) => !isWritten(launch, i) && written.has(storage.root)) ? undefined : launch;
}

async function halfOf(launch: Launch, ending: '' | 'Second'): Promise<Half> {
  const { kernel, params } = launch;
  if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
  const isAdded = (what: string) => params[kernel.paramNames.indexOf(what)] === 1;
  const key = `${ending} ${isAdded('hasBias')} ${isAdded('hasResidual')}`;
  const known = halves.get(kernel) ?? new Map<string, Half>();
  halves.set(kernel, known);
  let half = known.get(key);
  if (!half) known.set(key, (half = makeHalf(kernel, isAdded, ending)));
  return half;
}

// WGSL as it is written, or as it ships, without space that separates nothing.
function makeHalf(kernel: Kernel, isAdded: (what: string) => boolean, ending: string): Half {
  let text = textOf(kernel);
  // What it does not add it need not bind.
  for (const what of ['hasBias', 'hasResidual']) {
    if (!isAdded(what)) text = text.replace(new RegExp(`if ?\\(params\\.${what} ?!= ?0u\\) ?\\{[^}]*\\}`), '');
  }
  const structures = [...text.matchAll(/^struct [^}]*\}/gm)].map(([all]) => all);
  text = text.replace(/^struct [^}]*\}/gm, '');
  const memory = new Map<string, { element: string; length: number }>();
  text = text.replace(/^var<workgroup> ?(\w+): ?array<(\w+), ?(\d+)>;/gm, (_, name, element, length) => {
    memory.set(name, { element, length: Number(length) });
    return '';
  });
  let [workgroup, parameters] = ['', ''];
  text = text.replace(/@compute ?@workgroup_size\((\w+)\)\s*fn main\(([^{]*)\)\s*\{/, (_, threads, all) => {
    [workgroup, parameters] = [threads, all];
    return `fn main(${all.replace(/@builtin\(\w+\)/g, '')}) {`;
  });
  const bound = kernel.names.filter((name) => new RegExp(`\\b${name}\\[`).test(text));
  const own = [...bound, ...[...text.matchAll(/^(?:fn|alias|const) (\w+)/gm)].map(([, name]) => name as string)];
  const names = ending === '' ? ['main'] : own;
  text = text
    .replace(new RegExp(`(?<![.\\w])(?:${names.join('|')})\\b`, 'g'), (name) => `${name}${ending || 'First'}`)
    .replace(/\bparams\.(\w+)/g, `params.$1${ending}`);
  const ended = <V>(of: Readonly<Record<string, V>>, those: readonly string[]) =>
    Object.fromEntries(those.map((name) => [`${name}${ending}`, of[name] as V]));
  return {
    name: kernel.name,
    bound: bound.map((name) => kernel.names.indexOf(name)),
    bind: ended(kernel.bind, bound),
    bindings: bound.map((name) => kernel.bindings[kernel.names.indexOf(name)] as Kernel['bindings'][number]),
    params: ended(kernel.params ?? {}, kernel.paramNames),
    structures,
    memory,
    parameters,
    workgroup,
    requires: kernel.requires,
    wgsl: text,
  };
}

/** The pieces that a kernel uses, and its functions. */
function textOf({ use = [], code }: Kernel): string {
  const texts: string[] = [];
  const place = ({ needs = [], wgsl }: Piece) => {
    needs.forEach(place);
    if (!texts.includes(wgsl.trim())) texts.push(wgsl.trim());
  };
  use.forEach(place);
  return [...texts, code.trim()].join('\n');
}

function pairOf(first: Half, second: Half): Kernel {
  const known = pairs.get(first) ?? new Map<Half, Kernel>();
  pairs.set(first, known);
  let pair = known.get(second);
  if (!pair) known.set(second, (pair = makePair(first, second)));
  return pair;
}

function makePair(first: Half, second: Half): Kernel {
  // Of a thread: its number, and what else both ask for.
  const threads = [...first.parameters.matchAll(/(\w+) ?:/g)].slice(2).map(([, name]) => name);
  const memory = new Map(first.memory);
  for (const [name, { element, length }] of second.memory) {
    memory.set(name, { element, length: Math.max(length, memory.get(name)?.length ?? 0) });
  }
  const code = [
    ...new Set([...first.structures, ...second.structures]),
    ...[...memory].map(([name, { element, length }]) => `var<workgroup> ${name}: array<${element}, ${length}>;`),
    first.wgsl,
    second.wgsl,
    `@compute @workgroup_size(${first.workgroup})
fn main(${first.parameters}) {
  let group = flatGroup(g, size);
  if (group < params.groups) { mainFirst(vec3u(group, 0u, 0u), size, ${threads}); }
  else { mainSecond(vec3u(group - params.groups, 0u, 0u), size, ${threads}); }
}`,
  ].join('\n');
  const { requires } = first;
  const bind = { ...first.bind, ...second.bind };
  const params = { groups: 'u32', groupsSecond: 'u32', ...first.params, ...second.params } as const;
  return {
    name: `${first.name} and ${second.name}`,
    bind,
    params,
    ...(requires && { requires }),
    grid: ({ groups = 0, groupsSecond = 0 }) => [groups + groupsSecond],
    wgsl: code,
    code,
    names: Object.keys(bind),
    bindings: [...first.bindings, ...second.bindings],
    paramNames: Object.keys(params),
  };
}
