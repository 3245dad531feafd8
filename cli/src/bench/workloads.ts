import {
  add,
  attention,
  type Device,
  free,
  gelu,
  gradients,
  interpolate,
  layerNorm,
  linear,
  type MatmulOptions,
  matmul,
  permute,
  type Results,
  type Shape,
  softmax,
  sum,
  Tensor,
  variable,
} from '@zeroseg/core';
import {
  adamW,
  adamWHyperparameters,
  clipGradients,
  type FlatParameters,
  flattenParameters,
  formatShape,
  HYPERPARAMETER_COUNT,
  size,
} from '@zeroseg/core/internal';
import { groupMembers, pamr, reconstruction, segmentMatch } from '@zeroseg/core/zeroseg';
/** Something to measure. */
export interface Workload {
  readonly name: string;
  /** The heading it stands under. */
  readonly group: string;
  /** Multiply-adds count two; only those of products. */
  readonly flops?: number;
  /** Bytes that must be read and written at least. */
  readonly bytes?: number;
  /** Makes what the work needs on the device, and gives the body of a step; everything that `lend` gave is freed afterwards. */
  readonly prepare: (lend: Lend) => () => Results;
}

/** A variable of random numbers (or of the given ones); or keeps something else to be disposed. */
export interface Lend {
  readonly device: Device;
  (shape: Shape, values?: Float32Array | Uint32Array): Tensor;
  keep<T extends Tensor | Disposable | { dispose(): void }>(owned: T): T;
}

/** Runs `work` with a {@link Lend}, and frees what it lent. */
export async function lending<R>(device: Device, work: (lend: Lend) => Promise<R>): Promise<R> {
  const owned: (Tensor | Disposable | { dispose(): void })[] = [];
  const keep = <T extends Tensor | Disposable | { dispose(): void }>(one: T): T => {
    owned.push(one);
    return one;
  };
  const lend = (shape: Shape, values?: Float32Array | Uint32Array) =>
    keep(variable(device, shape, values ?? noise(size(shape), owned.length)));
  try {
    return await work(Object.assign(lend, { device, keep }));
  } finally {
    for (const one of owned.reverse()) {
      if (one instanceof Tensor) free(one);
      else if ('dispose' in one) one.dispose();
      else one[Symbol.dispose]();
    }
  }
}

/** Numbers between -1 and 1: a multiplicative hash of their index. */
function noise(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = (Math.imul(i + 1 + seed * 7919, 0x9e3779b1) >> 8) / 2 ** 23;
  return values;
}

/** Every kernel at the shapes of a ViT-B with batch 4 and of the tiny ZeroSeg; `quick`: at a fraction of those sizes. */
export function kernelWorkloads(quick: boolean): Workload[] {
  const [tokens, dim, hidden] = quick ? [197, 96, 384] : [788, 768, 3072];
  const [batch, heads, width] = quick ? [1, 4, 32] : [2, 12, 64];
  const large = quick ? 2 ** 18 : 2 ** 22;
  const side = quick ? 256 : 1024;
  const images = quick ? 2 : 8;
  return [
    ...(quick ? [256] : [512, 1024]).map((n) => product(`matmul ${n}³`, [], n, n, n)),
    product(`matmul ${tokens}×${dim}×${hidden}`, [], tokens, dim, hidden),
    product(`gradient dx of ${tokens}×${dim}×${hidden}`, [], tokens, hidden, dim, { transposeB: true }),
    product(`gradient dw of ${tokens}×${dim}×${hidden}`, [], dim, tokens, hidden, { transposeA: true }),
    ...[192, 197].map((n) => product(`batched ${heads}×${n}×${width}×${n}`, [heads], n, width, n)),
    ...[192, 197].map((n) => product(`batched ${heads}×${n}×${n}×${width}`, [heads], n, n, width)),
    linearGelu(tokens, dim, hidden),
    ...attentions([batch, heads, 197, width], 'ViT-B'),
    ...(quick ? [] : [...attentions([8, 4, 26, 24], 'tiny encoder'), ...attentions([8, 4, 65, 16], 'tiny decoder')]),
    unary('softmax', [2364, 197], softmax),
    ...layerNorms(tokens, dim),
    ...(quick ? [] : layerNorms(208, 96)),
    unary('gelu', [tokens, hidden], gelu),
    {
      name: `add ${formatShape([tokens, hidden])}`,
      group: 'elements and sums',
      bytes: 12 * tokens * hidden,
      prepare: (lend) => {
        const [a, b] = [lend([tokens, hidden]), lend([tokens, hidden])];
        return () => add(a, b);
      },
    },
    unary('sum', [large], (x) => sum(x), 4 * large),
    unary('transpose', [side, side], (x) => permute(x, [1, 0])),
    resize([1, 21, 28, 28], quick ? 112 : 448),
    grouping(images, 32, 79, quick ? 96 : 768),
    matching(images, 8, 30, quick ? 64 : 768),
    rebuilding(images, quick ? 64 : 224, quick ? 8 : 16),
    refining(21, quick ? 128 : 448),
    adamWPage(quick ? 1e5 : 1e7),
  ];
}

