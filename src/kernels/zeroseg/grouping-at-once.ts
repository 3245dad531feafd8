// Loaded on demand: imports no values (see `tensor/run/on-demand.ts`).
import type { Binding, Kernel, Piece, Scalar } from '../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../../tensor/graph/index.ts';

/** Logits of an image that one workgroup takes. */
const MOST_LOGITS = 8192;
/** Of so many it makes the noise as well, twice: of more, a launch of many workgroups is quicker. */
const MOST_NOISE = 1024;
/** Invocations of a workgroup, of which each group has one at least. */
const WG = 256;

/**
 * On GPUs, the rule of what members choose and of their weights: noise, choice and weights are one launch, and so are the gradients of both.
 * A workgroup takes the members of an image.
 */
export function fuse(
  launches: readonly Launch[],
  kept: ReadonlySet<Storage>,
  { rule }: Launch['kernel'],
): readonly Launch[] {
  const left: (Launch | undefined)[] = [...launches];
  const uses = new Map<Storage, number[]>();
  launches.forEach(({ tensors }, at) => {
    for (const { storage } of tensors) uses.set(storage.root, [...(uses.get(storage.root) ?? []), at]);
  });
  const usesOf = (t: Tensor) => uses.get(t.storage.root) ?? [];
  /** The place of the launch that makes `t` for one other alone, at `at`. */
  const makerOf = (t: Tensor, at: number): number | undefined => {
    const [first = at, second, ...others] = usesOf(t);
    const isOwn = t.storage.kind === 'recorded' && !t.storage.parent && !kept.has(t.storage);
    return isOwn && first < at && second === at && others.length === 0 && left[first] ? first : undefined;
  };
  /** Whether what a launch reads at a place is the same at another, or from there back. */
  const isSame = (launch: Launch, a: number, b: number) =>
    readBy(launch).every((t) =>
      usesOf(t).every((n) => n <= Math.min(a, b) || n >= Math.max(a, b) || !writes(launches[n] as Launch, t)),
    );
  for (const [at, launch] of launches.entries()) {
    if (launch.loop || launch.ranges || launch.kernel.rule !== rule) continue;
    if (isOf(launch, 'choose') && left[at]) {
      const [hard, soft] = [tensorOf(launch, 'hard'), tensorOf(launch, 'soft')];
      const isWeights = (n: number) => {
        const other = launches[n] as Launch;
        const isOne = n > at && other.kernel.rule === rule && isOf(other, 'assign-normalise') && !other.loop;
        if (!isOne || ![hard, soft].some((t) => isWhole(t, tensorOf(other, 'a')))) return false;
        const made = [tensorOf(other, 'y'), tensorOf(other, 'inverse')];
        return made.every((t) => isFresh(t, usesOf(t), n)) && isSame(other, at, n);
      };
      const place = [...usesOf(hard), ...usesOf(soft)].find(isWeights);
      const weights = place === undefined ? undefined : launches[place];
      if (place === undefined || !weights) continue;
      const noise = launch.kernel.names.includes('noise') ? tensorOf(launch, 'noise') : undefined;
      const drawnAt = noise && makerOf(noise, at);
      const drawn = drawnAt === undefined ? undefined : left[drawnAt];
      const isDrawn = drawn && isRandom(drawn) && isSame(drawn, drawnAt as number, at);
      const one = chosenAtOnce(launch, weights, isDrawn ? drawn : undefined);
      if (!one) continue;
      left[at] = one;
      left[place] = undefined;
      if (one.of?.includes(drawn as Launch)) left[drawnAt as number] = undefined;
    } else if (isOf(launch, 'choose backward')) {
      const from = makerOf(tensorOf(launch, 'dy'), at);
      const before = from === undefined ? undefined : left[from];
      if (!before || before.kernel.rule !== rule || !isOf(before, 'assign-normalise backward') || before.loop) continue;
      const one = isSame(before, from as number, at) ? gradientAtOnce(before, launch) : undefined;
      if (!one) continue;
      left[at] = one;
      left[from as number] = undefined;
    }
  }
  return left.filter((launch) => launch !== undefined);
}

const isOf = ({ kernel }: Launch, name: string) => kernel.name === name || kernel.name === `${name} with noise`;
const isRandom = ({ kernel, constants, loop }: Launch) =>
  kernel.name === 'random' &&
  kernel.names.join() === 'key,y' &&
  kernel.use?.some(({ name }) => name === 'threefry') &&
  constants['DISTRIBUTION'] === 2 &&
  !loop;
const tensorOf = ({ kernel, tensors }: Launch, name: string) => tensors[kernel.names.indexOf(name)] as Tensor;
const paramOf = ({ kernel, params }: Launch, name: string) => params[kernel.paramNames.indexOf(name)] as number;
const isWhole = (a: Tensor, b: Tensor) => a.storage === b.storage && a.size === b.size;
const isFresh = ({ storage }: Tensor, [first]: readonly number[], at: number) =>
  storage.kind === 'recorded' && !storage.parent && first === at;
