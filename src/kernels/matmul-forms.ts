import type { Device } from '../gpu/device.ts';
import type { DType } from '../tensor/dtype.ts';
import type { MatmulKernel, TailSpec } from './matmul-kernels.ts';
import { type LanesSpec, lanesKernel, type Operand } from './matmul-lanes.ts';
import { tileKernel } from './matmul-tiles.ts';

/** A product as the forms see it: sizes, and how the operands lie. */
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
 * How a product is computed. `lanes`: `tall` rows and `wide` fours of columns an invocation, for CPU adapters. `tile`: tiles of
 * `8 · micro` squared over workgroup memory, for GPUs, the inner axis split into `parts` that other workgroups sum.
 */
export type MatmulForm =
  | { readonly kind: 'lanes'; readonly tall: 8 | 16 | 32; readonly wide: 1 | 2 }
  | { readonly kind: 'tile'; readonly micro: 4 | 8; readonly parts: number };

/** Lanes that share loads of a: subgroups have at least so many. 0: there are none, or smaller ones. */
export function sharedLanes(device: Device): 0 | 4 | 8 {
  const least = device.features.has('subgroups') ? (device.adapter.subgroupMinSize ?? 0) : 0;
  return least >= 8 ? 8 : least >= 4 ? 4 : 0;
}

/**
 * The form for a product: what {@link tune} found for its class on this adapter, else what has proved good on its kind. Forms
 * with subgroups are taken by default on CPU adapters alone, on which the tests run them; elsewhere only after the tuner has
 * compared their results.
 */
export function chooseForm(device: Device, product: Product): MatmulForm {
  asked?.(product);
  const tuned = device.tuned.get(productClass(product));
  const form = tuned === undefined ? undefined : parseForm(tuned);
  if (form && (form.kind === 'tile' || sharedLanes(device) > 0)) return form;
  return device.isSoftware && sharedLanes(device) > 0 ? defaultLanes(device, product) : defaultTile(product);
}

/** All forms worth trying for a product on a device. */
export function candidateForms(device: Device, product: Product): MatmulForm[] {
  const forms: MatmulForm[] = [];
  for (const micro of [4, 8] as const) {
    for (const parts of [1, 2, 4, 8, 16]) {
      const tiles = tilesFor(product, 8 * micro);
      // Splitting pays where tiles are few and sums are long.
      if (parts === 1 || (tiles * parts <= 1024 && product.inner >= 64 * parts)) forms.push({ kind: 'tile', micro, parts });
    }
  }
  if (sharedLanes(device) > 0) {
    for (const tall of [8, 16, 32] as const) {
      for (const wide of [1, 2] as const) {
        if ((tall === 8 || product.rows > tall / 2) && (wide === 1 || product.cols > 32)) forms.push({ kind: 'lanes', tall, wide });
      }
    }
  }
  return forms;
}

// Rows beyond the edge are computed and dropped; a taller form loads b less often. Relative times on lavapipe at 1024³.
const timeOfTall = { 8: 1.35, 16: 1.06, 32: 1 } as const;

function defaultLanes(device: Device, { rows, cols }: Product): MatmulForm {
  let best: 8 | 16 | 32 = 8;
  let least = Number.POSITIVE_INFINITY;
  for (const tall of [8, 16, 32] as const) {
    const time = Math.ceil(rows / tall) * tall * timeOfTall[tall];
    if (time < least) [best, least] = [tall, time];
  }
  // Subgroups of 4 want more columns a lane: 1024³ on SwiftShader 1445 ms with one four of them, 1080 with two.
  if (sharedLanes(device) === 4) return { kind: 'lanes', tall: best === 32 ? 16 : best, wide: cols > 64 ? 2 : 1 };
  return { kind: 'lanes', tall: best, wide: 1 };
}

function defaultTile(product: Product): MatmulForm {
  const large = tilesFor(product, 64);
  const micro = large >= 64 ? 8 : 4;
  const tiles = micro === 8 ? large : tilesFor(product, 32);
  // Without enough tiles to fill a GPU the inner axis is split: the gradients of small weights over many tokens.
  let parts = 1;
  while (tiles * parts < 64 && product.inner >= 256 * parts) parts *= 2;
  return { kind: 'tile', micro, parts };
}

function tilesFor({ rows, cols, batch }: Product, side: number): number {
  return Math.ceil(rows / side) * Math.ceil(cols / side) * batch;
}

/** Products that differ by less than a factor of two in each size share their form. */
export function productClass({ rows, cols, inner, batch, a, b, dtype }: Product): string {
  const power = (n: number) => Math.ceil(Math.log2(Math.max(1, n)));
  const lies = ({ along, four }: Operand) => `${along[0]}${four ? 4 : 1}`;
  return `matmul ${dtype} ${lies(a)} ${lies(b)} ${[rows, cols, inner, batch].map(power).join(' ')}`;
}

export function formatForm(form: MatmulForm): string {
  return form.kind === 'lanes' ? `lanes ${form.tall} ${form.wide}` : `tile ${form.micro} ${form.parts}`;
}

/** What {@link formatForm} wrote; `undefined` for anything else, for instance of another version. */
export function parseForm(text: string): MatmulForm | undefined {
  const [kind, first, second] = text.split(' ');
  const [x, y] = [Number(first), Number(second)];
  if (kind === 'lanes' && (x === 8 || x === 16 || x === 32) && (y === 1 || y === 2)) return { kind, tall: x, wide: y };
  if (kind === 'tile' && (x === 4 || x === 8) && Number.isInteger(y) && y >= 1 && y <= 64) return { kind, micro: x, parts: y };
  return undefined;
}

const kernels = new Map<string, MatmulKernel>();

/** The kernel of a form for a product and a tail. */
export function kernelOf(device: Device, form: MatmulForm, product: Product, tail: TailSpec): MatmulKernel {
  if (form.kind === 'tile') {
    const { micro } = form;
    return known(['tile', micro, { ...tail, four: false }], () => tileKernel(micro, tail));
  }
  const lanes = sharedLanes(device);
  if (lanes === 0) throw new Error('internal: a matmul of lanes on a device without subgroups');
  const { tall, wide } = form;
  const { a, b } = product;
  const spec: LanesSpec = { tall, wide, lanes, a, b, ragged: product.inner % 4 !== 0, tail };
  return known(spec, () => lanesKernel(spec));
}

function known(key: unknown, make: () => MatmulKernel): MatmulKernel {
  const text = JSON.stringify(key);
  let made = kernels.get(text);
  if (!made) kernels.set(text, (made = make()));
  return made;
}

let asked: ((product: Product) => void) | undefined;

/** The products that `body` asks forms for. */
export function productsOf(body: () => void): Product[] {
  const products: Product[] = [];
  asked = (product) => products.push(product);
  try {
    body();
  } finally {
    asked = undefined;
  }
  return products;
}
