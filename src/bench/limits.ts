import { kernel } from '../gpu/kernel.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { step } from '../tensor/step.ts';
import { free, lasting, type Tensor } from '../tensor/tensor.ts';
import type { Meter, Times } from './meter.ts';

/** What a device can do at most, as simple kernels measure it. */
export interface Limits {
  /** Multiply-adds count two. By the wall clock or GPU timestamps. */
  readonly flopsPerSecond: number;
  /** The loop that reached it: type, independent chains × times the loop body is unrolled. */
  readonly flopsForm: string;
  /** Bytes read and written by a copy of a large buffer. */
  readonly bytesPerSecond: number;
  /** Microseconds of an empty dispatch: among others in one pass, and with a submit of its own. */
  readonly dispatchUs: number;
  readonly submitUs: number;
  /** Microseconds of host time for each launch of a step that is replayed. */
  readonly hostUs: number;
  /** FLOP and bytes in a millisecond of the meter's clock: what shares are taken of. */
  readonly perMs: { readonly flops: number; readonly bytes: number };
}

/** Measures the limits; a few seconds. */
export async function measureLimits(meter: Meter, quick: boolean): Promise<Limits> {
  const fma = await searchFma(meter, quick);
  const copy = await copySpeed(meter, quick ? 2 ** 24 : 2 ** 26);
  const launches = await launchCosts(meter);
  return {
    flopsPerSecond: (fma.flops / wallOf(fma)) * 1e3,
    flopsForm: fma.form,
    bytesPerSecond: (copy.bytes / wallOf(copy)) * 1e3,
    ...launches,
    perMs: { flops: fma.flops / meter.cost(fma), bytes: copy.bytes / meter.cost(copy) },
  };
}

/** Milliseconds that rates are told by: of the GPU where it has a clock, else as a user waits. */
export function wallOf({ ms, gpuMs }: Times): number {
  return gpuMs ?? ms;
}

interface Form {
  readonly type: 'f32' | 'vec4f';
  readonly chains: number;
  readonly unroll: number;
}

type Fma = Times & { readonly flops: number; readonly form: string };

/**
 * The loop of multiply-adds that is fastest here. A multiply-add waits for the one before it in its chain, so several chains
 * hide that; a long loop body hides the loop. Which number of each is best depends on the device, so both are tried, one after
 * the other.
 */
async function searchFma(meter: Meter, quick: boolean): Promise<Fma> {
  const tried = new Map<string, Fma>();
  let best: Form = { type: 'vec4f', chains: 8, unroll: 16 };
  const tryForms = async (forms: readonly Form[]) => {
    for (const form of forms) {
      if (!tried.has(formatForm(form))) tried.set(formatForm(form), await measureFma(meter, form));
    }
    const speed = (form: Form) => {
      const fma = tried.get(formatForm(form)) as Fma;
      return fma.flops / meter.cost(fma);
    };
    best = forms.reduce((a, b) => (speed(b) > speed(a) ? b : a));
  };
  await tryForms(([16, 64] as const).map((unroll) => ({ ...best, unroll })));
  await tryForms((['vec4f', 'f32'] as const).map((type) => ({ ...best, type })));
  if (!quick) await tryForms([8, 10, 12].map((chains) => ({ ...best, chains })));
  return tried.get(formatForm(best)) as Fma;
}

function formatForm({ type, chains, unroll }: Form): string {
  return `${type}, ${chains} chains × ${unroll}`;
}

const FMA_GROUP = 64;
/** A run of the loop takes at least so long. */
const FMA_MS = 15;

