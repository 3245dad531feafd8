import { type Device, KernelError } from '../../gpu/index.ts';
import { currentRecording, Recording, record } from '../../tensor/graph/index.ts';
import type { DType } from '../../tensor/values/index.ts';
import {
  type EpilogueSpec,
  type MatmulKernel,
  matmulKernel,
  type SplitSumKernel,
  splitSumKernel,
  wgslTools,
} from './kernel-interface.ts';
import type { Operand, SubgroupSpec } from './subgroup-kernel.ts';
import type { TileForm, TileSpec } from './tile-kernel.ts';

/** A product as the variants see it: sizes, and how the operands lie. */
export interface Product {
  readonly rows: number;
  readonly cols: number;
  readonly inner: number;
  readonly batch: number;
  readonly a: Operand;
  readonly b: Operand;
  readonly dtype: DType;
}

/**
 * How a product is computed. `subgroup`: a thread computes `rowsPerThread` × `colsPerThread` of it and shares loads with its
 * subgroup, for CPU adapters. `tile`: tiles of `8 · threadTile` squared in workgroup memory, for GPUs; a thread computes `threadTile`
 * squared, and the inner axis is split into `splitK` parts, which another kernel adds up.
 */
export type MatmulVariant =
  | { readonly kind: 'subgroup'; readonly rowsPerThread: number; readonly colsPerThread: number }
  | { readonly kind: 'tile'; readonly threadTile: 4 | 8; readonly splitK: number };

/**
 * The variant for a product: what {@link tune} found for it on this adapter, else what has proved good on its kind. Variants
 * with subgroups are taken by default on CPU adapters alone, on which the tests run them; elsewhere only after the tuner has
 * compared their results.
 */
export function chooseVariant(device: Device, product: Product): MatmulVariant {
  const recording = currentRecording();
  if (recording) observed.get(recording)?.push(product);
  const tuned = tunedVariant(device, product);
  if (tuned) return tuned;
  return device.profile.kind === 'cpu' && device.profile.sharedThreads > 0
    ? defaultSubgroup(device, product)
    : defaultTile(device, product);
}

/** What {@link tune} found for a product. */
export function tunedVariant(device: Device, product: Product): MatmulVariant | undefined {
  const tuned = device.tuned.get(productClass(product));
  const variant = tuned === undefined ? undefined : parseVariant(tuned);
  // Files can be damaged, or of another version: a variant is taken only where it computes this product.
  return variant && isPossible(device, product, variant) ? variant : undefined;
}

/** Whether a variant computes a product on a device. */
function isPossible(device: Device, { cols, inner }: Product, variant: MatmulVariant): boolean {
  if (variant.kind === 'tile') return variant.splitK <= Math.max(1, inner);
  return device.profile.sharedThreads > 0 && (cols % 4 !== 0 || variant.colsPerThread % 4 === 0);
}

/**
 * All variants worth trying for a product on a device. The first is that which the others' results are compared with: the small tile, also
 * on CPU adapters, where tiles cannot win; on GPUs a thread of the subgroup variants would need more registers than there are.
 */
export function candidateVariants(device: Device, product: Product): MatmulVariant[] {
  const plain: MatmulVariant = { kind: 'tile', threadTile: 4, splitK: 1 };
  const { kind, sharedThreads } = device.profile;
  if (kind === 'cpu' && sharedThreads > 0) {
    const across = product.cols % 4 === 0 ? ([4, 8] as const) : widths;
    return [
      plain,
      ...heights.flatMap((rowsPerThread) =>
        across.map((colsPerThread) => ({ kind: 'subgroup', rowsPerThread, colsPerThread }) as const),
      ),
    ];
  }
  const tiles = ([4, 8] as const).flatMap((threadTile) =>
    [1, 2, 4, 8, 16]
      // Splitting pays where tiles are few and sums are long.
      .filter((splitK) => tilesFor(product, 8 * threadTile) * splitK <= 1024 && product.inner >= 64 * splitK)
      .map((splitK) => ({ kind: 'tile', threadTile, splitK }) as const),
  );
  return [plain, { ...plain, threadTile: 8 }, ...tiles.filter(({ splitK }) => splitK > 1)];
}

/** Rows per thread of the subgroup variant, and their time for the same work relative to each other: the more, the fewer loads of b. */
const heights = [8, 16, 32, 40] as const;
/** Columns per thread of the subgroup variant. */
const widths = [3, 4, 5, 6, 8] as const;
const timeOfHeight = { 8: 1.35, 16: 1.06, 32: 1, 40: 1 } as const;

/**
 * Multiply-adds of products that take a small kernel on subgroups of 4, SwiftShader's, and of those that take the smallest. Its compiler
 * takes 0.7 s for 32 × 8 sums a thread and 0.15 s for 16 × 4, and a training step has dozens of kernels: a small product would have to run hundreds or
 * thousands of times until a larger one pays.
 */