function product(
  name: string,
  batch: Shape,
  rows: number,
  inner: number,
  cols: number,
  options: MatmulOptions = {},
): Workload {
  const count = size(batch);
  return {
    name,
    group: 'matmul',
    flops: 2 * count * rows * inner * cols,
    bytes: 4 * count * (rows * inner + inner * cols + rows * cols),
    prepare: (lend) => {
      const a = lend([...batch, ...(options.transposeA ? [inner, rows] : [rows, inner])]);
      const b = lend([...batch, ...(options.transposeB ? [cols, inner] : [inner, cols])]);
      return () => matmul(a, b, options);
    },
  };
}

function linearGelu(tokens: number, dim: number, hidden: number): Workload {
  return {
    name: `linear + gelu ${tokens}×${dim}×${hidden}`,
    group: 'matmul',
    flops: 2 * tokens * dim * hidden,
    bytes: 4 * (tokens * dim + dim * hidden + hidden + tokens * hidden),
    prepare: (lend) => {
      const [x, weight, bias] = [lend([tokens, dim]), lend([hidden, dim]), lend([hidden])];
      return () => linear(x, weight, { bias, activation: 'gelu' });
    },
  };
}

/** Forward, and with the gradients: two products, and five more. */
function attentions(shape: readonly [number, number, number, number], what: string): Workload[] {
  const [batch, heads, tokens, width] = shape;
  const one = 2 * batch * heads * tokens * tokens * width;
  const name = `attention ${formatShape(shape)}, ${what}`;
  const operands = (lend: Lend) => [lend(shape), lend(shape), lend(shape), lend(shape)] as const;
  return [
    {
      name,
      group: 'attention',
      flops: 2 * one,
      bytes: 16 * size(shape),
      prepare: (lend) => {
        const [q, k, v] = operands(lend);
        return () => attention(q, k, v);
      },
    },
    {
      name: `${name}, forward + backward`,
      group: 'attention',
      flops: 7 * one,
      bytes: 32 * size(shape),
      prepare: (lend) => {
        const [q, k, v, dy] = operands(lend);
        return () => {
          const y = attention(q, k, v);
          return [y, ...gradients(y, [q, k, v], dy)];
        };
      },
    },
  ];
}

function layerNorms(rows: number, cols: number): Workload[] {
  const count = rows * cols;
  const name = `layerNorm ${formatShape([rows, cols])}`;
  const operands = (lend: Lend) => [lend([rows, cols]), lend([cols]), lend([cols]), lend([rows, cols])] as const;
  return [
    {
      name,
      group: 'rows',
      bytes: 4 * (2 * count + 2 * cols),
      prepare: (lend) => {
        const [x, weight, bias] = operands(lend);
        return () => layerNorm(x, weight, bias, 1e-6);
      },
    },
    {
      name: `${name}, forward + backward`,
      group: 'rows',
      bytes: 4 * (5 * count + 5 * cols),
      prepare: (lend) => {
        const [x, weight, bias, dy] = operands(lend);
        return () => {
          const y = layerNorm(x, weight, bias, 1e-6);
          return [y, ...gradients(y, [x, weight, bias], dy)];
        };
      },
    },
  ];
}

function unary(op: string, shape: Shape, run: (x: Tensor) => Tensor, bytes = 8 * size(shape)): Workload {
  return {
    name: `${op} ${formatShape(shape)}`,
    group: op === 'softmax' ? 'rows' : 'elements and sums',
    bytes,
    prepare: (lend) => {
      const x = lend(shape);
      return () => run(x);
    },
  };
}

