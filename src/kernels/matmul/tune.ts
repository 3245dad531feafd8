import { type Device, DeviceError, saveTuning } from '../../gpu/index.ts';
import { free, type Tensor, variable, write } from '../../tensor/graph/index.ts';
import { read, type Step, step } from '../../tensor/run/index.ts';
import { median } from '../../tensor/values/index.ts';
import { cast } from '../elementwise/index.ts';
import { matmul } from './matmul.ts';
import {
  candidateVariants,
  chooseVariant,
  formatVariant,
  type MatmulVariant,
  type Product,
  productClass,
  productsOf,
  tunedVariant,
} from './variants.ts';

export interface TuneOptions {
  /** Measures again what is known. Default: false. */
  readonly again?: boolean;
  /** Runs of each variant; the median decides. Default: 5. */
  readonly runs?: number;
  /**
   * Whether what was found is kept for later runs on this adapter. Default: true. Never after `useHalfSums` or `useSubgroupMatrices`: later
   * runs may do without.
   */
  readonly save?: boolean;
  /** Told after each product. */
  readonly progress?: (found: Tuned, done: number, of: number) => void;
}

/** What was found for a product of one size: see `productClass`. */
export interface Tuned {
  readonly work: string;
  readonly chosen: string;
  /** Milliseconds of the variant that would have been taken without tuning, and of the one that is. */
  readonly before: number;
  readonly after: number;
  /** All that were tried, the fastest first; `ms` is not there for one that computed something else. */
  readonly tried: readonly { readonly variant: string; readonly ms?: number }[];
}

/** How far a variant's result may be from the reference's, of the largest magnitude. */
const TOLERANCE = { f32: 1e-4, f16: 2e-2 } as const;

/**
 * Finds the fastest variant of every matrix product that `body` records, on this device: runs each variant that fits on data of that
 * size, compares its result with that of the plain tiles (a variant that computes anything else is never taken), measures them in
 * turns, and keeps the choice for steps that are made afterwards, and for later runs on the same adapter.
 *
 * ```ts
 * await tune(device, () => gradients(model.loss(images), parameters(model)));
 * const train = await step(device, inputs, body);
 * ```
 *
 * @throws DeviceError when no variant computes what the plain tiles do.
 */
export async function tune(device: Device, body: () => unknown, options: TuneOptions = {}): Promise<Tuned[]> {
  const { again = false, runs = 5, save = true, progress } = options;
  const classes = new Map<string, Product>();
  for (const product of productsOf(device, body)) {
    const work = productClass(product);
    if (product.rows * product.cols * product.inner * product.batch === 0) continue;
    if (again || !tunedVariant(device, product)) classes.set(work, product);
  }
  const results: Tuned[] = [];
  for (const [work, product] of classes) {
    const found = await tuneProduct(device, work, product, runs);
    results.push(found);
    progress?.(found, results.length, classes.size);
  }
  if (save && !device.form && results.length > 0) await saveTuning(device);
  return results;
}

