import type { Device } from '../../gpu/index.ts';
import type { DType } from '../../tensor/values/index.ts';
import type { MatmulKernel, TailSpec } from './kernel-interface.ts';
import { INNERMOST, type LanesSpec, lanesAcross, lanesKernel, type Operand } from './lane-kernel.ts';
import { tileKernel } from './tile-kernel.ts';

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
 * How a product is computed. `lanes`: `tall` rows × `columns` an invocation, for CPU adapters. `tile`: tiles of
 * `8 · micro` squared over workgroup memory, for GPUs, the inner axis split into `parts` that other workgroups sum.
 */
export type MatmulForm =
  | { readonly kind: 'lanes'; readonly tall: number; readonly columns: number }
  | { readonly kind: 'tile'; readonly micro: 4 | 8; readonly parts: number };

/** Lanes that share loads of a: subgroups have at least so many. 0: there are none, or smaller ones. */
export function sharedLanes(device: Device): 0 | 4 | 8 {
  const least = device.features.has('subgroups') ? (device.adapter.subgroupMinSize ?? 0) : 0;
  return least >= 8 ? 8 : least >= 4 ? 4 : 0;
}

/**
 * The form for a product: what {@link tune} found for it on this adapter, else what has proved good on its kind. Forms
 * with subgroups are taken by default on CPU adapters alone, on which the tests run them; elsewhere only after the tuner has
 * compared their results.
 */
export function chooseForm(device: Device, product: Product): MatmulForm {
  asked?.(product);
  const tuned = device.tuned.get(productClass(product));
  const form = tuned === undefined ? undefined : parseForm(tuned);
  // Files can be damaged, or of another version: a form is taken only where it computes this product.
  if (form && isPossible(device, product, form)) return form;
  return device.isSoftware && sharedLanes(device) > 0 ? defaultLanes(device, product) : defaultTile(product);
}

/** Whether a form computes a product on a device. */
function isPossible(device: Device, { cols, inner }: Product, form: MatmulForm): boolean {
  if (form.kind === 'tile') return form.parts <= Math.max(1, inner);
  return sharedLanes(device) > 0 && (cols % 4 !== 0 || form.columns % 4 === 0);
}

/** All forms worth trying for a product on a device. */
export function candidateForms(device: Device, product: Product): MatmulForm[] {
  const forms: MatmulForm[] = [];
  for (const micro of [4, 8] as const) {
    for (const parts of [1, 2, 4, 8, 16]) {
      const tiles = tilesFor(product, 8 * micro);
      // Splitting pays where tiles are few and sums are long.
      if (parts === 1 || (tiles * parts <= 1024 && product.inner >= 64 * parts))
        forms.push({ kind: 'tile', micro, parts });
    }
  }
  if (sharedLanes(device) > 0) {
    for (const tall of talls) {
      for (const columns of product.cols % 4 === 0 ? [4, 8] : widths) forms.push({ kind: 'lanes', tall, columns });
    }
  }
  return forms;
}

/** Heights of the lanes form, and their time for the same work relative to each other: the taller, the fewer loads of b. */
const talls = [8, 16, 32, 40] as const;
/** Columns of the lanes form. */
const widths = [3, 4, 5, 6, 8] as const;
const timeOfTall = { 8: 1.35, 16: 1.06, 32: 1, 40: 1 } as const;

/** Rows and columns beyond the edge are computed and dropped: the form that wastes least, all told. */
function defaultLanes(device: Device, { rows, cols }: Product): MatmulForm {
  const lanes = sharedLanes(device) as 4 | 8;
  const best = <N extends number>(of: readonly N[], time: (n: N) => number): N =>
    of.reduce((a, b) => (time(b) < time(a) ? b : a));
  const tall = best(talls, (n) => Math.ceil(rows / n) * n * timeOfTall[n]);
  const wasted = (columns: number) => {
    const across = lanesAcross({ lanes, columns });
    return (Math.ceil(cols / across) * across) / cols;
  };
  // Subgroups of 4 want more columns a lane: 1024³ on SwiftShader 1445 ms with four of them, 1080 with eight.
  const narrow = lanes === 8 ? 1 : 1.3;
  if (cols % 4 === 0) {
    return { kind: 'lanes', tall, columns: best([4, 8] as const, (n) => wasted(n) * (n === 4 ? narrow : 1.02)) };
  }
  return { kind: 'lanes', tall, columns: best([4, 5, 6, 8] as const, (n) => wasted(n) * (1 + 0.4 / n)) };
}

