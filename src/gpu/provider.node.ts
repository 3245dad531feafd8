import { existsSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { DeviceError } from './errors.ts';
import type { AdapterRequest, Provided } from './provider.ts';
import { unpackSwiftShader } from './swiftshader.node.ts';

export { tuningStore } from './tuning.node.ts';

/**
 * The GPU of Node: Dawn, from the npm package `webgpu`.
 *
 * Order: the adapter the caller (or `ZEROSEG_ADAPTER`) names; a hardware adapter; the system's lavapipe, where it is new
 * enough for Dawn; SwiftShader out of the npm package `@sparticuz/chromium`.
 */
export async function provide(request: AdapterRequest): Promise<Provided> {
  const wanted = request.adapter ?? process.env['ZEROSEG_ADAPTER'] ?? '';
  const { create } = await importDawn();

  if (wanted === 'swiftshader') return swiftShader(create);

  if (wanted === '' || wanted === 'hardware' || wanted === 'software' || wanted === 'lavapipe') {
    if (wanted !== 'software' && hasVulkanDriver()) {
      const owner = create(wanted === 'lavapipe' ? ['adapter=llvmpipe'] : []);
      const adapter = await owner.requestAdapter({ powerPreference: 'high-performance' });
      const fallback = adapter?.info.isFallbackAdapter ?? false;
      const refused = (wanted === 'hardware' && fallback) || (wanted === 'lavapipe' && !isLavapipe(adapter));
      if (adapter && !refused) return { adapter, owner, ...(fallback ? { notice: lavapipeNotice(adapter) } : {}) };
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
    return swiftShader(create);
  }

  let owner: GPU | undefined;
  let adapter: GPUAdapter | null = null;
  let others = '';
  try {
    owner = create([`adapter=${wanted}`]);
    adapter = await owner.requestAdapter();
    if (adapter) others = `'${adapter.info.description}'`;
  } catch (error) {
    // Dawn throws where no name fits, and lists the adapters there are.
    others = [...String(error).matchAll(/name: ('[^']*')/g)].map(([, name]) => name).join(', ');
  }
  const name = adapter ? `${adapter.info.device} ${adapter.info.description}`.toLowerCase() : '';
  if (!adapter || !name.includes(wanted.toLowerCase())) {
    throw new DeviceError(
      `openDevice: no adapter is called '${wanted}'${others ? ` (there is ${others})` : ''}; ` +
        "give part of its name, or 'hardware', 'lavapipe' or 'swiftshader'",
    );
  }
  return { adapter, owner };
}

type Create = (flags: string[]) => GPU;

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
 * machine without any driver file goes straight to the packed SwiftShader.
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

async function swiftShader(create: Create): Promise<Provided> {
  const folder = await unpackSwiftShader();
  process.env['VK_ICD_FILENAMES'] = join(folder, 'vk_swiftshader_icd.json');
  delete process.env['VK_DRIVER_FILES'];
  loadVulkanLoader(join(folder, 'libvulkan.so.1'));
  const owner = create([]);
  const adapter = await owner.requestAdapter();
  if (!adapter) throw new DeviceError('openDevice: the packed SwiftShader did not start; install a Vulkan driver');
  return {
    adapter,
    owner,
    notice:
      'no GPU found: running on the CPU with SwiftShader (slow); Mesa 24 or newer (package mesa-vulkan-drivers) is about 4 times faster',
  };
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

const bell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits a promise of the GPU. While one is pending, Dawn turns the event loop without a pause, which takes a whole core from
 * an adapter that computes on the CPU: naps of 0.1 ms between the turns leave it to the work.
 */
export async function quietly<T>(promise: Promise<T>): Promise<T> {
  let pending = true;
  const nap = () => {
    if (!pending) return;
    Atomics.wait(bell, 0, 0, 0.1);
    setImmediate(nap);
  };
  setImmediate(nap);
  try {
    return await promise;
  } finally {
    pending = false;
  }
}