async function tuneProduct(device: Device, work: string, product: Product, runs: number): Promise<Tuned> {
  const kept = device.tuned.get(work);
  device.tuned.delete(work);
  const usual = formatVariant(chooseVariant(device, product));
  const values: Tensor[] = [];
  let prepare: Step<never, Tensor[]> | undefined;
  const wrong: { variant: string }[] = [];
  const trials: { variant: string; run: Step<never, Tensor>; times: number[] }[] = [];
  try {
    for (const which of ['a', 'b'] as const) values.push(operandOf(device, product, which));
    prepare = await step(device, {}, () => values.map((t) => cast(t, product.dtype as 'f32' | 'f16')));
    const operands = prepare({}) as [Tensor, Tensor];
    let reference = device.form && (await usualResult(device, work, product, operands));
    for (const variant of candidateVariants(device, product)) {
      device.tuned.set(work, formatVariant(variant));
      const run = (await step(device, {}, () => multiply(product, ...operands))) as Step<never, Tensor>;
      const got = (await read(cast(run({}), 'f32'))) as Float32Array;
      // The first variant is the plain tile.
      reference ??= got;
      if (agrees(got, reference, TOLERANCE[product.dtype as 'f32' | 'f16']))
        trials.push({ variant: formatVariant(variant), run, times: [] });
      else {
        run.dispose();
        wrong.push({ variant: formatVariant(variant) });
      }
    }
    for (const trial of trials) trial.times.push(await timeOf(device, trial.run));
    // What took twice as long as the best at once need not be measured further.
    const min = Math.min(...trials.map(({ times }) => times[0] as number));
    const hopeful = trials.filter(({ variant, times }) => variant === usual || (times[0] as number) < 2 * min);
    for (let i = 1; i < runs; i++) for (const trial of hopeful) trial.times.push(await timeOf(device, trial.run));
  } finally {
    for (const { run } of trials) run.dispose();
    prepare?.dispose();
    for (const t of values) free(t);
    if (kept === undefined) device.tuned.delete(work);
    else device.tuned.set(work, kept);
  }
  const ranked = trials.map(({ variant, times }) => ({ variant, ms: median(times) })).sort((x, y) => x.ms - y.ms);
  const [best] = ranked;
  if (!best) throw new DeviceError(`tune: no variant of ${work} computes the right product on '${device.name}'`);
  device.tuned.set(work, best.variant);
  const before = ranked.find(({ variant }) => variant === usual)?.ms ?? best.ms;
  return { work, chosen: best.variant, before, after: best.ms, tried: [...ranked, ...wrong] };
}

/** The product by the usual tiles, where a program has asked for another way: what that computes is compared with them, not with itself. */
async function usualResult(
  device: Device,
  work: string,
  product: Product,
  operands: readonly [Tensor, Tensor],
): Promise<Float32Array> {
  const { form } = device;
  device.tuned.set(work, formatVariant(candidateVariants(device, product)[0] as MatmulVariant));
  Reflect.deleteProperty(device, 'form');
  try {
    using run = (await step(device, {}, () => multiply(product, ...operands))) as Step<never, Tensor>;
    return (await read(cast(run({}), 'f32'))) as Float32Array;
  } finally {
    if (form) device.form = form;
  }
}

/** Random values between -1 and 1 of a product's operand, as it lies in memory. */
function operandOf(device: Device, { rows, cols, inner, batch, a, b }: Product, which: 'a' | 'b'): Tensor {
  const turned = which === 'a' ? a.along === 'outer' : b.along === 'inner';
  const [down, across] = which === 'a' ? [rows, inner] : [inner, cols];
  const shape = [batch, ...(turned ? [across, down] : [down, across])];
  const count = batch * down * across;
  // First the memory: where there is none, the values need not be made.
  const operand = variable(device, shape);
  // A multiplicative hash of the index.
  write(
    operand,
    Float32Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >> 16) / 0x8000),
  );
  return operand;
}

function multiply({ a, b }: Product, left: Tensor, right: Tensor): Tensor {
  return matmul(left, right, { transposeA: a.along === 'outer', transposeB: b.along === 'inner' });
}

function agrees(got: Float32Array, wanted: Float32Array, tolerance: number): boolean {
  const scale = wanted.reduce((max, x) => Math.max(max, Math.abs(x)), 1e-30);
  return got.every((x, i) => Math.abs(x - (wanted[i] as number)) <= tolerance * scale);
}

/** Milliseconds of a run, over as many as take at least two. */
async function timeOf(device: Device, run: Step<never, Tensor>): Promise<number> {
  for (let count = 1; ; count *= 4) {
    const began = performance.now();
    for (let i = 0; i < count; i++) run({});
    await device.finished();
    const ms = performance.now() - began;
    if (ms > 2 || count >= 256) return ms / count;
  }
}
