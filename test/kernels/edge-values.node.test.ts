import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import * as ops from '../support/all-ops.ts';
import { asOnGpu, useDevice } from '../support/device.ts';
import { lossTrials } from '../support/edge-losses.ts';
import { batchNormTrials, castTrials, maximaTable, moveTable } from '../support/edge-moves.ts';
import {
  binaryTrials,
  gluTrials,
  lerpTrials,
  maskTrials,
  unaryTrials,
  whereTrials,
} from '../support/edge-pointwise.ts';
import { linearOfGpu, productTrials } from '../support/edge-products.ts';
import { onCpu, onGpu, rowTrials } from '../support/edge-rows.ts';
import { faults, type Kind, kinds, type Trial } from '../support/edges.ts';

// Every op at NaN, ±∞, ±0, below the least normal number, at the highest: at every place of lines of all layouts, forward and
// backward, against float64. The rule is written down in src/gpu/prelude.ts.

type Table = Readonly<Record<string, (kind: Kind, device: Device) => Trial[] | Promise<Trial[]>>>;

const table: Table = {
  ...unaryTrials,
  ...binaryTrials,
  ...maskTrials,
  where: whereTrials,
  lerp: lerpTrials,
  glu: gluTrials,
  ...Object.fromEntries(Object.entries(rowTrials).map(([name, trials]) => [name, (kind: Kind) => trials(kind, onCpu)])),
  ...lossTrials,
  ...moveTable,
  batchNormEval: batchNormTrials,
  ...maximaTable,
  cast: castTrials,
  ...productTrials,
};

function pick(from: Table, names: readonly string[]): Table {
  return Object.fromEntries(names.map((name) => [name, from[name] as Table[string]]));
}

/** Forms for GPUs that choose among elements, or join threads. */
const tableOfGpu: Table = {
  ...pick(lossTrials, ['crossEntropy', 'segmentMatch']),
  ...pick(productTrials, ['qkvAttention']),
  linear: linearOfGpu,
  ...Object.fromEntries(
    ['softmax', 'gumbelSoftmax', 'l2Normalize', 'max', 'argmin'].map((name) => [
      name,
      (kind: Kind) => (rowTrials[name] as (typeof rowTrials)[string])(kind, onGpu),
    ]),
  ),
};

/** What no values go into, or only finite ones. */
const without: Readonly<Record<string, string>> = {
  arange: 'is made on the host',
  assign: 'copies words as they are',
  averageWindows: 'takes scores of a network, which are finite; test/kernels/zeroseg/average-windows.test.ts',
  bincount: 'takes indices, as scatterAdd; test/kernels/indexing/counts.test.ts',
  diff: 'as slice and sub',
  dropout: 'leaves out anything; test/nn/layers/dropout.test.ts',
  eye: 'is made on the host',
  fillLike: 'has the value that it is given',
  gaussianNll: 'by ops; test/kernels/row-ops/likelihoods.test.ts',
  gridSample: 'chooses pixels by places; test/kernels/spatial/grid-sample.test.ts',
  histogram: 'counts; test/kernels/indexing/counts.test.ts',
  linspace: 'is made on the host',
  nonzero: 'reads, and answers later; test/kernels/indexing/indexing.test.ts',
  oneHot: 'takes indices',
  nllLoss: 'as takeAlongAxis; test/kernels/row-ops/likelihoods.test.ts',
  onesLike: 'as fillLike',
  outer: 'is mul',
  pamr: 'takes pixels and such scores; test/kernels/zeroseg/pamr.test.ts',
  pamrSteps: 'as pamr',
  pamrWeights: 'as pamr',
  randomBernoulli: 'makes numbers from a key',
  randomCategorical: 'as argmax and add',
  randomGumbel: 'makes numbers from a key',
  randomInteger: 'makes numbers from a key',
  randomNormal: 'makes numbers from a key',
  randomPermutation: 'makes numbers from a key',
  randomUniform: 'makes numbers from a key',
  resizeCells: 'takes bytes; test/zeroseg/clip/view-queue.test.ts',
  rotaryTable: 'is made on the host',
  tripletMarginLoss: 'as norm; test/kernels/row-ops/likelihoods.test.ts',
  tune: 'chooses among forms of matmul',
  unique: 'as nonzero',
  zerosLike: 'as fillLike',
};

it('covers every op', () => {
  expect([...Object.keys(table), ...Object.keys(without)].sort()).toEqual(Object.keys(ops).sort());
});

function check(kind: Kind, rows: Table): void {
  const device = useDevice();
  it.each(Object.entries(rows))('%s', async (_, make) => {
    const isThere = kind.dtype === 'f32' || device.current.features.has('shader-f16');
    const trials = isThere ? await make(kind, device.current) : [];
    expect((await faults(device.current, kind, trials)).flat().slice(0, 20)).toEqual([]);
  });
}

describe('edge values in f32', () => check(kinds.f32, table));

describe('edge values in f16', () => check(kinds.f16, table));

// The adapters of this suite compute on the CPU. Launches of a GPU have other shapes, and sum over threads.
describe('edge values as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  check(kinds.f32, tableOfGpu);
});
