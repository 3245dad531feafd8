import { describe, expect, test } from 'vitest';
import { gpuModel, type ModelledLaunch } from '../../../cli/src/gpu-model/model.ts';
import { attention, qkvAttention } from '../../../src/kernels/attention/attention.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { permute } from '../../../src/kernels/layout/layout.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { adamW, HYPERPARAMETER_COUNT } from '../../../src/kernels/optimizer/adamw.ts';
import { blockWord, clipGradients } from '../../../src/kernels/optimizer/clip.ts';
import { groupNorm } from '../../../src/kernels/row-ops/group-norm.ts';
import { layerNorm } from '../../../src/kernels/row-ops/layer-norm.ts';
import { softmax } from '../../../src/kernels/row-ops/softmax.ts';
import { gridSample } from '../../../src/kernels/spatial/grid-sample.ts';
import { maxPool2d } from '../../../src/kernels/spatial/pool.ts';
import { unfoldWindows } from '../../../src/kernels/spatial/windows.ts';
import { cdist } from '../../../src/kernels/statistics/cdist.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Bytes of workgroup memory that every WebGPU device has. */
const WORKGROUP_MEMORY = 16_384;
/** Invocations of a workgroup that every WebGPU device has. */
const WORKGROUP_SIZE = 256;
/** What no kernel for GPUs may have, whatever the sizes. */
const FORBIDDEN = ['bank conflicts', 'scalar loads', 'private array in memory'];

/** What a launch may not have on any GPU, in words: nothing where all is well. `least`: of the bytes of the sectors that it touches. */
function wrongOf({ kernel, workgroups, workgroupBytes, workgroupSize, scratch, gpus }: ModelledLaunch, least: number) {
  const [x, y, z] = workgroupSize;
  const wrong: string[] = Object.keys(scratch).map((name) => `${name} is a private array in memory`);
  if (workgroupBytes > WORKGROUP_MEMORY) wrong.push(`${workgroupBytes} bytes of workgroup memory`);
  if (x * y * z > WORKGROUP_SIZE) wrong.push(`${x * y * z} threads`);
  for (const { coalescing, counts } of gpus) {
    // A single workgroup has a few numbers to add up, and stores one.
    if (workgroups > 1 && coalescing < least) wrong.push(`uses ${Math.round(coalescing * 100)} % of its sectors`);
    for (const { site, turns, fewestTurns } of counts.sites) {
      if (site.space === 'workgroup' && turns > 2 * fewestTurns)
        wrong.push(`${site.text} takes ${(turns / fewestTurns).toFixed(1)} turns`);
    }
  }
  return wrong.map((words) => `${kernel} ${words}`);
}

