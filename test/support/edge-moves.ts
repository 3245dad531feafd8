import type { Device } from '../../src/gpu/device.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { type Shape, size } from '../../src/tensor/values/shape.ts';
import * as ops from './all-ops.ts';
import { filler, type Kind, matrixOf, product, sourcesOf, type Trial, type Values, withGradients } from './edges.ts';

/** Edge values at every component of vec4s. */
function spread({ edges }: Kind, shape: Shape, from = 0): number[] {
  const period = edges.length + 1 - (edges.length % 2);
  return Array.from(
    { length: size(shape) },
    (_, i) => (i % 3 === 0 ? edges[(i / 3 + from) % period] : undefined) ?? filler(i),
  );
}

const u32 = (x: Tensor, values: readonly number[], shape: Shape) => tensor(x.device, Uint32Array.from(values), shape);
const mask = (x: Tensor) => ops.shuffleMask(tensor(x.device, [0.5, 0.1, 0.7, 0.3, 0.9, 0.2], [2, 3]), 2);

/** Ops whose results are elements of their input, or zeros. */
const moves: Readonly<Record<string, readonly (readonly [Shape, (x: Tensor) => Tensor | readonly Tensor[]])[]>> = {
  reshape: [[[6, 35], (x) => ops.reshape(x, [14, 15])]],
  permute: [
    [[8, 12], (x) => ops.permute(x, [1, 0])],
    [[3, 7, 5], (x) => ops.permute(x, [2, 0, 1])],
  ],
  broadcastTo: [
    [[5, 8], (x) => ops.broadcastTo(x, [3, 5, 8])],
    [[1, 7], (x) => ops.broadcastTo(x, [4, 7])],
  ],
  concat: [[[2, 5, 7], (x) => ops.concat([x, x], 1)]],
  slice: [
    [[5, 19], (x) => ops.slice(x, 1, 2, 17)],
    [[5, 19, 3], (x) => ops.slice(x, 1, 2, 17, 4)],
  ],
  split: [[[4, 10], (x) => ops.split(x, 1, [3, 7])]],
  chunk: [[[4, 10], (x) => ops.chunk(x, 4, 1)]],
  unbind: [[[4, 5], (x) => ops.unbind(x, 1)]],
  diagonal: [
    [[5, 7], (x) => ops.diagonal(x)],
    [[5, 3, 7], (x) => ops.diagonal(x, -2, 2, 0)],
  ],
  flatten: [[[6, 5, 7], (x) => ops.flatten(x, 1)]],
  squeeze: [[[6, 1, 7], (x) => ops.squeeze(x)]],
  unsqueeze: [[[37], (x) => ops.unsqueeze(x, 1)]],
  moveAxis: [[[3, 7, 5], (x) => ops.moveAxis(x, 0, 2)]],
  swapAxes: [[[3, 7, 5], (x) => ops.swapAxes(x, 0, 2)]],
  stack: [[[5, 7], (x) => ops.stack([x, x], 1)]],
  tile: [[[5, 7], (x) => ops.tile(x, [2, 3])]],
  repeat: [[[5, 7], (x) => ops.repeat(x, 3, 1)]],
  flip: [
    [[5, 7], (x) => ops.flip(x)],
    [[5, 8], (x) => ops.flip(x, 0)],
  ],
  roll: [[[5, 7], (x) => ops.roll(x, 3, 1)]],
  pad: [
    [[4, 7], (x) => ops.pad(x, [2, [1, 0]])],
    [[4, 7], (x) => ops.pad(x, [2, 3], { mode: 'reflect' })],
    [[4, 8], (x) => ops.pad(x, [2, 0], { mode: 'edge' })],
  ],
  meshgrid: [
    [[7], (x) => ops.meshgrid([x, constant(x, [3], 1)]).slice(0, 1)],
    [[7], (x) => ops.meshgrid([x, constant(x, [3], 1)], { indexing: 'xy' }).slice(0, 1)],
  ],
  pixelShuffle: [[[1, 2, 3, 8], (x) => ops.pixelShuffle(x, 2)]],
  unfold: [
    [[1, 4, 5, 3], (x) => ops.unfold(x, 2, { padding: 1, dilation: [1, 2] })],
    [[1, 3, 4, 5], (x) => ops.unfold(x, [2, 3], { channels: 'first' })],
  ],
  pixelUnshuffle: [[[1, 5, 4, 6], (x) => ops.pixelUnshuffle(x, 2, { channels: 'first' })]],
  tril: [[[5, 7], (x) => ops.tril(x)]],
  triu: [[[5, 7], (x) => ops.triu(x, 1)]],
  takeRows: [
    [[2, 4, 5], (x) => ops.takeRows(x, u32(x, [3, 0, 9, 1, 1, 2], [2, 3]))],
    [[2, 4, 8], (x) => ops.takeRows(x, u32(x, [3, 0, 9, 1, 1, 2], [2, 3]))],
  ],
  take: [
    [[3, 6, 5], (x) => ops.take(x, u32(x, [5, 0, 2, 2, 77], [5]), 1)],
    [[6, 8], (x) => ops.take(x, u32(x, [5, 0, 2, 2, 77, 1], [2, 3]))],
  ],
  takeAlongAxis: [[[2, 3], (x) => ops.takeAlongAxis(x, u32(x, [2, 0, 2, 9, 1, 1, 0, 0], [2, 4]))]],
  // Into zeros, so that results are elements of what is put there.
  scatterAlongAxis: [
    [[2, 4], (x) => ops.scatterAlongAxis(zeros(x, [2, 3]), u32(x, [2, 0, 2, 9, 1, 1, 0, 0], [2, 4]), x)],
  ],
  embedding: [[[6, 5], (x) => ops.embedding(x, u32(x, [5, 0, 2, 2, 77], [5]))]],
  keepRows: [[[2, 3, 7], (x) => ops.keepRows(x, mask(x))]],
  unshuffle: [
    [
      [2, 2, 7],
      (x) =>
        ops.unshuffle(
          x,
          ops.cast(tensor(x.device, new Float32Array(7), [1, 1, 7]), x.dtype as 'f32'),
          mask(x).idsRestore,
        ),
    ],
  ],
  patchify: [[[2, 3, 7, 6], (x) => ops.patchify(x, 3)]],
  unpatchify: [[[2, 4, 27], (x) => ops.unpatchify(x, 3, 2, 2)]],
  stopGradient: [[[37], (x) => ops.stopGradient(x)]],
  straightThrough: [[[37], (x) => ops.straightThrough(x, ops.neg(x))]],
};