const SMALL_PRODUCT = 2 ** 22;
const SMALLEST_PRODUCT = 2 ** 20;

/** Rows and columns beyond the edge are computed and dropped: the variant that wastes least, all told. */
function defaultSubgroup(device: Device, { rows, cols, inner, batch }: Product): MatmulVariant {
  const sharedThreads = device.profile.sharedThreads as 4 | 8;
  const work = rows * cols * inner * batch;
  if (sharedThreads === 4 && work <= SMALL_PRODUCT) {
    return { kind: 'subgroup', rowsPerThread: rows <= 8 || work <= SMALLEST_PRODUCT ? 8 : 16, colsPerThread: 4 };
  }
  const best = <N extends number>(of: readonly N[], time: (n: N) => number): N =>
    of.reduce((a, b) => (time(b) < time(a) ? b : a));
  const rowsPerThread = best(heights, (n) => Math.ceil(rows / n) * n * timeOfHeight[n]);
  const wasted = (colsPerThread: number) => {
    const across = groupOf(sharedThreads) * colsPerThread;
    return (Math.ceil(cols / across) * across) / cols;
  };
  // Subgroups of 4 want more columns per thread.
  const narrow = sharedThreads === 8 ? 1 : 1.3;
  const colsPerThread =
    cols % 4 === 0
      ? best([4, 8] as const, (n) => wasted(n) * (n === 4 ? narrow : 1.02))
      : best([4, 5, 6, 8] as const, (n) => wasted(n) * (1 + 0.4 / n));
  return { kind: 'subgroup', rowsPerThread, colsPerThread };
}

/**
 * By the vendor that the adapter tells, as `zeroseg bench --model` finds it good. Apple's and Intel's GPUs have 8 to 40 cores where NVIDIA's
 * and AMD's have 60 to 140: fewer large tiles keep them busy, and splitting only costs. A thread on those of phones has 64 registers, which
 * the 64 sums of the large tile would fill alone.
 */
function defaultTile({ adapter: { vendor } }: Device, product: Product): MatmulVariant {
  const isPhone = /^(arm|img|qua|sam)/.test(vendor);
  const busy = isPhone || /^(app|int)/.test(vendor) ? 16 : 64;
  const threadTile = isPhone || tilesFor(product, 64) < busy ? 4 : 8;
  const tiles = tilesFor(product, 8 * threadTile);
  // Few tiles leave a GPU's cores idle, so the inner axis is split: for the gradients of small weights over many tokens. A part of less than
  // 256 would save no more than the launch takes that adds the parts up. Where there are more tiles, it must be long to save more than
  // adding up takes; no workgroup adds up more than 64 runs of 256 numbers.
  let splitK = 1;
  const splitAt = (groups: number) => (groups < busy ? 512 : groups < 8 * busy ? 1025 : 64 * 256 + 1);
  while (product.inner >= splitAt(tiles * splitK) * splitK) splitK *= 2;
  return { kind: 'tile', threadTile, splitK };
}

function tilesFor({ rows, cols, batch }: Product, side: number): number {
  return Math.ceil(rows / side) * Math.ceil(cols / side) * batch;
}

/**
 * The work that a variant is kept for: a product of exactly these sizes, whose operands lie like this. A variant that fits one width
 * may not exist for the next (what is stored as vec4s needs a multiple of four), and what is fastest was measured for this one.
 */
export function productClass({ rows, cols, inner, batch, a, b, dtype }: Product): string {
  const lies = ({ along, four }: Operand) => `${along[0]}${four ? 4 : 1}`;
  return `matmul ${dtype} ${lies(a)} ${lies(b)} ${rows}x${inner}x${cols} x${batch}`;
}

export function formatVariant(variant: MatmulVariant): string {
  return variant.kind === 'subgroup'
    ? `subgroup ${variant.rowsPerThread} ${variant.colsPerThread}`
    : `tile ${variant.threadTile} ${variant.splitK}`;
}

/** What {@link formatVariant} wrote; `undefined` for anything else, for instance of another version. */
export function parseVariant(text: string): MatmulVariant | undefined {
  const [, rows, cols, side, parts] =
    /^(?:subgroup (8|16|32|40) ([3-68])|tile ([48]) ([1-9]|[1-5]\d|6[0-4]))$/.exec(text) ?? [];
  if (rows) return { kind: 'subgroup', rowsPerThread: Number(rows), colsPerThread: Number(cols) };
  return side ? { kind: 'tile', threadTile: Number(side) as 4 | 8, splitK: Number(parts) } : undefined;
}

/** Of all kernels for GPUs, where every launch takes its time: a step of few does not load what puts some of them together. */
const rule = (areCheap: boolean) => (areCheap ? undefined : import('./fewer-launches.ts'));