describe('all others read whole sectors, meet in banks in twos at most, and stay within the limits of every device', () => {
  interface Made {
    (...shape: number[]): Tensor;
    /** A vector of these. */
    of(values: Float32Array | Uint32Array): Tensor;
  }
  const bodies: Record<string, readonly [least: number, body: (made: Made) => Tensor[]]> = {
    'rows, and the gradients of their weights': [
      0.8,
      (made) => {
        const [x, weight, bias] = [made(64, 128), made(128), made(128)];
        return [...gradients(layerNorm(x, weight, bias, 1e-6), [x, weight, bias], made(64, 128))];
      },
    ],
    'norms of groups': [
      0.8,
      (made) => {
        const [x, weight, bias] = [made(2, 8, 8, 64), made(64), made(64)];
        // Of eight channels each, and of one: those of an instance norm.
        return [8, 64].flatMap((groups) => [
          ...gradients(groupNorm(x, weight, bias, groups, 1e-6), [x, weight, bias], made(2, 8, 8, 64)),
        ]);
      },
    ],
    'sums, and a transpose': [0.8, (made) => [sum(made(128, 128), { axes: [0] }), permute(made(64, 96), [1, 0])]],
    // Rows that begin anywhere touch a sector more.
    'lengths that are no multiple of 4': [0.75, (made) => [softmax(made(64, 197)), permute(made(127, 127), [1, 0])]],
    // Of a step that is taken: where its factor is below 0 an optimizer reads nothing more.
    'an optimizer': [
      0.8,
      (made) => {
        // Enough that every workgroup has a part of the norm.
        const [parameters, gradients, m, v] = [made(2 ** 18), made(2 ** 18), made(2 ** 18), made(2 ** 18)];
        const blocks = made.of(new Uint32Array(2 ** 12).fill(blockWord(64, true)));
        const [hyper, factor] = [made(HYPERPARAMETER_COUNT), made.of(Float32Array.of(1))];
        const constants = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 };
        adamW({ parameters, gradients, m, v, blocks }, hyper, factor, constants);
        return [clipGradients([{ gradients, blocks }], hyper, 1).norm];
      },
    ],
    // Products of convolutions are those of matmul, below.
    'windows, and pooling': [
      0.8,
      (made) => {
        const x = made(2, 8, 8, 32);
        const same = { stride: [1, 1], padding: [1, 1], dilation: [1, 1] } as const;
        const [rows, pooled] = [unfoldWindows(x, { high: 8, wide: 8, rows: 3, cols: 3, ...same }), maxPool2d(x, 2)];
        return [...gradients(rows, [x], made(...rows.shape)), ...gradients(pooled, [x], made(...pooled.shape))];
      },
    ],
    // Neighbours have rows of their own, of which each load takes a vec4: half of a sector, the next load the other half.
    'distances, and samples of images': [
      0.45,
      (made) => {
        const [a, b, x, grid] = [made(64, 64), made(64, 64), made(1, 16, 16, 32), made(1, 16, 16, 2)];
        const [y, samples] = [cdist(a, b), gridSample(x, grid)];
        return [samples, ...gradients(y, [a, b], made(64, 64)), ...gradients(samples, [grid], made(1, 16, 16, 32))];
      },
    ],
  };
  for (const [name, [least, body]] of Object.entries(bodies)) {
    test(name, async () => {
      const own: Tensor[] = [];
      const variableOf = (shape: number[], values?: Float32Array | Uint32Array) => {
        const t = variable(device.current, shape, values);
        own.push(t);
        return t;
      };
      const made = Object.assign((...shape: number[]) => variableOf(shape), {
        of: (values: Float32Array | Uint32Array) => variableOf([values.length], values),
      });
      try {
        const launches = await gpuModel(device.current, () => body(made), { gpus: ['h100'], groups: 1 });
        expect(launches.length).toBeGreaterThan(1);
        expect(launches.flatMap((launch) => wrongOf(launch, least))).toEqual([]);
      } finally {
        own.forEach(free);
      }
    });
  }
});

