import type { Launch } from '@zeroseg/core';

/** What the time of launches grows with. */
export const workKinds = ['products', 'smallProducts', 'attention', 'optimizer', 'other', 'launches'] as const;
export type WorkKind = (typeof workKinds)[number];

/**
 * FLOP of products (of large ones, and of small ones, which fill no device) and of attention, bytes that an optimizer's and all other kernels read
 * and write, and how many launches there are.
 */
export type Work = Readonly<Record<WorkKind, number>>;

/** What launches do. FLOP are those of matrix products and attention: what is more than one in a hundred of a transformer's. */
export function workOf(launches: readonly Launch[]): Work {
  const work = { products: 0, smallProducts: 0, attention: 0, optimizer: 0, other: 0, launches: launches.length };
  for (const launch of launches.flatMap((one) => one.of ?? [one])) {
    const { name, names } = launch.kernel;
    // What adds up the parts of a product that was split has no products.
    if (name.startsWith('matmul') && names[0] !== 'parts') {
      const flops = 2 * times(launch, 'rows', 'cols', 'inner', 'batch');
      work[flops < SMALL_PRODUCT ? 'smallProducts' : 'products'] += flops;
    } else if (name.startsWith('attention') && !name.endsWith('rows')) {
      // Forward scores and their values; backward the scores again, and four gradients.
      const products = name.includes('backward') ? 10 : 4;
      work.attention += products * times(launch, 'images', 'heads', 'queries', 'keys', 'width');
    } else work[OPTIMIZER.test(name) ? 'optimizer' : 'other'] += bytesOf(launch);
  }
  return work;
}

/** FLOP of {@link workOf}. */
export function flopsOfWork({ products, smallProducts, attention }: Work): number {
  return products + smallProducts + attention;
}

/** FLOP of a product below which it is small. */
const SMALL_PRODUCT = 2 ** 27;

const OPTIMIZER = /^(adamw|squared-norm|clip|accumulate gradients|copy gradient|moving average)/;

function times({ kernel, params }: Launch, ...names: string[]): number {
  return names.reduce((all, name) => all * (params[kernel.paramNames.indexOf(name)] ?? 0), 1);
}

/** What a launch binds, each once; twice where it is read and written. */
function bytesOf({ kernel, tensors }: Launch): number {
  const seen = new Set<unknown>();
  return tensors.reduce((sum, { storage }, i) => {
    if (seen.has(storage)) return sum;
    seen.add(storage);
    return sum + storage.bytes * (kernel.bindings[i]?.access === 'update' ? 2 : 1);
  }, 0);
}