function loaded<M>(module: Promise<M>): Promise<M> {
  return module.catch((cause: Error) => {
    throw new KernelError('matmul', `matmul: its kernel could not be loaded (${cause.message}); reload the page`, '');
  });
}

/** Products before sums are added to those before them, which takes as long as some twelve products. */
const INNERMOST = 256;

/** Threads of a workgroup of the subgroup variant. */
function groupOf(sharedThreads: 4 | 8): number {
  return sharedThreads === 8 ? 8 : 16;
}

/** The kernel of a variant for a product and an epilogue. */
export function kernelOf(
  device: Device,
  variant: MatmulVariant,
  product: Product,
  epilogue: EpilogueSpec,
): MatmulKernel {
  const { a, b } = product;
  if (variant.kind === 'tile') {
    const { threadTile } = variant;
    // A second set of sums takes registers. Products of models' layers do without, and add up 1024 numbers one after the other.
    const loops = product.inner / variant.splitK <= 1024 ? 1 : 2;
    const side = 8 * threadTile;
    // Of f32 there are the usual tiles, unless a program asks for others or the GPU is Apple's.
    const form = (device.form?.(product.dtype) as TileForm | undefined) ?? product.dtype + device.adapter.vendor;
    const spec: TileSpec = { threadTile, a, b, loops, epilogue, form };
    return memoized(spec, () =>
      matmulKernel(
        {
          a: 'vec4<T>',
          b: 'vec4<T>',
          requires: (form as TileForm).requires,
          rowsPerWorkgroup: side,
          colsPerWorkgroup: side,
          wgsl: async () => {
            // Usual are tiles of f32 in whole vec4s, but Apple's.
            const isUsual = a.four && b.four && epilogue.four && /2(?!ap)/.test(form as string);
            const special = isUsual ? undefined : await loaded(import('./ragged-tiles.ts'));
            const wgsl = (await loaded(import('./tile-kernel.ts'))).tileWgsl(spec, wgslTools, special);
            return special ? special.formed(wgsl, spec, wgslTools) : wgsl;
          },
          rule,
        },
        epilogue,
      ),
    );
  }
  // Where there are none, nothing chooses this variant.
  const sharedThreads = device.profile.sharedThreads as 4 | 8;
  const { rowsPerThread, colsPerThread } = variant;
  const steps = sharedThreads === 8 ? 2 : 4;
  const innermost = INNERMOST / steps;
  // One loop for short products, whose time is in how it begins and ends.
  const turns = product.inner / steps;
  const loops = turns <= innermost ? 1 : turns <= 32 * innermost ? 2 : 4;
  const spec: SubgroupSpec = {
    rowsPerThread,
    colsPerThread,
    a,
    b,
    ragged: product.inner % steps !== 0,
    loops,
    innermost,
    epilogue,
  };
  const group = groupOf(sharedThreads);
  const vectorOf = ({ along, four }: Operand) =>
    four ? (along === 'inner' && steps === 2 ? 'vec2<T>' : 'vec4<T>') : 'T';
  // `innermost` tells the two kernels with subgroups apart.
  return memoized(spec, () =>
    matmulKernel(
      {
        ...{ a: vectorOf(a), b: vectorOf(b) },
        requires: ['subgroups'],
        rowsPerWorkgroup: rowsPerThread,
        colsPerWorkgroup: group * colsPerThread,
        wgsl: async () =>
          (
            await loaded(sharedThreads === 8 ? import('./subgroup-kernel.ts') : import('./quad-kernel.ts'))
          ).subgroupWgsl(spec, group, wgslTools),
      },
      epilogue,
    ),
  );
}

/** The kernel that adds up the parts of a product. */
export function splitSumOf(epilogue: EpilogueSpec): SplitSumKernel {
  return memoized(epilogue, () =>
    splitSumKernel(
      epilogue,
      async () => (await loaded(import('./split-sum-kernel.ts'))).splitSumWgsl(epilogue, wgslTools),
      rule,
    ),
  );
}

const kernels = new Map<string, MatmulKernel | SplitSumKernel>();

function memoized<K extends MatmulKernel | SplitSumKernel>(key: unknown, make: () => K): K {
  const text = JSON.stringify(key);
  let made = kernels.get(text) as K | undefined;
  if (!made) kernels.set(text, (made = make()));
  return made;
}

/** The products of recordings that {@link productsOf} makes. */
const observed = new WeakMap<Recording, Product[]>();

/** The products that `body` records, in order. */
export function productsOf(device: Device, body: () => unknown): Product[] {
  const recording = new Recording(device, false);
  const products: Product[] = [];
  observed.set(recording, products);
  record(recording, body);
  return products;
}