function resize(shape: Shape, to: number): Workload {
  const [batch = 1, channels = 1] = shape;
  return {
    name: `resize ${formatShape(shape)} to ${to}×${to}`,
    group: 'elements and sums',
    bytes: 4 * (size(shape) + batch * channels * to * to),
    prepare: (lend) => {
      const x = lend(shape);
      return () => interpolate(x, to, to, { mode: 'bilinear', channels: 'first' });
    },
  };
}

function grouping(batch: number, groups: number, members: number, dim: number): Workload {
  return {
    name: `grouping with Gumbel noise, ${groups} groups of ${formatShape([batch, members, dim])}`,
    group: 'ZeroSeg',
    flops: 2 * batch * groups * members * dim,
    bytes: 4 * batch * (3 * groups * members + members * dim + groups * dim),
    prepare: (lend) => {
      const [logits, values] = [lend([batch, groups, members]), lend([batch, members, dim])];
      const key = lend([2], Uint32Array.of(1, 2));
      return () => {
        const { grouped, assign, soft } = groupMembers(logits, values, { key });
        return { grouped, assign, soft };
      };
    },
  };
}

function matching(batch: number, segments: number, views: number, dim: number): Workload {
  return {
    name: `segmentMatch ${formatShape([batch, segments, dim])}, ${views} views, forward + backward`,
    group: 'ZeroSeg',
    bytes: 4 * batch * dim * (2 * segments + views),
    prepare: (lend) => {
      const [of, to] = [lend([batch, segments, dim]), lend([batch, views, dim])];
      return () => {
        const { loss } = segmentMatch(of, to);
        return [loss, ...gradients(loss, [of])];
      };
    },
  };
}

function rebuilding(batch: number, side: number, patch: number): Workload {
  const patches = (side / patch) ** 2;
  const values = 3 * patch * patch;
  return {
    name: `reconstruction loss ${formatShape([batch, patches, values])}, forward + backward`,
    group: 'ZeroSeg',
    bytes: 12 * batch * patches * values,
    prepare: (lend) => {
      const [image, pred] = [lend([batch, 3, side, side]), lend([batch, patches, values])];
      const mask = lend(
        [batch, patches],
        Float32Array.from({ length: batch * patches }, (_, i) => Number(i % 5 < 3)),
      );
      return () => {
        const loss = reconstruction(image, pred, mask, { patch });
        return [loss, ...gradients(loss, [pred])];
      };
    },
  };
}

function refining(classes: number, side: number): Workload {
  const [steps, dilations] = [10, [8, 16]];
  const pixels = side * side;
  return {
    name: `PAMR of ${formatShape([1, classes, side, side])}, ${steps} steps, dilations ${dilations.join(' and ')}`,
    group: 'ZeroSeg',
    // Weights are written once; each step reads them and reads and writes the masks.
    bytes: 4 * pixels * (3 + 8 * dilations.length + steps * (8 * dilations.length + 2 * classes)),
    prepare: (lend) => {
      const [image, mask] = [lend([1, 3, side, side]), lend([1, classes, side, side])];
      return () => pamr(image, mask, { steps, dilations });
    },
  };
}

/** A flat buffer of parameters, whose gradients lie in one too, as in a training step. */
function adamWPage(count: number): Workload {
  return {
    name: `AdamW over ${count / 1e6} M parameters, clipped`,
    group: 'ZeroSeg',
    // Parameters and both averages are read and written; gradients are read twice, once for their norm.
    bytes: 32 * count,
    prepare: (lend) => {
      const flat = flattenParameters(lend.device, [['weight', lend([count / 1000, 1000])]]);
      const [{ parameters, blocks }] = flat.buffers as [FlatParameters['buffers'][number]];
      for (const t of [parameters, blocks]) lend.keep(t);
      const [m, gradients] = [lend(parameters.shape), lend(parameters.shape)];
      // Averages of squares.
      const v = lend(parameters.shape, new Float32Array(parameters.size).fill(0.1));
      const hyper = lend([HYPERPARAMETER_COUNT], adamWHyperparameters(1, 1e-6, 0.9, 0.95));
      // Not the one that clips: to a model of a GPU, which runs no launch before this one, it could be negative, and nothing updated.
      const factor = lend([1], Float32Array.of(1));
      return () => {
        const { norm } = clipGradients([{ gradients, blocks }], hyper, 1);
        const constants = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 };
        adamW({ parameters, blocks, m, v, gradients }, hyper, factor, constants);
        return norm;
      };
    },
  };
}