async function measureFma(meter: Meter, form: Form): Promise<Fma> {
  const { device } = meter;
  const { type, chains, unroll } = form;
  // Enough to keep every core of a GPU busy; a processor needs few, of which each takes longer.
  const invocations = FMA_GROUP * (device.isSoftware ? 256 : 8192);
  const loop = fmaKernel(form);
  const like = lasting(device, [1]);
  try {
    using run = await step(device, { rounds: { shape: [1], dtype: 'u32' } }, ({ rounds }) => {
      const y = empty(like, [invocations]);
      dispatch(loop, { rounds, y }, { a: 0.999, b: 0.5, n: invocations });
      return y;
    });
    let rounds = 1;
    const submit = () => void run({ rounds });
    submit();
    await meter.finished();
    for (; rounds < 2 ** 24; rounds *= 2) {
      const began = performance.now();
      submit();
      await meter.finished();
      if (performance.now() - began > FMA_MS) break;
    }
    const times = await meter.time(submit);
    const flops = 2 * (type === 'vec4f' ? 4 : 1) * chains * unroll * rounds * invocations;
    return { ...times, flops, form: formatForm(form) };
  } finally {
    free(like);
  }
}

// An invocation runs its chains of multiply-adds side by side.
function fmaKernel({ type, chains, unroll }: Form) {
  const each = (code: (c: number) => string, separator = '\n') =>
    Array.from({ length: chains }, (_, c) => code(c)).join(separator);
  const body = `${each((c) => `s${c} = fma(s${c}, a, b);`, ' ')}\n`.repeat(unroll);
  const total = each((c) => `s${c}`, ' + ');
  return kernel({
    name: `fma ${type} ${chains} ${unroll}`,
    bind: { rounds: 'read u32', y: 'write f32' },
    params: { a: 'f32', b: 'f32', n: 'u32' },
    grid: ({ n }) => [n / FMA_GROUP],
    wgsl: `
@compute @workgroup_size(${FMA_GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = ${type}(params.a);
  let b = ${type}(params.b);
  ${each((c) => `var s${c} = ${type}(f32(id.x + ${c}u));`)}
  let count = rounds[0];
  for (var round = 0u; round < count; round++) {
${body}  }
  y[id.x] = dot(${type === 'vec4f' ? total : `vec4f(${total}, 0.0, 0.0, 0.0)`}, vec4f(1.0));
}`,
  });
}

// An invocation copies a vec4.
const copyKernel = kernel({
  name: 'copy bandwidth',
  bind: { x: 'read vec4<f32>', y: 'write vec4<f32>' },
  params: { n: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i < params.n) { y[i] = x[i]; }
}`,
});

async function copySpeed(meter: Meter, most: number): Promise<Times & { readonly bytes: number }> {
  const { device } = meter;
  const bytes = Math.min(most, device.limits.maxStorageBufferBindingSize);
  const x = lasting(device, [Math.floor(bytes / 16) * 4]);
  try {
    const times = await meter.measure(() => {
      const result = empty(x);
      dispatch(copyKernel, { x, y: result }, { n: x.size / 4 });
      return result;
    });
    return { ...times, bytes: 8 * x.size };
  } finally {
    free(x);
  }
}

const emptyKernel = kernel({
  name: 'empty dispatch',
  bind: { y: 'update f32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1) fn main() { y[0] = 1.0; }',
});

const LAUNCHES = 400;

async function launchCosts(meter: Meter): Promise<Pick<Limits, 'dispatchUs' | 'submitUs' | 'hostUs'>> {
  const { device } = meter;
  const y: Tensor = lasting(device, [1]);
  const body = (launches: number) => () => {
    for (let i = 0; i < launches; i++) dispatch(emptyKernel, { y }, {});
    return undefined;
  };
  try {
    using many = await step(device, {}, body(LAUNCHES));
    using one = await step(device, {}, body(1));
    const { ms } = await meter.time(() => many({}));
    const single = await meter.time(() => one({}));
    const host = await meter.hostTime(() => many({}));
    return { dispatchUs: (ms / LAUNCHES) * 1e3, submitUs: single.ms * 1e3, hostUs: (host / LAUNCHES) * 1e3 };
  } finally {
    free(y);
  }
}