const constant = (x: Tensor, shape: Shape, seed: number) =>
  ops.cast(
    tensor(
      x.device,
      Float32Array.from({ length: size(shape) }, (_, i) => filler(i + seed) / 4),
      shape,
    ),
    x.dtype as 'f32',
  );

const zeros = (x: Tensor, shape: Shape) =>
  ops.cast(tensor(x.device, new Float32Array(size(shape)), shape), x.dtype as 'f32');

/** Ops that are linear in their input: sums of some elements times weights. */
const sums: Readonly<Record<string, readonly (readonly [Shape, (x: Tensor) => Tensor])[]>> = {
  scatterAdd: [
    [[2, 4, 5], (x) => ops.scatterAdd(x, u32(x, [3, 0, 9, 1, 1, 2, 1, 0], [2, 4]), 4)],
    [[1, 5, 8], (x) => ops.scatterAdd(x, u32(x, [3, 0, 3, 1, 1], [1, 5]), 4)],
  ],
  scatterAddAlongAxis: [
    [[2, 4], (x) => ops.scatterAddAlongAxis(zeros(x, [2, 4]), u32(x, [3, 0, 9, 1, 1, 2, 1, 0], [2, 4]), x)],
    [[2, 4], (x) => ops.scatterAddAlongAxis(x, u32(x, [3, 0, 9, 1], [2, 2]), zeros(x, [2, 2]))],
  ],
  trace: [[[2, 5, 7], (x) => ops.trace(x)]],
  indexAdd: [[[5, 3], (x) => ops.indexAdd(zeros(x, [4, 3]), u32(x, [3, 0, 3, 9, 1], [5]), x)]],
  interpolate: [
    [[1, 1, 5, 7], (x) => ops.interpolate(x, 8, 3, { mode: 'bilinear', channels: 'first' })],
    [[1, 1, 7, 8], (x) => ops.interpolate(x, 3, 12, { mode: 'bicubic', channels: 'first', antialias: true })],
  ],
  interpolatePositions: [[[1, 9, 4], (x) => ops.interpolatePositions(x, 5, 4)]],
  conv2d: [
    [[1, 5, 4, 3], (x) => ops.conv2d(x, constant(x, [4, 3, 3, 3], 1), { stride: 2, padding: 1 })],
    [[4, 4, 3, 3], (x) => ops.conv2d(constant(x, [1, 5, 4, 4], 2), x)],
  ],
  einsum: [
    [[3, 4], (x) => ops.einsum('ij,jk->ik', x, constant(x, [4, 5], 1))],
    [[4, 4], (x) => ops.einsum('ii->i', x)],
  ],
  // Not at position 0, where each element of a pair meets the other with a weight of 0.
  rotaryEmbedding: [
    [[2, 3, 4], (x) => ops.rotaryEmbedding(x, ops.rotaryTable(x.device, 4, 4), { positions: u32(x, [1, 3, 2], [3]) })],
  ],
  avgPool1d: [[[1, 7, 3], (x) => ops.avgPool1d(x, 3, { padding: 1 })]],
  fold: [
    [[1, 12, 8], (x) => ops.fold(x, [4, 5], 2)],
    [[1, 8, 6], (x) => ops.fold(x, [5, 4], 2, { channels: 'first', stride: [2, 1] })],
  ],
  conv1d: [[[1, 7, 3], (x) => ops.conv1d(x, constant(x, [4, 3, 3], 1), { stride: 2, padding: 1 })]],
  convTranspose2d: [[[1, 3, 2, 3], (x) => ops.convTranspose2d(x, constant(x, [3, 2, 3, 3], 1), { stride: 2 })]],
  conv3d: [[[1, 3, 4, 3, 2], (x) => ops.conv3d(x, constant(x, [4, 2, 2, 2, 3], 1), { padding: 1 })]],
  avgPool3d: [[[1, 4, 3, 5, 3], (x) => ops.avgPool3d(x, 3, { stride: 2, padding: 1 })]],
  avgPool2d: [[[1, 5, 6, 3], (x) => ops.avgPool2d(x, 3, { stride: 2, padding: 1 })]],
  adaptiveAvgPool2d: [[[1, 5, 6, 4], (x) => ops.adaptiveAvgPool2d(x, 3, 2)]],
  patchEmbed: [[[1, 2, 5, 4], (x) => ops.patchEmbed(x, constant(x, [6, 2, 2, 2], 3))]],
};

