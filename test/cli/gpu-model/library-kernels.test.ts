import { describe, expect, test } from 'vitest';
import { gpuModel } from '../../../cli/src/gpu-model/model.ts';
import { qkvAttention } from '../../../src/kernels/attention/attention.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Bytes of workgroup memory that every WebGPU device has. */
const WORKGROUP_MEMORY = 16_384;
/** What no kernel for GPUs may have, whatever the sizes. */
const FORBIDDEN = ['bank conflicts', 'scalar loads', 'private array in memory'];

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
            expect(coalescing, `${kernel} on ${gpu}`).toBeGreaterThanOrEqual(0.8);
          }
        }
      } finally {
        own.forEach(free);
      }
    });
  }
});
