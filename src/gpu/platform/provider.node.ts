import { existsSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { DeviceError } from '../errors.ts';
import type { AdapterRequest, Provided } from './provider.ts';
import { unpackSwiftShader } from './swiftshader.node.ts';

export { readTuning, writeTuning } from './tuning.node.ts';

const kept: unique symbol = Symbol.for('@zeroseg/core: Dawn');

/**
 * The GPU of Node: Dawn, from the npm package `webgpu`.
 *
 * Order: the adapter the caller (or `ZEROSEG_ADAPTER`) names; a hardware adapter; the system's lavapipe, where it is new
 * enough for Dawn; SwiftShader out of the npm package `@sparticuz/chromium`. Devices of different adapters can be open at once.
 */
export async function provide(request: AdapterRequest): Promise<Provided> {
  const wanted = request.adapter ?? process.env['ZEROSEG_ADAPTER'] ?? '';
  const { create } = await importDawn();

  if (wanted === 'swiftshader') return { adapter: await swiftShader(create) };

  if (wanted === '' || wanted === 'hardware' || wanted === 'software' || wanted === 'lavapipe') {
    if (wanted !== 'software' && hasVulkanDriver()) {
      const dawn = dawnFor(create, wanted === 'lavapipe' ? 'llvmpipe' : '');
      // Dawn throws where no name fits.
      const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
      const fallback = adapter?.info.isFallbackAdapter ?? false;
      const refused = (wanted === 'hardware' && fallback) || (wanted === 'lavapipe' && !isLavapipe(adapter));
      // Who asks for a software adapter knows that it is one.
      if (adapter && !refused) return { adapter, ...(fallback && !wanted ? { notice: lavapipeNotice(adapter) } : {}) };
    }
    if (wanted === 'hardware') {
      throw new DeviceError(
        "openDevice: no hardware GPU was found; install its Vulkan driver, or open the device with adapter: 'swiftshader'",
      );
    }
    if (wanted === 'lavapipe') {
      throw new DeviceError(
        'openDevice: no lavapipe that WebGPU accepts was found; install Mesa 24 or newer (Debian 12: ' +
          'mesa-vulkan-drivers from bookworm-backports)',
      );
    }
    return { adapter: await swiftShader(create), ...(wanted ? {} : { notice: SWIFTSHADER_NOTICE }) };
  }

  let adapter: GPUAdapter | null = null;
  let others = '';
  try {
    adapter = await dawnFor(create, wanted).requestAdapter();
    if (adapter) others = `'${adapter.info.description}'`;
  } catch (error) {
    // Dawn throws where no name fits, and lists the adapters there are.
    others = [...String(error).matchAll(/name: ('[^']*')/g)].map(([, name]) => name).join(', ');
  }
  if (!adapter || !isCalled(adapter, wanted)) {
    throw new DeviceError(
      `openDevice: no adapter is called '${wanted}'${others ? ` (there is ${others})` : ''}; ` +
        "give part of its name, or 'hardware', 'lavapipe' or 'swiftshader'",
    );
  }
  return { adapter };
}

/** Whether a word is part of an adapter's name. Dawn lists `llvmpipe (LLVM 15)` what its device is called `llvmpipe-llvm-15-`. */
function isCalled({ info }: GPUAdapter, wanted: string): boolean {
  const word = wanted.toLowerCase();
  return (
    `${info.device} ${info.description}`.toLowerCase().includes(word) ||
    info.device.includes(word.replaceAll(/[^a-z0-9]+/g, '-'))
  );
}

/** A name for every adapter that there is, by which `openDevice` takes it: those of the system's drivers, then the bundled one. */
export async function adapterNames(): Promise<string[]> {
  const { create } = await importDawn();
  const names: string[] = [];
  if (hasVulkanDriver()) {
    // Dawn throws where no name fits, and lists the adapters there are.
    const refusal = await dawnFor(create, NOBODY)
      .requestAdapter()
      .then(() => '', String);
    for (const [, name = ''] of refusal.matchAll(/name: '([^']*)'/g)) names.push(name);
  }
  if (process.platform === 'linux') names.push('swiftshader');
  return [...new Set(names)];
}

type Create = (flags: string[]) => GPU;

/**
 * The objects that Dawn's `create` gave, by what they were made for: one for each kind of adapter, for as long as the process
 * runs. Dawn crashes when one is collected whose devices are in use or just gone, and each takes 2 MB that never come back. They
 * are kept with the process, not with this module, which may be loaded more than once.
 */
const instances = ((globalThis as { [kept]?: Map<string, GPU> })[kept] ??= new Map<string, GPU>());

/** What the instance for the bundled SwiftShader is kept as. No adapter has such a name. */
const BUNDLED = 'bundled SwiftShader';
/** No adapter has this name either. */
const NOBODY = 'no adapter';

function dawnFor(create: Create, adapter: string, kind: string = adapter): GPU {
  // Toggles of Dawn, such as `allow_unsafe_apis`, without which it gives no experimental features.
  const toggles = (process.env['ZEROSEG_DAWN_FEATURES'] ?? '').replaceAll(' ', '');
  const key = toggles ? `${kind} with ${toggles}` : kind;
  let dawn = instances.get(key);
  if (!dawn) {
    dawn = create([
      ...(adapter ? [`adapter=${adapter}`] : []),
      ...(toggles ? [`enable-dawn-features=${toggles}`] : []),
    ]);
    instances.set(key, dawn);
  }
  return dawn;
}

async function importDawn(): Promise<{ create: Create }> {
  try {
    return (await import('webgpu')) as unknown as { create: Create };
  } catch (cause) {
    throw new DeviceError("openDevice: the npm package 'webgpu' did not load; run `npm install webgpu`", { cause });
  }
}

function isLavapipe(adapter: GPUAdapter | null): boolean {
  return !!adapter && /llvmpipe|lavapipe/i.test(`${adapter.info.device} ${adapter.info.description}`);
}

function lavapipeNotice(adapter: GPUAdapter): string {
  return `no GPU found: running on the CPU with '${adapter.info.description}'`;
}

/**
 * Whether asking Vulkan makes sense at all. Dawn prints warnings on stderr when the loader finds no driver, so a Linux
 * machine without any driver file goes straight to the bundled SwiftShader.
 */
function hasVulkanDriver(): boolean {
  if (process.platform !== 'linux') return true;
  const named = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'];
  if (named) return named.split(':').some((file) => existsSync(file));
  const home = process.env['HOME'] ?? '';
  const folders = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
  if (home) folders.push(join(home, '.local/share/vulkan/icd.d'));
  return folders.some((folder) => existsSync(folder) && readdirSync(folder).some((file) => file.endsWith('.json')));
}

const SWIFTSHADER_NOTICE =
  'no GPU found: running on the CPU with SwiftShader (slow); Mesa 24 or newer (package mesa-vulkan-drivers) is about 4 times faster';

async function swiftShader(create: Create): Promise<GPUAdapter> {
  const folder = await unpackSwiftShader();
  if (![...instances.keys()].some((key) => key.startsWith(BUNDLED))) loadVulkanLoader(join(folder, 'libvulkan.so.1'));
  const found = withDriver(join(folder, 'vk_swiftshader_icd.json'), () =>
    dawnFor(create, '', BUNDLED).requestAdapter(),
  );
  const adapter = await found;
  if (!adapter) throw new DeviceError('openDevice: the bundled SwiftShader did not start; install a Vulkan driver');
  return adapter;
}

/**
 * Runs `ask` while Vulkan's loader sees one driver only, and then those of the process again: Dawn looks for drivers within the
 * call, not later, so that other adapters can be opened before and after.
 */
function withDriver<T>(file: string, ask: () => T): T {
  const before = ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES'].map((name) => [name, process.env[name]] as const);
  process.env['VK_ICD_FILENAMES'] = file;
  delete process.env['VK_DRIVER_FILES'];
  try {
    return ask();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/**
 * Makes the packed `libvulkan.so.1` known by its name, for machines that have none: Dawn's `dlopen` then finds it already
 * loaded. `process.dlopen` always throws here (the library is no Node addon) but the library stays loaded.
 */
function loadVulkanLoader(file: string): void {
  const RTLD_NODELETE = 0x1000;
  const { RTLD_NOW = 2, RTLD_GLOBAL = 0x100 } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, file, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    if (!/did not self-register/i.test(String(error))) {
      throw new DeviceError(`openDevice: ${file} did not load`, { cause: error });
    }
  }
}

/** Nobody changes it: waiting for a change is a pause. */
const unchanging = new Int32Array(new SharedArrayBuffer(4));

/** Promises of GPUs that are awaited, whether their naps go on, and when one of them was last begun or settled. */
let [pending, napping, changed] = [0, false, 0];

/**
 * Awaits a promise of the GPU. While one is pending, Dawn turns the event loop without a pause, which takes a whole core from
 * an adapter that computes and compiles on the CPU. Naps between the turns leave it to the work: each a twentieth of the time
 * waited so far, from 0.1 to 1 ms.
 */
export async function awaitWithBackoff<T>(promise: Promise<T>): Promise<T> {
  pending++;
  changed = performance.now();
  if (!napping) nextNap();
  try {
    return await promise;
  } finally {
    pending--;
    changed = performance.now();
  }
}

/** Dawn's own turns keep the process alive; naps need not. */
function nextNap(): void {
  napping = pending > 0;
  if (!napping) return;
  setImmediate(() => {
    if (pending > 0) Atomics.wait(unchanging, 0, 0, Math.min(1, Math.max(0.1, (performance.now() - changed) / 20)));
    nextNap();
  }).unref();
}
