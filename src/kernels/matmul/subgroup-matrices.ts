import { type Device, DeviceError, KernelError } from '../../gpu/index.ts';
import { checkDevice, tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { cast } from '../elementwise/index.ts';
import { matmul } from './matmul.ts';
import { type MatrixUnit, SUBGROUPS, stepsOf, subgroupMatrixWgsl, WORKGROUP_BYTES } from './subgroup-matrix-kernel.ts';
import type { TileForm } from './tile-kernel.ts';
import { productClass, productsOf } from './variants.ts';

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
 * `ZEROSEG_DAWN_FEATURES=allow_unsafe_apis` before the device is opened; on NVIDIA's GPUs f16 may need `vulkan_enable_f16_on_nvidia` beside
 * it, with a comma between. Nothing changes on CPU adapters.
 *
 * Sums are f32 as ever. Products of f16 are taken where a unit multiplies f16 and sums in f32, or multiplies f32, to which f16 is widened
 * exactly; products of f32 where a unit multiplies f32. Others stay as they are. How a unit rounds while it adds up is up to the GPU: WGSL
 * promises nothing.
 *
 * **This has not yet run on a GPU.** It is tested by an emulation of the units, and by Dawn's compiler. So it is off by itself, and small
 * products are computed on the device first and compared with exact ones; where they differ, nothing changes and this fails. Until the promise
 * resolves, products that are recorded may be computed by units that have not been compared: await it first.
 *
 * ```ts
 * if (device.features.has('chromium-experimental-subgroup-matrix')) await useSubgroupMatrices(device);
 * ```
 *
 * @throws DeviceError on a device without the feature or without units that sum in f32, where these products come out wrong, and while an
 * earlier call for the device has not resolved.
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
        `${threads} threads and ${WORKGROUP_BYTES} bytes; ${device.features.has('shader-f16') ? '' : 'the device has no f16 (shader-f16), which Dawn gives on NVIDIA with the toggle vulkan_enable_f16_on_nvidia; '}go on without`,
    );
  }
  if (underWay.has(device)) {
    throw new DeviceError(
      `useSubgroupMatrices: an earlier call for '${device.name}' has not resolved; await it, one call is enough`,
    );
  }
  underWay.add(device);
  try {
    await turnOn(device, { f32: single, f16: half }, threads);
  } finally {
    underWay.delete(device);
  }
}

/** Devices whose units are being compared. */
const underWay = new WeakSet<Device>();

/** Takes the spelling that the device compiles, if its units multiply rightly; else leaves everything as it was. */
async function turnOn(
  device: Device,
  units: { readonly f32: Config | undefined; readonly f16: Config | undefined },
  threads: number,
): Promise<void> {
  const before = device.form;
  let refusal: KernelError | undefined;
  for (const spelling of ['template', 'argument'] as const) {
    const formOf = (config: Config | undefined) => config && form({ ...(config as UsableConfig), threads, spelling });
    const forms = { f32: formOf(units.f32), f16: formOf(units.f16) } as const;
    const ours: Device['form'] = (dtype) => forms[dtype as keyof typeof forms];
    device.form = ours;
    try {
      for (const dtype of ['f16', 'f32'] as const) if (units[dtype]) await checkProducts(device, dtype);
      return;
    } catch (error) {
      // Who has asked for another way meanwhile keeps it.
      if (device.form === ours) restore(device, before);
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

/** What is compared: operands that lie either way, whole vec4s and edges on all sides, one run and two. Large tiles are left to `bench:matrices`. */
const checks = [
  { sizes: [40, 44, 36], transposeA: false, transposeB: true, variant: 'tile 4 1' },
  { sizes: [67, 1100, 71], transposeA: true, transposeB: false, variant: 'tile 4 1' },
] as const;

/** Products of whole numbers, whose sums are exact in f32, against the same on the host. Those of f32 have more digits than f16 or TF32 hold. */
async function checkProducts(device: Device, dtype: 'f16' | 'f32'): Promise<void> {
  const digits = dtype === 'f32' ? 4097 : 1;
  const at = (i: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 29) - 3;
  for (const { sizes, transposeA, transposeB, variant } of checks) {
    const [m, inner, n] = sizes;
    const a = Float32Array.from({ length: m * inner }, (_, i) => digits * at(i));
    const b = Float32Array.from({ length: inner * n }, (_, i) => at(i + a.length));
    const multiply = () =>
      matmul(
        cast(tensor(device, a, transposeA ? [inner, m] : [m, inner]), dtype),
        cast(tensor(device, b, transposeB ? [n, inner] : [inner, n]), dtype),
        { transposeA, transposeB },
      );
    const got = await read(cast(byVariant(device, variant, multiply), 'f32'));
    for (let i = 0; i < m * n; i++) {
      const [row, col] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const [of, by] = [transposeA ? k * m + row : row * inner + k, transposeB ? col * inner + k : k * n + col];
        sum += (a[of] as number) * (b[by] as number);
      }
      // Results of f16 are rounded to it.
      if (Math.abs((got[i] as number) - sum) <= (dtype === 'f16' ? 2 ** -11 * Math.abs(sum) : 0)) continue;
      throw new DeviceError(
        `useSubgroupMatrices: the matrix units of '${device.name}' give wrong products of ${dtype} (${got[i]} for ${sum}); products stay ` +
          'as they were; please tell https://github.com/zeroseg/core/issues',
      );
    }
  }
}

/** What `body` records, with its products by a variant of tiles, which alone have units. */
function byVariant<T>(device: Device, variant: string, body: () => T): T {
  const works = productsOf(device, body).map(productClass);
  const before = works.map((work) => device.tuned.get(work));
  for (const work of works) device.tuned.set(work, variant);
  try {
    return body();
  } finally {
    for (const [i, work] of works.entries()) {
      const kept = before[i];
      if (kept === undefined) device.tuned.delete(work);
      else device.tuned.set(work, kept);
    }
  }
}
