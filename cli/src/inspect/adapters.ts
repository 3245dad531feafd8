import { type Device, matmul, openDevice, read, tensor } from '@zeroseg/core';
import { adapterNames } from '@zeroseg/core/internal';
import { withoutHome } from './hidden-home.ts';

/** Features that make something faster or possible: see docs/adapters.md. */
const watched = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** Limits that decide how large a model and a batch may be, and how large workgroups are. */
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBuffersPerShaderStage',
] as const;

/** An adapter that could be opened. */
export interface OpenedAdapter {
  readonly name: string;
  /** What `--adapter` takes. */
  readonly option: string;
  readonly kind: 'GPU' | 'processor';
  readonly vendor: string;
  readonly architecture: string;
  readonly features: Readonly<Record<(typeof watched)[number], boolean>>;
  /** Threads of a subgroup; null where there are none. */
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  readonly limits: Readonly<Record<(typeof limits)[number], number>>;
  readonly check: SelfCheck;
}

/** One that could not. */
export interface BrokenAdapter {
  readonly option: string;
  readonly problem: string;
}

export interface SelfCheck {
  readonly passed: boolean;
  /** Largest difference of an element from the reference; null where nothing came back. */
  readonly error: number | null;
  readonly milliseconds: number;
  readonly problem: string | null;
}

/** What an adapter is, and whether it computes what it should. The device stays open. */
export async function inspectDevice(device: Device, option: string): Promise<OpenedAdapter> {
  const { adapter, features } = device;
  const { subgroupMinSize: min = 0, subgroupMaxSize: max = 0 } = adapter;
  return {
    name: device.name,
    option,
    kind: device.isSoftware ? 'processor' : 'GPU',
    vendor: adapter.vendor,
    architecture: adapter.architecture,
    features: Object.fromEntries(watched.map((name) => [name, features.has(name)])) as OpenedAdapter['features'],
    subgroups: features.has('subgroups') ? { min, max } : null,
    limits: Object.fromEntries(limits.map((name) => [name, device.limits[name]])) as OpenedAdapter['limits'],
    check: await checkMatmul(device),
  };
}

/** Opens every adapter that there is, one after the other. */
export async function inspectAdapters(): Promise<(OpenedAdapter | BrokenAdapter)[]> {
  const found: (OpenedAdapter | BrokenAdapter)[] = [];
  for (const option of await adapterNames()) {
    try {
      using device = await openDevice({ adapter: option, notice: null });
      found.push(await inspectDevice(device, option));
    } catch (error) {
      found.push({ option, problem: problemOf(error) });
    }
  }
  return found;
}

const [ROWS, INNER, COLS] = [33, 48, 20] as const;
/** Sums of 48 products below 1 in f32. */
const TOLERANCE = 1e-5;

/** A product of matrices whose sizes fit no tile, against the same in doubles. */
async function checkMatmul(device: Device): Promise<SelfCheck> {
  const began = performance.now();
  const fill = (n: number, by: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(by * i));
  const [a, b] = [fill(ROWS * INNER, 0.7), fill(INNER * COLS, 1.3)];
  try {
    const product = await read(matmul(tensor(device, a, [ROWS, INNER]), tensor(device, b, [INNER, COLS])));
    let error = 0;
    for (let row = 0; row < ROWS; row++) {
      for (let col = 0; col < COLS; col++) {
        let sum = 0;
        for (let i = 0; i < INNER; i++) sum += (a[row * INNER + i] as number) * (b[i * COLS + col] as number);
        const difference = Math.abs(sum - (product[row * COLS + col] as number));
        // Not a number is no small difference.
        if (!(difference <= error)) error = difference;
      }
    }
    const passed = error <= TOLERANCE;
    const problem = passed ? null : `an element differs by ${error} (${TOLERANCE} is allowed)`;
    const milliseconds = performance.now() - began;
    return { passed, error: Number.isFinite(error) ? error : null, milliseconds, problem };
  } catch (error) {
    return { passed: false, error: null, milliseconds: performance.now() - began, problem: problemOf(error) };
  }
}

/** Why an adapter could not be opened, or did not compute. */
export function problemOf(error: unknown): string {
  const words = error instanceof Error ? error.message.trim() : String(error);
  return withoutHome(words.replace(/^openDevice: /, ''));
}
