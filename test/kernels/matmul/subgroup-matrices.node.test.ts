import { beforeAll, expect, it } from 'vitest';
import { create } from 'webgpu';
import { type Kernel, source } from '../../../src/gpu/kernel.ts';
import { type EpilogueSpec, matmulKernel, wgslTools } from '../../../src/kernels/matmul/kernel-interface.ts';
import type { Operand } from '../../../src/kernels/matmul/subgroup-kernel.ts';
import {
  type MatrixUnit,
  subgroupMatrixWgsl,
  WORKGROUP_BYTES,
} from '../../../src/kernels/matmul/subgroup-matrix-kernel.ts';

// Dawn's null backend computes nothing and has every feature: its compiler of WGSL knows matrix units, and so checks the kernels as they are, types,
// uniformity and all, which no adapter of this suite does.

// Dawn crashes when what it made is collected while it is in use.
const dawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
let gpu: GPUDevice;
beforeAll(async () => {
  const adapter = await dawn.requestAdapter();
  const names = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[];
  gpu = (await adapter?.requestDevice({ requiredFeatures: names })) as GPUDevice;
});

const operands = (['inner', 'outer'] as const).flatMap((along) => [true, false].map((four) => ({ along, four })));
const plain: EpilogueSpec = { bias: true, residual: true, four: true };
const epilogues: readonly EpilogueSpec[] = [
  plain,
  { ...plain, activation: 'gelu', four: false },
  { gate: 'gelu', four: true },
  { parts: true, rowSums: true, four: false },
  { ...plain, rowSums: true },
];

/** Of the kernels so far. */
let most = 0;
function workgroupBytes(code: string): number {
  return [...code.matchAll(/var<workgroup> ?\w+: ?array<f(\d+), ?(\d+)>/g)].reduce(
    (sum, [, bits, count]) => sum + (Number(bits) / 8) * Number(count),
    0,
  );
}

/** Messages of Dawn's compiler about a kernel. */
async function messagesOf(
  unit: MatrixUnit,
  element: 'f32' | 'f16',
  threadTile: 4 | 8,
  [a, b]: readonly [Operand, Operand],
  loops: number,
  epilogue: EpilogueSpec,
  change = (code: string) => code,
): Promise<string[]> {
  const spec = { threadTile, a, b, loops, epilogue, form: 'f32' } as const;
  const kernel = matmulKernel(
    {
      a: 'vec4<T>',
      b: 'vec4<T>',
      requires: ['subgroups', 'chromium_experimental_subgroup_matrix'],
      rowsPerWorkgroup: 8 * threadTile,
      colsPerWorkgroup: 8 * threadTile,
      wgsl: async () => '',
    },
    epilogue,
  );
  kernel.code = subgroupMatrixWgsl(unit, spec, wgslTools);
  most = Math.max(most, workgroupBytes(kernel.code));
  gpu.pushErrorScope('validation');
  const module = gpu.createShaderModule({ code: change(source(kernel as unknown as Kernel, element)) });
  const messages = (await module.getCompilationInfo()).messages.map(({ message }) => message);
  await gpu.popErrorScope();
  return messages;
}

it.for([
  ['f16', { component: 'f16', M: 16, N: 16, K: 16 }],
  ['f16', { component: 'f16', M: 8, N: 16, K: 16 }],
  ['f16', { component: 'f32', M: 8, N: 8, K: 8 }],
  ['f32', { component: 'f32', M: 8, N: 8, K: 8 }],
] as const)("Dawn's compiler takes all kernels of %s for units of %o", async ([element, config]) => {
  const unit = { ...config, threads: 128, spelling: 'template' } as const;
  for (const threadTile of [4, 8] as const) {
    for (const a of operands) {
      for (const b of operands) expect(await messagesOf(unit, element, threadTile, [a, b], 1, plain)).toEqual([]);
    }
    const [inner, outer] = [operands[0] as Operand, operands[3] as Operand];
    for (const epilogue of epilogues) {
      for (const loops of [1, 2]) {
        expect(await messagesOf(unit, element, threadTile, [inner, outer], loops, epilogue)).toEqual([]);
      }
    }
  }
  // A module with few threads, which bring more each, and with more threads than there are vec4s to bring.
  for (const threads of [32, 512]) {
    const summed = { ...plain, rowSums: true };
    for (const threadTile of [4, 8] as const) {
      const both = [operands[0] as Operand, operands[1] as Operand] as const;
      expect(await messagesOf({ ...unit, threads }, element, threadTile, both, 2, summed)).toEqual([]);
    }
  }
});

it('takes the older spelling too, and says that it is old; what it does not know it refuses', async () => {
  const unit = { component: 'f16', M: 16, N: 16, K: 16, threads: 128, spelling: 'argument' } as const;
  const of = [operands[0]!, operands[2]!] as const;
  expect(new Set(await messagesOf(unit, 'f16', 4, of, 1, plain))).toEqual(new Set(['use of deprecated builtin']));
  const wrong = (code: string) => code.replaceAll('row_major', 'by_rows');
  expect(await messagesOf({ ...unit, spelling: 'template' }, 'f16', 4, of, 1, plain, wrong)).not.toEqual([]);
  // Without the attribute too it finds that subgroups stay together, where it knows that; and it looks, as threads that part are refused.
  const strict = (code: string) => code.replace('@diagnostic(off, chromium.subgroup_matrix_uniformity)', '');
  const parted = (code: string) => strict(code).replaceAll('subgroup < 4u', 'l < 4u');
  expect(await messagesOf({ ...unit, spelling: 'template' }, 'f16', 4, of, 1, plain, strict)).toEqual([]);
  expect((await messagesOf({ ...unit, spelling: 'template' }, 'f16', 4, of, 1, plain, parted)).join()).toContain(
    'uniform control flow',
  );
});

it('no kernel takes more workgroup memory than is asked of a device', () => {
  expect(most).toBe(WORKGROUP_BYTES);
});
