import type { Device } from '../../src/gpu/device.ts';
import { cachePlaces, writeCacheRows } from '../../src/kernels/attention/cache.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { packHalves } from '../../src/kernels/optimizer/pack-halves.ts';
import { batchNorm } from '../../src/kernels/row-ops/batch-norm.ts';
import { groupNorm } from '../../src/kernels/row-ops/group-norm.ts';
import { Adam, AdamW, Lion, Muon, type Optimizer, RMSProp, SGD, WeightAverage } from '../../src/nn/optimizer/index.ts';
import { fill } from '../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../src/tensor/graph/host-tensors.ts';
import { scan } from '../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { type Shape, size } from '../../src/tensor/values/shape.ts';
import { cellTaps } from '../../src/zeroseg/image/cell-taps.ts';
import * as ops from './all-ops.ts';
import { normal, seeded } from './check-op.ts';

/** What is no op: it launches nothing of its own. */
export const NO_OPS: readonly string[] = ['tune', 'arange', 'eye', 'linspace', 'nonzero', 'rotaryTable', 'unique'];

/** Names of kernels as they stand beside their bindings. */
export function kernelNames(): string[] {
  const files = import.meta.glob(['../../src/kernels/**/*.ts', '../../src/tensor/**/*.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  return Object.values(files).flatMap((text) =>
    [...(text as string).matchAll(/\bname: '([^']+)',\n\s+(?:bind|elements)\b/g)].map(([, name]) => name as string),
  );
}

export interface EveryLaunch {
  /** Of every op, forwards and backwards. */
  readonly ofOps: Readonly<Record<string, () => void>>;
  /** What the package launches beside its ops. */
  readonly beside: Readonly<Record<string, () => void>>;
  readonly ofOptimizers: Readonly<Record<string, readonly (() => void)[]>>;
}

/** Bodies whose launches are those of the whole package, at sizes that are quick. `asOnGpu`, `asItIs`: what follows is recorded for a GPU, or no longer. */
export function everyLaunch(
  device: { readonly current: Device },
  asOnGpu: () => void = () => {},
  asItIs: () => void = () => {},
): EveryLaunch {
  const random = seeded(5);
  const floats = (...shape: number[]): Tensor =>
    tensor(
      device.current,
      Float32Array.from({ length: size(shape) }, () => normal(random)),
      shape,
    );
  const positive = (...shape: number[]): Tensor =>
    tensor(
      device.current,
      Float32Array.from({ length: size(shape) }, () => 0.1 + random()),
      shape,
    );
  const below = (max: number, ...shape: number[]): Tensor =>
    tensor(
      device.current,
      Uint32Array.from({ length: size(shape) }, () => random() * max),
      shape,
    );
  const key = () => tensor(device.current, new Uint32Array([1, 2]));

  /** Records an op and the gradients of its inputs. */
  function both(op: (...xs: Tensor[]) => Tensor, ...xs: Tensor[]): void {
    const y = op(...xs);
    gradients(y, xs, floats(...y.shape));
  }
  const shapes = (op: (...xs: Tensor[]) => Tensor, ...all: Shape[]): void =>
    both(op, ...all.map((shape) => floats(...shape)));
  const unary = (op: (x: Tensor) => Tensor) => () => shapes(op, [37, 9]);
  const binary = (op: (a: Tensor, b: Tensor) => Tensor) => () => {
    shapes(op as (...xs: Tensor[]) => Tensor, [19, 7, 4], [7, 4]);
    shapes(op as (...xs: Tensor[]) => Tensor, [19, 7, 3], [19, 1, 1]);
  };
  const masks = (op: (a: Tensor, b: Tensor) => Tensor) => () => {
    op(floats(19, 7, 4), floats(7, 4));
    op(floats(19, 7, 3), floats(19, 1, 1));
  };
  /** AxisRows in every layout: whole vec4s, ragged ones few and many, columns in vec4s and others. */
  const lines = (op: (x: Tensor, axis: number) => Tensor) => () => {
    for (const [shape, axis] of [
      [[29, 8], 1],
      [[29, 7], 1],
      [[131, 5], 1],
      [[3, 5, 8], 1],
      [[3, 5, 7], 1],
    ] as const)
      shapes((x) => op(x as Tensor, axis), shape);
  };
  const rows = (op: (x: Tensor) => Tensor) => () => {
    for (const shape of [
      [29, 8],
      [29, 7],
      [131, 5],
    ])
      shapes(op as (...xs: Tensor[]) => Tensor, shape);
  };
  const reduction = (op: (x: Tensor, options: ops.ReduceOptions) => Tensor) => () => {
    for (const [shape, axes] of [
      [[29, 8], 1],
      [[29, 7], 1],
      [[2, 9000], 1],
      [[3, 700, 8], 1],
      [[3, 700, 7], 1],
      [
        [5, 3, 7],
        [0, 2],
      ],
    ] as const)
      shapes((x) => op(x as Tensor, { axes }), shape);
  };
  const attended =
    (op: (...xs: Tensor[]) => Tensor, ...all: Shape[]) =>
    () => {
      shapes(op, ...all);
      asOnGpu();
      shapes(op, ...all);
    };

  /** Launches of every op, forwards and backwards. */
  const ofOps: Readonly<Record<string, () => void>> = {
    abs: unary(ops.abs),
    exp: unary(ops.exp),
    neg: unary(ops.neg),
    relu: unary(ops.relu),
    sigmoid: unary(ops.sigmoid),
    sign: unary(ops.sign),
    sqrt: unary(ops.sqrt),
    square: unary(ops.square),
    tanh: unary(ops.tanh),
    add: binary(ops.add),
    sub: binary(ops.sub),
    mul: binary(ops.mul),
    div: binary(ops.div),
    maximum: binary(ops.maximum),
    minimum: binary(ops.minimum),
    acos: unary((x) => ops.acos(x)),
    asin: unary((x) => ops.asin(x)),
    atan: unary((x) => ops.atan(x)),
    atan2: binary(ops.atan2),
    ceil: unary((x) => ops.ceil(x)),
    cos: unary((x) => ops.cos(x)),
    elu: unary((x) => ops.elu(x)),
    erf: unary((x) => ops.erf(x)),
    expm1: unary((x) => ops.expm1(x)),
    floor: unary((x) => ops.floor(x)),
    hardswish: unary((x) => ops.hardswish(x)),
    celu: unary((x) => ops.celu(x)),
    cosh: unary(ops.cosh),
    exp2: unary(ops.exp2),
    glu: () => shapes((x) => ops.glu(x!, 0), [38, 9]),
    hardsigmoid: unary(ops.hardsigmoid),
    hypot: binary(ops.hypot),
    lerp: () => shapes((a, b, c) => ops.lerp(a!, b!, c!), [19, 7, 4], [7, 4], [4]),
    log10: () => both((x) => ops.log10(x!), positive(37, 9)),
    log2: () => both((x) => ops.log2(x!), positive(37, 9)),
    logaddexp: binary(ops.logaddexp),
    prelu: binary(ops.prelu),
    selu: unary(ops.selu),
    sinh: unary(ops.sinh),
    softsign: unary(ops.softsign),
    trunc: unary(ops.trunc),
    leakyRelu: unary((x) => ops.leakyRelu(x)),
    logSigmoid: unary((x) => ops.logSigmoid(x)),
    mish: unary((x) => ops.mish(x)),
    reciprocal: unary((x) => ops.reciprocal(x)),
    round: unary((x) => ops.round(x)),
    silu: unary((x) => ops.silu(x)),
    sin: unary((x) => ops.sin(x)),
    softplus: unary((x) => ops.softplus(x)),
    tan: unary((x) => ops.tan(x)),
    log1p: () => both((x) => ops.log1p(x as Tensor), positive(37, 9)),
    rsqrt: () => both((x) => ops.rsqrt(x as Tensor), positive(37, 9)),
    remainder: binary(ops.remainder),
    floorDivide: binary(ops.floorDivide),
    pow: () => both((a, b) => ops.pow(a as Tensor, b as Tensor), positive(19, 7, 3), positive(19, 1, 1)),
    equal: masks((a, b) => ops.equal(a, b)),
    notEqual: masks((a, b) => ops.notEqual(a, b)),
    less: masks((a, b) => ops.less(a, b)),
    lessEqual: masks((a, b) => ops.lessEqual(a, b)),
    greater: masks((a, b) => ops.greater(a, b)),
    greaterEqual: masks((a, b) => ops.greaterEqual(a, b)),
    logicalAnd: masks((a, b) => ops.logicalAnd(a, b)),
    logicalOr: masks((a, b) => ops.logicalOr(a, b)),
    logicalXor: masks((a, b) => ops.logicalXor(a, b)),
    logicalNot: masks((a) => ops.logicalNot(a)),
    isNaN: masks((a) => ops.isNaN(a)),
    isFinite: masks((a) => ops.isFinite(a)),
    isInf: masks((a) => ops.isInf(a)),
    log: () => both((x) => ops.log(x as Tensor), positive(37, 9)),
    gelu: () => {
      for (const form of ['erf', 'tanh', 'quick'] as const) unary((x) => ops.gelu(x, form))();
    },
    clamp: unary((x) => ops.clamp(x, -1, 1)),
    scale: unary((x) => ops.scale(x, 2)),
    addScalar: unary((x) => ops.addScalar(x, 2)),
    where: () => shapes((a, b) => ops.where(below(2, 37, 9), a as Tensor, b as Tensor), [37, 9], [9]),
    sum: reduction(ops.sum),
    mean: reduction(ops.mean),
    variance: reduction(ops.variance),
    std: reduction(ops.std),
    norm: reduction(ops.norm),
    cdist: () => {
      for (const order of [2, 1, 3, 0, Number.POSITIVE_INFINITY]) {
        shapes((a, b) => ops.cdist(a!, b!, { order }), [3, 37, 5], [3, 9, 5]);
        shapes((a, b) => ops.cdist(a!, b!, { order }), [37, 8], [9, 8]);
      }
    },
    logsumexp: reduction(ops.logsumexp),
    prod: reduction(ops.prod),
    cumsum: lines(ops.cumsum),
    cumprod: () => {
      lines(ops.cumprod)();
      shapes((x) => ops.cumprod(x as Tensor, 1), [3, 700, 3]);
    },
    countNonzero: () => void ops.countNonzero(floats(29, 7), { axes: 1 }),
    cummax: lines(ops.cummax),
    cummin: () => {
      lines(ops.cummin)();
      ops.cummin(ops.cast(floats(3, 700, 3), 'i32'), 1);
    },
    median: reduction(ops.median),
    quantile: () => shapes((x) => ops.quantile(x!, [0.2, 1], { axes: 1 }), [29, 7]),
    bincount: () => {
      ops.bincount(below(9, 37, 9), 7);
      shapes((weights) => ops.bincount(below(9, 37, 9), 7, { weights: weights! }), [37, 9]);
    },
    histogram: () => void ops.histogram(floats(37, 9), 7),
    searchSorted: () => {
      ops.searchSorted(floats(9), floats(37, 9));
      ops.searchSorted(below(9, 37, 5), below(9, 37, 9), { right: true });
      ops.searchSorted(ops.cast(floats(9), 'i32'), ops.cast(floats(37, 9), 'i32'));
    },
    meshgrid: () => shapes((a, b) => ops.mul(...(ops.meshgrid([a!, b!]) as [Tensor, Tensor])), [37], [9]),
    pixelShuffle: () => shapes((x) => ops.pixelShuffle(x!, 3), [2, 5, 7, 9]),
    pixelUnshuffle: () => shapes((x) => ops.pixelUnshuffle(x!, 3, { channels: 'first' }), [2, 3, 9, 12]),
    outer: () => shapes((a, b) => ops.outer(a!, b!), [37], [9]),
    trace: () => shapes((x) => ops.trace(x!), [37, 5, 7]),
    nllLoss: () => both((x) => ops.nllLoss(x!, below(7, 29)), floats(29, 7)),
    gaussianNll: () => both((a, b, v) => ops.gaussianNll(a!, b!, v!), floats(32, 32), floats(32, 32), positive(32, 32)),
    tripletMarginLoss: () => shapes((a, b, c) => ops.tripletMarginLoss(a!, b!, c!), [37, 9], [37, 9], [37, 9]),
    any: () => void ops.any(floats(29, 7), { axes: 1 }),
    all: () => void ops.all(floats(29, 7), { axes: 1 }),
    max: reduction(ops.max),
    min: reduction(ops.min),
    argmax: () => {
      ops.argmax(floats(29, 7));
      // Reductions of i32, in several launches each.
      for (const axis of [0, 1]) {
        const x = ops.cast(floats(131, 129), 'i32');
        for (const op of [ops.sum, ops.prod, ops.max, ops.min, ops.mean]) op(x, { axes: axis });
        for (const op of [ops.argmax, ops.argmin, ops.cumsum, ops.cumprod]) op(x, axis);
      }
      ops.argsort(ops.cast(floats(29, 300), 'i32'));
    },
    argmin: () => void ops.argmin(floats(29, 7), 0),
    softmax: lines(ops.softmax),
    logSoftmax: lines(ops.logSoftmax),
    gumbelSoftmax: () => {
      lines((x, axis) => ops.gumbelSoftmax(x, { axis }).soft)();
      lines((x, axis) => ops.gumbelSoftmax(x, { axis, key: key() }).hard)();
    },
    assign: () => {
      ops.assign(variable(device.current, [37, 9]), floats(37, 9));
      ops.assign(variable(device.current, [37, 9], new Uint32Array(333)), below(9, 37, 9));
    },
    assignNormalise: rows(ops.assignNormalise),
    resizeCells: () => {
      // A square of 7 pixels in room for one of 9, cut in halves to views of 5: the last two cells to views 1 and 2.
      const { columns, weights, origins } = cellTaps(7, [2], 5);
      const u32 = (values: Uint32Array, ...shape: number[]) => tensor(device.current, values, shape);
      ops.resizeCells(variable(device.current, [3, 3, 5, 5]), {
        pixels: below(2 ** 24, 81),
        columns: u32(columns, columns.length / 3, 3),
        weights: u32(weights, weights.length),
        origins: u32(origins, 4, 2),
        shades: floats(3, 256),
        part: u32(new Uint32Array([7, 2, 2, 1]), 4),
      });
    },
    groupMembers: () =>
      shapes((logits, xs) => ops.groupMembers(logits as Tensor, xs as Tensor).grouped, [3, 4, 9], [3, 9, 5]),
    layerNorm: () => {
      const norm = (x?: Tensor, w?: Tensor, b?: Tensor) => ops.layerNorm(x!, w!, b!, 1e-5);
      shapes(norm, [75, 8], [8], [8]);
      shapes(norm, [131, 5], [5], [5]);
      shapes(norm, [35, 7], [7], [7]);
    },
    l2Normalize: rows((x) => ops.l2Normalize(x)),
    patchNormalize: rows((x) => ops.patchNormalize(x)),
    batchNormEval: () =>
      both(
        (x, ...rest) => ops.batchNormEval(x!, rest[0]!, rest[1]!, rest[2]!, rest[3]!, 1e-5),
        floats(9, 5),
        ...Array.from({ length: 4 }, () => positive(5)),
      ),
    cast: () => {
      ops.cast(ops.cast(floats(37, 9), 'u32'), 'f32');
      ops.cast(ops.cast(floats(37, 9), 'i32'), 'f32');
      ops.cast(ops.cast(floats(37, 9), 'bool'), 'f32');
      ops.cast(ops.cast(floats(37, 9), 'i32'), 'bool');
      if (device.current.features.has('shader-f16'))
        shapes((x) => ops.cast(ops.cast(x as Tensor, 'f16'), 'f32'), [37, 9]);
    },
    reshape: () => shapes((x) => ops.reshape(x as Tensor, [9, 37]), [37, 9]),
    permute: () => {
      shapes((x) => ops.permute(x as Tensor, [1, 0]), [8, 12]);
      shapes((x) => ops.permute(x as Tensor, [2, 1, 0]), [5, 3, 7]);
      shapes((x) => ops.permute(x as Tensor, [1, 0, 2]), [5, 3, 8]);
      ops.permute(below(9, 5, 3), [1, 0]);
    },
    broadcastTo: () => shapes((x) => ops.broadcastTo(x as Tensor, [3, 7, 5]), [7, 1]),
    slice: () => {
      shapes((x) => ops.slice(x as Tensor, 1, 2, 5), [29, 7]);
      shapes((x) => ops.slice(x as Tensor, 1, 4, 12), [29, 16]);
      shapes((x) => ops.slice(x as Tensor, 1, 4, 12, 3), [9, 16, 5]);
    },
    squeeze: () => shapes((x) => ops.squeeze(x as Tensor), [37, 1, 9]),
    unsqueeze: () => shapes((x) => ops.unsqueeze(x as Tensor, 0), [37, 9]),
    flatten: () => shapes((x) => ops.flatten(x as Tensor), [37, 9]),
    moveAxis: () => shapes((x) => ops.moveAxis(x as Tensor, 0, 2), [5, 3, 7]),
    swapAxes: () => shapes((x) => ops.swapAxes(x as Tensor, 0, 2), [5, 3, 7]),
    stack: () => shapes((a, b) => ops.stack([a as Tensor, b as Tensor], 1), [29, 7], [29, 7]),
    tile: () => shapes((x) => ops.tile(x as Tensor, [2, 3]), [7, 5]),
    repeat: () => shapes((x) => ops.repeat(x as Tensor, 3, 1), [7, 5]),
    pad: () => {
      shapes((x) => ops.pad(x as Tensor, [1, 2]), [7, 9, 5]);
      shapes((x) => ops.pad(x as Tensor, [1, 0], { mode: 'edge' }), [7, 9, 8]);
      ops.pad(below(9, 5, 3), [1]);
    },
    flip: unary(ops.flip),
    roll: unary((x) => ops.roll(x, 3, 0)),
    tril: unary(ops.tril),
    diagonal: () => shapes((x) => ops.diagonal(x as Tensor), [29, 31]),
    diff: () => shapes((x) => ops.diff(x as Tensor), [7, 31]),
    chunk: () => shapes((x) => ops.add(...(ops.chunk(x as Tensor, 2, 1) as [Tensor, Tensor])), [29, 6]),
    unbind: () => shapes((x) => ops.add(...(ops.unbind(x as Tensor) as [Tensor, Tensor])), [2, 31]),
    triu: () => void ops.triu(below(9, 37, 9)),
    fillLike: () => void ops.fillLike(floats(37, 9), 2),
    onesLike: () => void ops.onesLike(floats(37, 9)),
    zerosLike: () => void ops.zerosLike(floats(37, 9)),
    concat: () => shapes((a, b) => ops.concat([a as Tensor, b as Tensor], 1), [29, 7], [29, 4]),
    split: () => shapes((x) => ops.add(...(ops.split(x as Tensor, 1, [3, 3]) as [Tensor, Tensor])), [29, 6]),
    takeRows: () => both((x) => ops.takeRows(x as Tensor, below(9, 3, 20)), floats(3, 9, 5)),
    scatterAdd: () => both((x) => ops.scatterAdd(x as Tensor, below(9, 3, 20), 9), floats(3, 20, 8)),
    take: () => {
      both((x) => ops.take(x as Tensor, below(9, 20), 1), floats(3, 9, 5));
      ops.take(floats(3, 9, 5), ops.cast(below(9, 300), 'i32'), 1);
    },
    takeAlongAxis: () => {
      both((x) => ops.takeAlongAxis(x as Tensor, below(9, 20, 5), 0), floats(9, 5));
      ops.takeAlongAxis(below(99, 20, 5), below(9, 20, 5));
    },
    indexAdd: () => shapes((x, src) => ops.indexAdd(x!, below(9, 20), src!), [9, 5], [20, 5]),
    scatterAddAlongAxis: () => shapes((x, src) => ops.scatterAddAlongAxis(x!, below(9, 5, 20), src!), [5, 9], [5, 20]),
    scatterAlongAxis: () => shapes((x, src) => ops.scatterAlongAxis(x!, below(9, 5, 20), src!), [5, 9], [5, 20]),
    oneHot: () => void ops.oneHot(below(9, 37), 7),
    sort: () => both((x) => ops.sort(x as Tensor).values, floats(5, 30)),
    topK: () => both((x) => ops.topK(x as Tensor, 3).values, floats(5, 30)),
    embedding: () => both((x) => ops.embedding(x as Tensor, below(19, 70)), floats(19, 5)),
    argsort: () => {
      ops.argsort(floats(5, 300));
      ops.argsort(below(99, 70, 3));
    },
    shuffleMask: () => void ops.shuffleMask(floats(5, 30), 7),
    keepRows: () => both((x) => ops.keepRows(x as Tensor, ops.shuffleMask(floats(5, 30), 7)), floats(5, 30, 3)),
    unshuffle: () =>
      both(
        (x, token) => ops.unshuffle(x as Tensor, token as Tensor, ops.shuffleMask(floats(5, 30), 7).idsRestore),
        floats(5, 7, 3),
        floats(1, 1, 3),
      ),
    medoids: () => void ops.medoids(floats(3, 20, 20), 4),
    matmul: () => {
      const product = attended(
        (a, b) => ops.matmul(a as Tensor, b as Tensor, { activation: 'relu' }),
        [3, 17, 9],
        [9, 11],
      );
      product();
      asItIs();
      shapes((a, b) => ops.matmul(a as Tensor, b as Tensor), [2, 17, 8], [2, 8, 12]);
      asOnGpu();
      // Split over the inner axis.
      shapes((a, b) => ops.matmul(a as Tensor, b as Tensor), [9, 600], [600, 11]);
    },
    linear: attended(
      (x, w, bias, residual) => ops.linear(x!, w!, { bias, residual }),
      [70, 9],
      [11, 9],
      [11],
      [70, 11],
    ),
    mlp: () =>
      shapes(
        (x, weight1, weight2, bias1, bias2) =>
          ops.mlp(x as Tensor, { weight1: weight1 as Tensor, weight2: weight2 as Tensor, bias1, bias2 }),
        ...[[70, 9], [13, 9], [11, 13], [13], [11]],
      ),
    attention: () => {
      shapes(
        (q, k, v, mask) => ops.attention(q!, k!, v!, { mask, causal: true }),
        [1, 2, 5, 4],
        [1, 1, 7, 4],
        [1, 1, 7, 4],
        [5, 7],
      );
      shapes((q, k, v) => ops.attention(q!, k!, v!, { causal: 'end' }), [2, 6, 7, 8], [2, 2, 35, 8], [2, 2, 35, 8]);
      attended((q, k, v) => ops.attention(q!, k!, v!), [2, 3, 37, 8], [2, 3, 35, 8], [2, 3, 35, 8])();
    },
    rotaryEmbedding: () => {
      const table = ops.rotaryTable(device.current, 37, 10);
      shapes((x) => ops.rotaryEmbedding(x!, table), [2, 37, 10]);
      shapes((x) => ops.rotaryEmbedding(x!, table, { positions: below(37, 2, 37) }), [2, 37, 10]);
    },
    qkvAttention: attended((qkv) => ops.qkvAttention(qkv!, 2), [2, 37, 48]),
    crossAttention: () => shapes((q, k, v) => ops.crossAttention(q!, k!, v!, 2), [2, 37, 16], [2, 35, 16], [2, 35, 16]),
    einsum: () => shapes((a, b) => ops.einsum('ij,jk->ki', a as Tensor, b as Tensor), [17, 9], [9, 11]),
    conv2d: () => {
      shapes((x, w, bias) => ops.conv2d(x!, w!, { bias, padding: 1 }), [2, 7, 9, 3], [4, 3, 3, 3], [4]);
      shapes((x, w) => ops.conv2d(x!, w!), [2, 7, 9, 4], [4, 4, 3, 3]);
      shapes((x, w) => ops.conv2d(x!, w!, { dilation: 2, groups: 2 }), [2, 7, 9, 4], [4, 2, 3, 3]);
      shapes((x, w) => ops.conv2d(x!, w!, { groups: 3 }), [2, 7, 9, 3], [6, 1, 3, 3]);
    },
    conv1d: () => shapes((x, w) => ops.conv1d(x!, w!), [2, 9, 3], [4, 3, 3]),
    convTranspose2d: () => {
      shapes((x, w) => ops.convTranspose2d(x!, w!, { stride: 2 }), [2, 5, 4, 3], [3, 4, 2, 2]);
      shapes((x, w) => ops.convTranspose2d(x!, w!, { groups: 2 }), [2, 5, 4, 4], [4, 3, 2, 2]);
    },
    maxPool2d: () => shapes((x) => ops.maxPool2d(x!, 3, { stride: 2 }), [2, 9, 8, 3]),
    avgPool2d: () => shapes((x) => ops.avgPool2d(x!, 3, { stride: 2 }), [2, 9, 8, 3]),
    adaptiveMaxPool2d: () => shapes((x) => ops.adaptiveMaxPool2d(x!, 4, 3), [2, 9, 8, 4]),
    maxPool1d: () => shapes((x) => ops.maxPool1d(x!, 3), [2, 9, 3]),
    conv3d: () => {
      shapes((x, w, bias) => ops.conv3d(x!, w!, { bias, padding: 1 }), [2, 4, 5, 6, 3], [4, 3, 2, 3, 3], [4]);
      shapes((x, w) => ops.conv3d(x!, w!, { groups: 2 }), [2, 3, 5, 6, 4], [4, 2, 2, 2, 2]);
    },
    maxPool3d: () => shapes((x) => ops.maxPool3d(x!, 2), [2, 4, 6, 8, 3]),
    avgPool3d: () => shapes((x) => ops.avgPool3d(x!, 2), [2, 4, 6, 8, 4]),
    gridSample: () => {
      for (const width of [3, 8]) {
        const grid = () => ops.scale(floats(2, 9, 8, 2), 0.7);
        both((x, at) => ops.gridSample(x!, at!, { padding: 'reflection' }), floats(2, 5, 7, width), grid());
        both((x) => ops.gridSample(x!, grid(), { mode: 'nearest' }), floats(2, 5, 7, width));
        // What derivatives of the gradients launch.
        const [x, at] = [floats(2, 5, 7, width), grid()];
        const y = ops.gridSample(x, at);
        gradients(gradients(y, [x, at], floats(...y.shape)), [x, at], [floats(...x.shape), floats(...at.shape)]);
      }
    },
    unfold: () => {
      shapes((x) => ops.unfold(x!, 3, { padding: 1 }), [2, 7, 9, 3]);
      shapes((x) => ops.unfold(x!, 3, { dilation: [1, 2], channels: 'first' }), [2, 4, 7, 9]);
    },
    fold: () => {
      shapes((x) => ops.fold(x!, [7, 9], 3), [2, 35, 36]);
      shapes((x) => ops.fold(x!, [7, 9], 3, { channels: 'first' }), [2, 27, 35]);
    },
    avgPool1d: () => shapes((x) => ops.avgPool1d(x!, 3), [2, 9, 3]),
    adaptiveAvgPool2d: () => shapes((x) => ops.adaptiveAvgPool2d(x!, 3, 2), [2, 9, 8, 4]),
    patchify: () => shapes((x) => ops.patchify(x as Tensor, 2), [2, 3, 7, 9]),
    unpatchify: () => shapes((x) => ops.unpatchify(x as Tensor, 2, 3, 4), [2, 12, 12]),
    patchEmbed: () => shapes((x, w, b) => ops.patchEmbed(x!, w!, b), [2, 3, 7, 9], [5, 3, 2, 2], [5]),
    interpolate: () => {
      shapes((x) => ops.interpolate(x as Tensor, 7, 9, { mode: 'bilinear', channels: 'first' }), [2, 3, 4, 5]);
      shapes((x) => ops.interpolate(x as Tensor, 3, 12, { mode: 'bicubic', channels: 'first' }), [2, 3, 4, 8]);
      shapes((x) => ops.interpolate(x as Tensor, 7, 9, { mode: 'nearest', channels: 'first' }), [2, 3, 4, 5]);
    },
    interpolatePositions: () => shapes((x) => ops.interpolatePositions(x as Tensor, 5, 3), [1, 16, 8]),
    randomUniform: () => void ops.randomUniform(key(), [37, 9]),
    randomNormal: () => void ops.randomNormal(key(), [37, 9]),
    randomGumbel: () => void ops.randomGumbel(key(), [37, 9]),
    dropout: () => both((x) => ops.dropout(x as Tensor, key(), 0.3, 1), floats(37, 9)),
    randomBernoulli: () => void ops.randomBernoulli(key(), [37, 9], 0.3),
    randomCategorical: () => void ops.randomCategorical(key(), floats(37, 9)),
    randomInteger: () => void ops.randomInteger(key(), [37, 9], 3, 9),
    randomPermutation: () => void ops.randomPermutation(key(), 333),
    l1: () => shapes((a, b) => ops.l1(a as Tensor, b as Tensor), [32, 32], [32, 32]),
    mse: () => shapes((a, b) => ops.mse(a as Tensor, b as Tensor), [32, 32], [32, 32]),
    crossEntropy: () => {
      for (const [n, classes] of [
        [29, 8],
        [29, 7],
        [131, 5],
      ] as const) {
        both((x) => ops.crossEntropy(x as Tensor, below(classes, n)), floats(n, classes));
        both((x) => ops.crossEntropy(x as Tensor, below(classes, n), { labelSmoothing: 0.1 }), floats(n, classes));
      }
    },
    binaryCrossEntropyWithLogits: binary((a, b) => ops.binaryCrossEntropyWithLogits(a, ops.broadcastTo(b, a.shape))),
    huber: binary((a, b) => ops.huber(a, ops.broadcastTo(b, a.shape))),
    klDivergence: () => shapes((a, b) => ops.klDivergence(a!, b!), [37, 9], [37, 9]),
    cosineSimilarity: () => shapes((a, b) => ops.cosineSimilarity(a!, b!), [37, 9], [37, 9]),
    cosineEmbeddingLoss: () => shapes((a, b) => ops.cosineEmbeddingLoss(a!, b!, floats(37)), [37, 9], [37, 9]),
    distill: () => shapes((z, views) => ops.distill(z as Tensor, views as Tensor), [64, 8], [64, 5, 8]),
    averageWindows: () =>
      void ops.averageWindows(
        floats(3, 5, 9, 7),
        [
          [0, 0],
          [4, 3],
          [10, 6],
        ],
        19,
        13,
      ),
    pamr: () => void ops.pamr(floats(2, 3, 19, 13), floats(2, 5, 7, 4), { dilations: [1, 6], steps: 2 }),
    // Of a device whose buffers hold the weights of one dilation.
    pamrSteps: () =>
      void ops.pamrSteps(ops.pamrWeights(floats(1, 3, 19, 13), [1, 2, 6], 8000), floats(1, 5, 19, 13), 2),
    pamrWeights: () => void ops.pamrWeights(floats(2, 3, 19, 13), [1, 2, 6], 8000),
    segmentMatch: () => {
      shapes((s, v) => ops.segmentMatch(s as Tensor, v as Tensor).loss, [4, 4, 9], [4, 3, 9]);
      shapes((s, v) => ops.segmentMatch(s as Tensor, v as Tensor, { distances: true }).loss, [4, 4, 8], [4, 3, 8]);
    },
    reconstruction: () =>
      both(
        (pred) => ops.reconstruction(floats(3, 2, 6, 9), pred as Tensor, below2(3, 12), { patch: 2, normPixels: true }),
        floats(3, 12, 8),
      ),
    stopGradient: unary(ops.stopGradient),
    straightThrough: () => shapes((a, b) => ops.straightThrough(a as Tensor, b as Tensor), [37, 9], [37, 9]),
  };
  /** 0 and 1 as f32. */
  const below2 = (...shape: number[]) =>
    tensor(
      device.current,
      Float32Array.from({ length: size(shape) }, () => Math.floor(random() * 2)),
      shape,
    );

  /** What the package launches beside its ops. */
  const beside: Readonly<Record<string, () => void>> = {
    fill: () => {
      fill(device.current, [37, 9], 3);
      fill(device.current, [37, 9], -3, 'i32');
    },
    'gradients that meet': () => {
      const x = floats(37, 9);
      gradients(ops.add(ops.square(x), ops.exp(x)), [x], floats(37, 9));
    },
    'what lies where the maxima are, for second derivatives': () => {
      const [x, dy] = [floats(37, 9), floats(37)];
      const [dx] = gradients(ops.max(x, { axes: 1 }), [x], dy) as [Tensor];
      gradients(dx, [dy], floats(37, 9));
    },
    'a cache of keys': () => {
      const position = tensor(device.current, new Uint32Array([3, 4]), [2]);
      writeCacheRows(variable(device.current, [2, 3, 7, 5]), floats(2, 3, 2, 5), position);
      cachePlaces(position, 2, 7);
    },
    'a layer GroupNorm': () => {
      const norm = (x?: Tensor, w?: Tensor, b?: Tensor) => groupNorm(x!, w!, b!, 2, 1e-5);
      shapes(norm, [9, 5, 8], [8], [8]);
      shapes(norm, [5, 3, 130], [130], [130]);
    },
    'a layer BatchNorm': () => {
      const norm = (x?: Tensor, w?: Tensor, b?: Tensor) => {
        const [mean, variance] = [variable(device.current, w!.shape), variable(device.current, w!.shape)];
        return batchNorm(x!, w!, b!, { mean, variance }, { eps: 1e-5, momentum: 0.1 });
      };
      shapes(norm, [9, 5, 17], [17], [17]);
      shapes(norm, [300, 5], [5], [5]);
    },
    'values in half the bytes': () => {
      packHalves(floats(333));
    },
    // The launches of a turn, once.
    'a scan and its gradient': () => {
      const [carry, xs, weight] = [floats(37, 9), floats(5, 37, 9), floats(9)];
      const [last, ys] = scan((h, x) => [ops.mul(ops.add(h, x), weight), ops.tanh(h)], carry, xs);
      gradients(ops.add(ops.sum(last), ops.sum(ys)), [carry, xs, weight], floats());
    },
    'a scan of f16 and of whole numbers': () => {
      const isHalf = device.current.features.has('shader-f16');
      const [carry, xs, weight] = [floats(37, 9), floats(5, 37, 9), floats(37, 9)].map((x) =>
        isHalf ? ops.cast(x, 'f16') : x,
      ) as [Tensor, Tensor, Tensor];
      const [[last]] = scan(
        ([h, n], x) => [[ops.add(h, ops.mul(x, weight)), ops.add(n, 1)], [n]],
        [carry, below(9, 37, 9)].map((x, i) => (i === 0 ? x : ops.cast(x, 'i32'))) as [Tensor, Tensor],
        xs,
      );
      gradients(last, [weight], carry);
    },
  };

  /** Steps and sums of steps of every optimizer. */
  const makers: Readonly<Record<string, (named: [string, Tensor][]) => Optimizer>> = {
    AdamW: (named) => new AdamW(device.current, named, { maxNorm: 1 }),
    Adam: (named) => new Adam(device.current, named),
    Lion: (named) => new Lion(device.current, named),
    Muon: (named) => new Muon(device.current, named),
    RMSProp: (named) => new RMSProp(device.current, named),
    'RMSProp with momentum': (named) => new RMSProp(device.current, named, { momentum: 0.9 }),
    SGD: (named) => new SGD(device.current, named),
    'SGD with momentum': (named) => new SGD(device.current, named, { momentum: 0.9 }),
  };
  const stepsOf = (make: (named: [string, Tensor][]) => Optimizer): readonly (() => void)[] => {
    const made = () => {
      const values = Float32Array.from({ length: 333 }, () => normal(random));
      return make([['p', variable(device.current, [37, 9], values)]]);
    };
    const hyper = (optimizer: Optimizer) => tensor(device.current, optimizer.hyperparameters(1, 0.1));
    return [
      () => {
        const optimizer = made();
        optimizer.update([floats(37, 9)], hyper(optimizer));
      },
      () => {
        const optimizer = made();
        optimizer.accumulate([floats(37, 9)], 0.5);
        optimizer.apply(hyper(optimizer));
      },
      () => new WeightAverage(made()).update(tensor(device.current, 0.5)),
    ];
  };
  const ofOptimizers = Object.fromEntries(Object.entries(makers).map(([name, make]) => [name, stepsOf(make)]));
  return { ofOps, beside, ofOptimizers };
}