const isRead = ({ kernel }: Launch, i: number) => kernel.bindings[i]?.access === 'read';
const readBy = (launch: Launch) => launch.tensors.filter((_, i) => isRead(launch, i));
const writes = (launch: Launch, t: Tensor) =>
  launch.tensors.some(({ storage }, i) => !isRead(launch, i) && storage.root === t.storage.root);

/** Groups and members of images, where one workgroup can take an image. */
interface Sizes {
  readonly images: number;
  readonly groups: number;
  readonly members: number;
}

function fitting(images: number, groups: number, members: number): Sizes | undefined {
  const fits = images > 0 && images <= 65_535 && groups > 0 && groups <= WG && members > 1;
  return fits && groups * members <= MOST_LOGITS ? { images, groups, members } : undefined;
}

/** The launch that chooses and has the weights, in the place of the two, and of that which made the noise. */
function chosenAtOnce(choice: Launch, weights: Launch, given: Launch | undefined): Launch | undefined {
  const [a, inverse] = [tensorOf(weights, 'a'), tensorOf(weights, 'inverse')];
  const sizes = fitting(paramOf(choice, 'outer'), paramOf(choice, 'length'), paramOf(choice, 'inner'));
  if (!sizes || a.size !== inverse.size * sizes.members || choice.element !== weights.element) return undefined;
  const drawn = sizes.groups * sizes.members <= MOST_NOISE ? given : undefined;
  const isNoisy = choice.kernel.names.includes('noise');
  const noise = drawn ? 'key' : isNoisy ? 'noise' : '';
  const isHard = isWhole(tensorOf(choice, 'hard'), a);
  const kernel = choose(choice.kernel, noise, isHard, drawn?.kernel);
  return launchOf(choice, kernel, sizes, [...(drawn ? [drawn] : []), choice, weights], {
    inverseTau: paramOf(choice, 'inverseTau'),
    eps: paramOf(weights, 'eps'),
    ...(drawn ? { stream: paramOf(drawn, 'stream'), shapeHash: paramOf(drawn, 'shapeHash') } : {}),
  });
}

/** The launch for the gradients of weights and of what was chosen. */
function gradientAtOnce(weights: Launch, choice: Launch): Launch | undefined {
  const loads = choice.kernel.bind['dy']?.includes('vec4') ? 4 : 1;
  const sizes = fitting(paramOf(choice, 'outer'), paramOf(choice, 'length'), paramOf(choice, 'inner') * loads);
  const [a, inverse] = [tensorOf(weights, 'a'), tensorOf(weights, 'inverse')];
  if (!sizes || paramOf(choice, 'inner') < 2 || choice.element !== weights.element) return undefined;
  if (a.size !== inverse.size * sizes.members || a.size !== sizes.images * sizes.groups * sizes.members)
    return undefined;
  // WebGPU refuses a launch that reads one part of a buffer and writes another.
  if (readBy(weights).some((t) => writes(choice, t))) return undefined;
  const inverseTau = paramOf(choice, 'inverseTau');
  return launchOf(choice, gradient(), sizes, [weights, choice], { inverseTau });
}

/** A launch in the place of `all`, for whose tensors it has the names that they have there: of those of one name, the first. */
function launchOf(
  one: Launch,
  kernel: Kernel,
  sizes: Sizes,
  all: readonly Launch[],
  numbers: Readonly<Record<string, number>>,
): Launch {
  const params: Readonly<Record<string, number>> = { ...sizes, ...numbers };
  const find = (name: string) => all.find((launch) => launch.kernel.names.includes(name)) as Launch;
  // Where what is drawn is called as the weights are, it is not bound.
  const owner = (name: string) => (name === 'y' ? (all.at(-1) as Launch) : find(name));
  let threads = 1;
  while (threads * 2 * sizes.groups <= WG) threads *= 2;
  return {
    ...one,
    kernel,
    tensors: kernel.names.map((name) => tensorOf(owner(name), name)),
    params: kernel.paramNames.map((name) => params[name] as number),
    constants: { THREADS: threads },
    grid: [sizes.images, 1, 1],
    label: `${one.label.slice(0, -one.kernel.name.length)}${kernel.name}`,
    of: all,
  };
}

const made = new Map<string, Kernel>();

function kernelOf(
  key: string,
  name: string,
  bind: Readonly<Record<string, Binding>>,
  numbers: Readonly<Record<string, Scalar>>,
  use: readonly Piece[],
  code: string,
): Kernel {
  const known = made.get(key);
  if (known) return known;
  const params = { images: 'u32', groups: 'u32', members: 'u32', ...numbers } as const;
  const one: Kernel = {
    name,
    bind,
    bindings: Object.values(bind).map((binding) => {
      const [access, element] = binding.split(' ') as [Kernel['bindings'][number]['access'], 'T'];
      return { access, element };
    }),
    names: Object.keys(bind),
    params,
    paramNames: Object.keys(params),
    override: { WG, THREADS: 8 },
    use,
    grid: ({ images = 0 }) => [images],
    wgsl: code,
    code,
  };
  made.set(key, one);
  return one;
}

