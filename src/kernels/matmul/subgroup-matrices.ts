import { type Device, DeviceError, KernelError } from '../../gpu/index.ts';
import { checkDevice, tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { cast } from '../elementwise/index.ts';
import { matmul } from './matmul.ts';
import { type MatrixUnit, SUBGROUPS, stepsOf, subgroupMatrixWgsl, WORKGROUP_BYTES } from './subgroup-matrix-kernel.ts';
import type { TileForm } from './tile-kernel.ts';

const FEATURE = 'chromium-experimental-subgroup-matrix';

/** What an adapter's matrix units can do, as `adapter.info.subgroupMatrixConfigs` lists it. */
interface Config {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

interface MatrixAdapter {
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: Iterable<Config>;
}

/**
 * Lets products on this device be computed by its matrix units (tensor cores, Apple's simdgroup matrices), from now on: `matmul`, `linear`
 * and what else multiplies matrices, with their gradients. It needs WebGPU's experimental feature
 * `chromium-experimental-subgroup-matrix`: in Chrome the flag `chrome://flags/#enable-unsafe-webgpu`, in Node the environment variable
 * `ZEROSEG_DAWN_FEATURES=allow_unsafe_apis` before the device is opened.
 *
 * Sums are f32 as ever. Products of f16 are taken where a unit multiplies f16 and sums in f32, or multiplies f32, to which f16 is widened
 * exactly; products of f32 where a unit multiplies f32. Others stay as they are. How a unit rounds while it adds up is up to the GPU: WGSL
 * promises nothing.
 *
 * **This has not yet run on a GPU.** It is tested by an emulation of the units, and by Dawn's compiler. So it is off by itself, and small
 * products are computed on the device first and compared with exact ones; where they differ, nothing changes and this fails.
 *
 * ```ts
 * if (device.features.has('chromium-experimental-subgroup-matrix')) await useSubgroupMatrices(device);
 * ```
 *
 * @throws DeviceError on a device without the feature or without units that sum in f32, and where these products come out wrong.
 */
export async function useSubgroupMatrices(device: Device): Promise<void> {
  checkDevice('useSubgroupMatrices', device);
  if (!device.features.has(FEATURE)) {
    throw new DeviceError(
      `useSubgroupMatrices: '${device.name}' was opened without matrix units (${FEATURE}); where its GPU has them, Chrome gives them with ` +
        'chrome://flags/#enable-unsafe-webgpu, and Node with ZEROSEG_DAWN_FEATURES=allow_unsafe_apis',
    );
  }
  const { subgroupMaxSize = 0, subgroupMatrixConfigs = [] } = device.adapter as MatrixAdapter;
  const configs = [...subgroupMatrixConfigs];
  const threads = SUBGROUPS * subgroupMaxSize;
  const unitOf = (component: MatrixUnit['component']) => configs.find((config) => isUsable(config, component));
  const single = unitOf('f32');
  const half = device.features.has('shader-f16') ? (unitOf('f16') ?? single) : undefined;
  const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupStorageSize: bytes } = device.limits as Limits;
  if ((!single && !half) || threads === 0 || threads > most || bytes < WORKGROUP_BYTES) {
    const words = configs.map((c) => `${c.componentType} to ${c.resultComponentType} ${c.M}x${c.N}x${c.K}`);
    throw new DeviceError(
      `useSubgroupMatrices: no matrix unit of '${device.name}' fits (${words.join(', ') || 'it lists none'}; subgroups of up to ` +
        `${subgroupMaxSize} threads); products take f16 or f32 with sums of f32, M and N of 8 or 16, K of 8, 16 or 32, and workgroups of ` +
        `${threads} threads and ${WORKGROUP_BYTES} bytes; go on without`,
    );
  }
  const before = device.form;
  let refusal: KernelError | undefined;
  for (const spelling of ['template', 'argument'] as const) {
    const formOf = (config: Config | undefined) => config && form({ ...(config as UsableConfig), threads, spelling });
    const forms = { f32: formOf(single), f16: formOf(half) } as const;
    device.form = (dtype) => forms[dtype as keyof typeof forms];
    try {
      await checkProducts(device, half ? (single ? ['f16', 'f32'] : ['f16']) : ['f32']);
      return;
    } catch (error) {
      restore(device, before);
      // Chromium of before the layout was part of the template does not know it.
      if (!(error instanceof KernelError)) throw error;
      refusal ??= error;
    }
  }
  throw new DeviceError(`useSubgroupMatrices: '${device.name}' does not compile the kernel; ${refusal?.message}`, {
    cause: refusal,
  });
}

type Limits = Readonly<Record<'maxComputeInvocationsPerWorkgroup' | 'maxComputeWorkgroupStorageSize', number>>;
type UsableConfig = Config & { readonly componentType: MatrixUnit['component'] };

function isUsable({ componentType, resultComponentType, M, N, K }: Config, component: MatrixUnit['component']) {
  const isSide = (n: number) => n === 8 || n === 16;
  return (
    componentType === component &&
    resultComponentType === 'f32' &&
    isSide(M) &&
    isSide(N) &&
    K >= 8 &&
    stepsOf(component) % K === 0
  );
}

function form({ componentType, M, N, K, threads, spelling }: UsableConfig & Omit<MatrixUnit, 'component'>): TileForm {
  const unit: MatrixUnit = { component: componentType, M, N, K, threads, spelling };
  return {
    name: `subgroup matrices ${JSON.stringify(unit)}`,
    requires: ['subgroups', 'chromium_experimental_subgroup_matrix'],
    wgsl: (_, spec, tools) => subgroupMatrixWgsl(unit, spec, tools),
  };
}

function restore(device: Device, before: Device['form']): void {
  if (before) device.form = before;
  else Reflect.deleteProperty(device, 'form');
}

/** Products of small whole numbers, which are exact, of operands that lie either way, with edges: against the same on the host. */
async function checkProducts(device: Device, dtypes: readonly ('f16' | 'f32')[]): Promise<void> {
  const [m, n, inner] = [40, 36, 44];
  const at = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 29) - 3;
  for (const dtype of dtypes) {
    for (const turned of [false, true]) {
      const a = Float32Array.from({ length: m * inner }, (_, i) => at(i));
      const b = Float32Array.from({ length: inner * n }, (_, i) => at(i + a.length));
      const operand = (values: Float32Array, rows: number, cols: number) =>
        cast(tensor(device, values, turned ? [cols, rows] : [rows, cols]), dtype);
      const y = matmul(operand(a, m, inner), operand(b, inner, n), { transposeA: turned, transposeB: turned });
      const got = await read(cast(y, 'f32'));
      for (let i = 0; i < m * n; i++) {
        const [row, col] = [Math.floor(i / n), i % n];
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const [of, by] = turned ? [k * m + row, col * inner + k] : [row * inner + k, k * n + col];
          sum += (a[of] as number) * (b[by] as number);
        }
        if (got[i] === sum) continue;
        throw new DeviceError(
          `useSubgroupMatrices: the matrix units of '${device.name}' give wrong products of ${dtype} (${got[i]} for ${sum}); products stay ` +
            'as they were; please tell https://github.com/zeroseg/core/issues',
        );
      }
    }
  }
}