async function moveTrials(device: Device, kind: Kind, name: string): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const [shape, op] of moves[name] ?? []) {
    const all = (x?: Tensor) => [op(x as Tensor)].flat() as readonly Tensor[];
    const sources = await sourcesOf(device, all, shape);
    const taken = (x: Values, from: Int32Array) => Array.from(from, (i) => (i < 0 ? 0 : (x[i] as number)));
    const x = { shape, data: spread(kind, shape) };
    trials.push({ what: name, inputs: [x], op: all, want: (v) => sources.map((from) => taken(v as Values, from)) });
    // What is cut off from its input has no gradient, and what stands in for it passes its own.
    if (name === 'stopGradient' || name === 'straightThrough') continue;
    const from = sources[0] as Int32Array;
    const dy = spread(kind, [from.length], 4).map((v) => (Math.abs(v) > 100 ? 1 : v));
    trials.push({
      what: `gradient of ${name}`,
      inputs: [x],
      op: (v) =>
        withGradients(
          (one) => all(one)[0] as Tensor,
          [0],
          () => dy,
        )(v as Tensor).slice(1),
      want: (v) => {
        const dx = new Array<number>((v as Values).length).fill(0);
        from.forEach((i, n) => {
          if (i >= 0) dx[i] = (dx[i] as number) + (dy[n] as number);
        });
        return [dx];
      },
      slack: kind.dtype === 'f16' ? 4e-3 : 1e-6,
    });
  }
  return trials;
}

async function sumTrials(device: Device, kind: Kind, name: string): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const [shape, op] of sums[name] ?? []) {
    const rows = await matrixOf(device, op, shape);
    // What overflows on its way to a sum that does not is no matter of edges.
    const data = spread(kind, shape).map((v) => (Math.abs(v) === kind.highest ? 1 : v));
    // One edge value at a time where many meet, and all of them; in several tensors.
    for (const edge of [undefined, ...kind.edges]) {
      const x =
        edge === undefined ? data : data.map((_, i) => (i === Math.floor(data.length / 2) ? edge : filler(i) / 4));
      const dy = rows.map((_, i) => filler(i) / 4);
      trials.push({
        what: `${name} with ${edge}`,
        inputs: [{ shape, data: x }],
        op: withGradients(
          (v) => op(v as Tensor),
          [0],
          () => dy,
        ),
        want: (v) => {
          const dx = new Array<number>(size(shape)).fill(0);
          rows.forEach((row, o) => {
            for (const { place, weight } of row) dx[place] = (dx[place] as number) + weight * (dy[o] as number);
          });
          return [rows.map((row) => product(row, v as Values)), dx];
        },
        error: kind.dtype === 'f16' ? 1e-2 : 1e-5,
        slack: kind.dtype === 'f16' ? 3e-2 : 1e-5,
      });
    }
  }
  return trials;
}