const main = (body: string) => `
var<workgroup> cells: array<f32, WG>;
// The sum over the threads of each group; all invocations of the workgroup call it once.
fn ofGroup(value: f32, l: u32) -> f32 {
  cells[l] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var k = l - l % THREADS; k <= l - l % THREADS + THREADS - 1u; k++) { sum += cells[k]; }
  return sum;
}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let image = flatGroup(g, size);
  if (image >= params.images) { return; }
  let group = l / THREADS;
  let start = image * params.groups * params.members;
  let row = start + group * params.members;
  let count = select(0u, params.members, group < params.groups);
${body}
}`;

// First an invocation takes members, and looks at their groups; then THREADS of them take a group, and look at its members. Both compute as the
// kernels do whose place it takes.
function choose(chooses: Kernel, noise: string, isHard: boolean, draws: Kernel | undefined): Kernel {
  const numbers = draws?.code.slice(0, draws.code.indexOf('@compute'));
  const drawing = `const DISTRIBUTION = 2u;
${numbers}
fn noiseOf(i: u32) -> f32 {
  let own = threefry(vec2u(key[0], key[1]), vec2u(params.stream, params.shapeHash));
  return numbers(threefry(own, vec2u(i / 2u, DISTRIBUTION)))[i % 2u];
}`;
  const added = { '': '', noise: ' + noise[i]', key: ' + noiseOf(i)' }[noise];
  const a = isHard ? 'hard' : 'soft';
  const isPiece = ({ name }: Piece) => name === 'expBelow' || name === 'notNumbers';
  return kernelOf(
    `choose ${noise} ${a}`,
    'choose and weights',
    {
      x: 'read T',
      ...(noise === 'key' ? { key: 'read u32' } : noise ? { noise: 'read f32' } : {}),
      soft: 'write T',
      hard: 'write T',
      inverse: 'write f32',
      y: 'write T',
    },
    { inverseTau: 'f32', eps: 'f32', ...(draws ? { stream: 'u32', shapeHash: 'u32' } : {}) },
    [...(chooses.use ?? []).filter(isPiece), ...(draws?.use ?? [])],
    `${draws ? drawing : ''}
fn logit(i: u32) -> f32 { return (f32(x[i])${added}) * params.inverseTau; }
${main(`  for (var n = l; n < params.members; n += WG) {
    var top = -3.40282346e38;
    var at = params.groups;
    var sum = 0.0;
    for (var k = 0u; k < params.groups; k++) {
      let z = logit(start + n + k * params.members);
      if (z > top || (z == top && at == params.groups)) {
        sum = sum * expBelow(top - z) + 1.0;
        top = z;
        at = k;
      } else { sum += expBelow(z - top); }
    }
    let one = select(select(1.0 / sum, 0.0, sum == 0.0), nanFrom(sum), !isFinite(sum) || !isFinite(top));
    let taken = select(1.0, one, isNan(one));
    for (var k = 0u; k < params.groups; k++) {
      let i = start + n + k * params.members;
      soft[i] = T(expBelow(logit(i) - top) * one);
      hard[i] = T(select(0.0, taken, k == at || isNan(one)));
    }
  }
  storageBarrier();
  var part = 0.0;
  for (var n = l % THREADS; n < count; n += THREADS) { part += f32(${a}[row + n]); }
  let total = ofGroup(part, l) + params.eps;
  // A sum that overflows would make every weight 0.
  let divisor = select(nanFrom(total), total, isFinite(total));
  for (var n = l % THREADS; n < count; n += THREADS) { y[row + n] = T(f32(${a}[row + n]) / divisor); }
  if (count > 0u && l % THREADS == 0u) { inverse[image * params.groups + group] = 1.0 / divisor; }`)}`,
  );
}

function gradient(): Kernel {
  return kernelOf(
    'gradient',
    'choose and weights backward',
    { soft: 'read T', a: 'read T', inverse: 'read f32', dy: 'read T', dx: 'write T' },
    { inverseTau: 'f32' },
    [],
    `
var<workgroup> totals: array<f32, WG>;
${main(`  var part = 0.0;
  for (var n = l % THREADS; n < count; n += THREADS) { part += f32(dy[row + n]) * f32(a[row + n]); }
  let sum = ofGroup(part, l);
  if (count > 0u && l % THREADS == 0u) { totals[group] = sum * inverse[image * params.groups + group]; }
  workgroupBarrier();
  for (var n = l; n < params.members; n += WG) {
    var dot = 0.0;
    for (var k = 0u; k < params.groups; k++) {
      let i = start + n + k * params.members;
      dot += f32(soft[i]) * (f32(dy[i]) - totals[k]) * inverse[image * params.groups + k];
    }
    for (var k = 0u; k < params.groups; k++) {
      let i = start + n + k * params.members;
      let d = (f32(dy[i]) - totals[k]) * inverse[image * params.groups + k];
      dx[i] = T(f32(soft[i]) * (d - dot) * params.inverseTau);
    }
  }`)}`,
  );
}