function defaultTile(product: Product): MatmulForm {
  const large = tilesFor(product, 64);
  const micro = large >= 64 ? 8 : 4;
  const tiles = micro === 8 ? large : tilesFor(product, 32);
  // Without enough tiles to fill a GPU the inner axis is split: the gradients of small weights over many tokens.
  let parts = 1;
  while (tiles * parts < 64 && product.inner >= 256 * parts) parts *= 2;
  // And so that no more than 64 runs of 256 numbers are added up by one workgroup.
  while (product.inner > 64 * 256 * parts) parts *= 2;
  return { kind: 'tile', micro, parts };
}

function tilesFor({ rows, cols, batch }: Product, side: number): number {
  return Math.ceil(rows / side) * Math.ceil(cols / side) * batch;
}

/**
 * The work that a form is kept for: a product of exactly these sizes, whose operands lie like this. A form that fits one width
 * may not exist for the next (what is stored by fours needs a multiple of four), and what is fastest was measured for this one.
 */
export function productClass({ rows, cols, inner, batch, a, b, dtype }: Product): string {
  const lies = ({ along, four }: Operand) => `${along[0]}${four ? 4 : 1}`;
  return `matmul ${dtype} ${lies(a)} ${lies(b)} ${rows}x${inner}x${cols} x${batch}`;
}

export function formatForm(form: MatmulForm): string {
  return form.kind === 'lanes' ? `lanes ${form.tall} ${form.columns}` : `tile ${form.micro} ${form.parts}`;
}

/** What {@link formatForm} wrote; `undefined` for anything else, for instance of another version. */
export function parseForm(text: string): MatmulForm | undefined {
  const [, kind, first, second] = /^(lanes|tile) (\d{1,2}) (\d{1,2})$/.exec(text) ?? [];
  const [x, y] = [Number(first), Number(second)];
  if (kind === 'lanes' && talls.some((tall) => tall === x) && widths.some((columns) => columns === y)) {
    return { kind, tall: x, columns: y };
  }
  if (kind === 'tile' && (x === 4 || x === 8) && y >= 1 && y <= 64) return { kind, micro: x, parts: y };
  return undefined;
}

const kernels = new Map<string, MatmulKernel>();

/** The kernel of a form for a product and a tail. */
export function kernelOf(device: Device, form: MatmulForm, product: Product, tail: TailSpec): MatmulKernel {
  if (form.kind === 'tile') {
    const { micro } = form;
    // A second set of sums takes registers. Products of models' layers do without, and add up 1024 numbers one after the other.
    const loops = product.inner / form.parts <= 1024 ? 1 : 2;
    return known(['tile', micro, loops, { ...tail, four: false }], () => tileKernel(micro, loops, tail));
  }
  const lanes = sharedLanes(device);
  if (lanes === 0) throw new Error('internal: a matmul of lanes on a device without subgroups');
  const { tall, columns } = form;
  if (tail.four && columns % 4 !== 0) throw new Error(`internal: ${columns} columns stored by fours`);
  const { a, b } = product;
  // The step is four products. One loop for short products, whose time is in how it begins and ends.
  const steps = product.inner / 4;
  const loops = steps <= INNERMOST ? 1 : steps <= 32 * INNERMOST ? 2 : 4;
  const spec: LanesSpec = { tall, columns, lanes, a, b, ragged: product.inner % 4 !== 0, loops, tail };
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