export const moveTable: Readonly<Record<string, (kind: Kind, device: Device) => Promise<Trial[]>>> = Object.fromEntries(
  [
    ...Object.keys(moves).map(
      (name) => [name, (kind: Kind, device: Device) => moveTrials(device, kind, name)] as const,
    ),
    ...Object.keys(sums).map((name) => [name, (kind: Kind, device: Device) => sumTrials(device, kind, name)] as const),
  ],
);

/** Of windows of three neighbours, `stride` apart: the first NaN, or the first maximum. */
function maximaTrials(kind: Kind, what: string, shape: Shape, stride: number, op: (x: Tensor) => Tensor): Trial[] {
  const places = (v: Values) =>
    Array.from({ length: Math.floor((size(shape) - 3) / stride) + 1 }, (_, n) => {
      const inside = [n * stride, n * stride + 1, n * stride + 2];
      const isOver = inside.find((at) => Number.isNaN(v[at]));
      return isOver ?? inside.reduce((best, at) => ((v[at] as number) > (v[best] as number) ? at : best));
    });
  return [
    {
      what,
      inputs: [{ shape, data: spread(kind, shape) }],
      op: withGradients((x) => op(x as Tensor), [0]),
      want: (v) => {
        const dx = new Array<number>(size(shape)).fill(0);
        for (const at of places(v as Values)) dx[at] = (dx[at] as number) + 1;
        return [places(v as Values).map((at) => (v as Values)[at] as number), dx];
      },
    },
  ];
}

export const maximaTable: Readonly<Record<string, (kind: Kind) => Trial[]>> = {
  maxPool2d: (kind) =>
    maximaTrials(kind, 'maxPool2d', [1, 1, 61, 1], 1, (x) => ops.maxPool2d(x, [1, 3], { stride: 1 })),
  maxPool3d: (kind) =>
    maximaTrials(kind, 'maxPool3d', [1, 1, 1, 61, 1], 1, (x) => ops.maxPool3d(x, [1, 1, 3], { stride: 1 })),
  maxPool1d: (kind) => maximaTrials(kind, 'maxPool1d', [1, 61, 1], 1, (x) => ops.maxPool1d(x, 3, { stride: 1 })),
  adaptiveMaxPool2d: (kind) =>
    maximaTrials(kind, 'adaptiveMaxPool2d', [1, 1, 60, 1], 3, (x) => ops.adaptiveMaxPool2d(x, 1, 20)),
};

export function batchNormTrials(kind: Kind): Trial[] {
  const shape = [13, 5];
  const vectors = [0.5, 1.5, -0.25, 1, 2];
  return [
    {
      what: 'batchNormEval',
      inputs: [
        { shape, data: spread(kind, shape) },
        { shape: [5], data: vectors },
        { shape: [5], data: [1, 0.25, -1.5, Number.NaN, Number.POSITIVE_INFINITY] },
      ],
      op: (...[x, mean, variance]) => [
        ops.batchNormEval(x as Tensor, mean as Tensor, variance as Tensor, mean as Tensor, mean as Tensor, 1e-3),
      ],
      want: (x, mean, variance) => [
        Array.from(x as Values, (v, i) => {
          const of = (one: Values | undefined) => (one as Values)[i % 5] as number;
          return (v - of(mean)) * (of(mean) / Math.sqrt(of(variance) + 1e-3)) + of(mean);
        }),
      ],
      slack: kind.dtype === 'f16' ? 2e-2 : 1e-5,
    },
  ];
}

/** f32 to f16 and back, where the device has f16; the same tensor otherwise. */
export function castTrials({ dtype }: Kind, device: Device): Trial[] {
  const data = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0,
    65504,
    -65504,
    65519,
    65520,
    1e6,
    -3e38,
    2 ** -14,
    0.1,
    1 / 3,
  ];
  const hasHalf = device.features.has('shader-f16');
  return [
    {
      what: 'cast',
      inputs: [{ shape: [data.length], data: dtype === 'f32' ? data : [1, Number.NaN] }].map(({ data: some }) => ({
        shape: [some.length],
        data: some,
      })),
      op: (x) => [ops.cast(hasHalf ? ops.cast(x as Tensor, 'f16') : (x as Tensor), 'f32')],
      want: (x) => [
        Array.from(x as Values, (v) => (hasHalf && Math.abs(v) >= 65520 ? Math.sign(v) * Number.POSITIVE_INFINITY : v)),
      ],
      error: 5e-4,
    },
  ];
}