describe('matmul and attention for GPUs have no bank conflicts, load vec4s and whole sectors, and keep no private array', () => {
  const bodies: Record<string, (made: (...shape: number[]) => Tensor) => Tensor[]> = {
    'a layer and its gradients': (made) => {
      const [x, weight, bias] = [made(128, 96), made(160, 96), made(160)];
      const y = linear(x, weight, { bias });
      return [y, ...gradients(y, [x, weight, bias], made(128, 160))];
    },
    'the gradients of a small weight over many rows, in parts': (made) => {
      const [x, weight, bias] = [made(512, 32), made(32, 32), made(32)];
      return [...gradients(linear(x, weight, { bias }), [x, weight, bias], made(512, 32))];
    },
    'large tiles': (made) => [matmul(made(512, 64), made(64, 512))],
    'rows that begin anywhere': (made) => [
      linear(made(70, 131), made(67, 131)),
      matmul(made(70, 131), made(131, 67)),
      matmul(made(131, 70), made(131, 67), { transposeA: true }),
    ],
    'rows that begin anywhere, in large tiles': (made) => [linear(made(509, 131), made(511, 131))],
    'attention of many heads': (made) => [qkvAttention(made(32, 64, 3 * 512), 8)],
    'attention of few heads': (made) => [qkvAttention(made(1, 64, 3 * 128), 2)],
  };
  for (const [name, body] of Object.entries(bodies)) {
    test(name, async () => {
      const own: Tensor[] = [];
      const made = (...shape: number[]) => {
        const t = variable(device.current, shape);
        own.push(t);
        return t;
      };
      try {
        const launches = await gpuModel(device.current, () => body(made), { gpus: ['h100', 'm3'], groups: 2 });
        const products = launches.filter(({ kernel }) => /^(matmul|attention)/.test(kernel));
        expect(products.length).toBeGreaterThan(0);
        for (const { kernel, workgroupBytes, scratch, gpus } of products) {
          expect(workgroupBytes, kernel).toBeLessThanOrEqual(WORKGROUP_MEMORY);
          expect(scratch, kernel).toEqual({});
          for (const { gpu, conflicts, coalescing, faults } of gpus) {
            const told = faults.filter(({ kind }) => FORBIDDEN.includes(kind)).map(({ words }) => words);
            expect(told, `${kernel} on ${gpu}`).toEqual([]);
            expect(conflicts, `${kernel} on ${gpu}`).toBeLessThanOrEqual(1.1);
            // Apple's large tiles read four steps of a row of a at a time: half of a sector, and the next load the other half.
            const least = gpu === 'm3' && name === 'large tiles' ? 0.6 : 0.8;
            expect(coalescing, `${kernel} on ${gpu}`).toBeGreaterThanOrEqual(least);
          }
        }
      } finally {
        own.forEach(free);
      }
    });
  }
});

test('attention of a ViT-B at a batch of two: 40 % of the peak forward, 30 % backward, on both NVIDIA GPUs', async () => {
  const own = Array.from({ length: 4 }, () => variable(device.current, [2, 12, 197, 64]));
  try {
    const [q, k, v, dy] = own as [Tensor, Tensor, Tensor, Tensor];
    const body = () => {
      const y = attention(q, k, v);
      return [y, ...gradients(y, [q, k, v], dy)];
    };
    const launches = await gpuModel(device.current, body, { gpus: ['h100', 'rtx4090'], groups: 1 });
    const least: Readonly<Record<string, number>> = { attention: 0.4, 'attention backward': 0.3 };
    const products = launches.filter(({ kernel }) => kernel in least);
    expect(products).toHaveLength(2);
    for (const { kernel, workgroupBytes, gpus } of products) {
      expect(workgroupBytes).toBeLessThanOrEqual(WORKGROUP_MEMORY);
      for (const { gpu, shareOfPeak } of gpus) {
        expect(shareOfPeak, `${kernel} on ${gpu}`).toBeGreaterThanOrEqual(least[kernel] as number);
      }
    }
  } finally {
    own.forEach(free);
  }
});

test("a product of 1024³ has half of the peak of Apple's GPU, whose workgroup memory is slow", async () => {
  const [a, b] = [0, 1].map(() => variable(device.current, [1024, 1024])) as [Tensor, Tensor];
  const [launch] = await gpuModel(device.current, () => matmul(a, b), { gpus: ['m3'], groups: 1 });
  for (const x of [a, b]) free(x);
  expect(launch?.gpus[0]?.shareOfPeak).toBeGreaterThanOrEqual(0.5);
});

test('a product in f16 is another kernel on Apple, whose tiles take half of the memory', async ({ skip }) => {
  skip(!device.current.features.has('shader-f16'), 'this device has no f16');
  const [a, b] = [0, 1].map(() => variable(device.current, [64, 64], undefined, 'f16')) as [Tensor, Tensor];
  const launches = await gpuModel(device.current, () => matmul(a, b), { gpus: ['h100', 'm3'] });
  for (const x of [a, b]) free(x);
  const bytes = Object.fromEntries(
    launches.map(({ gpus, workgroupBytes }) => [gpus.map(({ gpu }) => gpu).join(), workgroupBytes]),
  );
  expect(Object.keys(bytes).toSorted()).toEqual(['h100', 'm3']);
  expect(bytes['m3']).toBe((bytes['h100'] as number) / 2);
});
