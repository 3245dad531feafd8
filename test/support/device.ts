import { afterAll, afterEach, beforeAll, beforeEach, type RunnerTask, type RunnerTestFile, vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { openDevice } from '../../src/gpu/open-device.ts';
import { profileOf } from '../../src/gpu/profile.ts';

/** Bytes of buffers that a file's tests may leave on the device. More is a leak, and fails the file. */
const MAX_LEFT = 512 * 1024 * 1024;
/** With more than this left, the next file gets a new device. */
const KEEP_BYTES = 128 * 1024 * 1024;

/**
 * What a device says whose browser has lost its GPU process: by no fault of the test that runs, as a rule, but where a machine has no
 * memory left. Such a test is tried once more, with a device of the process that the browser starts in its stead, and the report
 * says so. A test that ends the process itself does so again, and fails.
 */
const GPU_PROCESS_ENDED = /the GPU device was lost \(A valid external Instance reference no longer exists/;

/** The device, and the properties that it and its GPU have of their own: a spy is one more. */
let shared: { readonly device: Device; readonly properties: number; file: string; bytesBefore: number } | undefined;
/** Whether it is known that the test that ran has left no error. */
let settled = false;

/**
 * The device of the tests of a file. All files that one worker runs share it, because a software adapter spends most of a test's
 * time on compiling kernels, and a device compiles each of them once. A file that failed, that left a spy or much memory on it, or
 * that lost or disposed it, is the last one that uses it. A machine without any adapter fails the suite; errors that the GPU
 * reports after a test fail that test.
 *
 * A test that spies on the GPU, loses it, disposes it or counts what it compiles opens a device of its own.
 */
export function useDevice(): { readonly current: Device } {
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants to see a pattern here
  beforeAll(({}, { file }) => begin(file));
  beforeEach(beginTest);
  afterEach(endTest);
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants to see a pattern here
  afterAll(({}, { file }) => end(file));
  return {
    get current(): Device {
      if (!shared) throw new Error('the device is opened in beforeAll; use it inside tests only');
      return shared.device;
    },
  };
}

/** Runs once for a file, however often it calls `useDevice`. */
async function begin(file: RunnerTestFile): Promise<void> {
  if (shared?.file === file.id) return;
  if (shared && !isAsOpened()) close();
  shared ??= await open();
  shared.device.tuned.clear();
  shared.file = file.id;
  shared.bytesBefore = shared.device.bytes;
  if ('document' in globalThis) tryOnceMore(file);
}

async function open(): Promise<NonNullable<typeof shared>> {
  const device = await openDevice({ notice: null, tuning: false });
  return { device, properties: ownProperties(device), file: '', bytesBefore: 0 };
}

function tryOnceMore(task: RunnerTask): void {
  if ('tasks' in task) task.tasks.forEach(tryOnceMore);
  else task.retry ??= { count: 1, condition: GPU_PROCESS_ENDED };
}

async function beginTest(): Promise<void> {
  settled = false;
  try {
    shared?.device.alive();
  } catch (error) {
    if (!shared || !GPU_PROCESS_ENDED.test(String(error))) return;
    console.warn('the GPU process of the browser has ended: on with another');
    const { file } = shared;
    shared = { ...(await open()), file };
  }
}

/** Once for a test, however often a file calls `useDevice`: it waits for the GPU. */
async function endTest(): Promise<void> {
  if (settled) return;
  settled = true;
  await shared?.device.settle();
}

/** Runs after the file's own hooks, which were registered later. */
async function end(file: RunnerTestFile): Promise<void> {
  if (!shared) return;
  const { device, bytesBefore } = shared;
  const left = device.bytes - bytesBefore;
  const stays = left <= KEEP_BYTES && device.bytes <= KEEP_BYTES && !isFailed(file) && isAsOpened();
  try {
    // What the file's own hooks have left.
    if (stays) await device.settle();
  } finally {
    if (!stays) close();
  }
  if (left > MAX_LEFT) throw new Error(`${left} bytes of GPU buffers are left after these tests: free what they make`);
}

function isFailed(task: RunnerTask): boolean {
  return task.result?.state === 'fail' || ('tasks' in task && task.tasks.some(isFailed));
}

/** Neither lost, nor disposed, nor spied on. */
function isAsOpened(): boolean {
  if (!shared || shared.properties !== ownProperties(shared.device)) return false;
  try {
    shared.device.check();
    return true;
  } catch {
    return false;
  }
}

function ownProperties(device: Device): number {
  return [device, device.gpu, device.gpu.queue].reduce((sum, object) => sum + Reflect.ownKeys(object).length, 0);
}

function close(): void {
  shared?.device.dispose();
  shared = undefined;
}

/** Kernels and launches are those of a GPU from now on, until `vi.restoreAllMocks()`: the adapters of this suite compute on the CPU. */
export function asOnGpu(device: Device): void {
  const { adapter, features } = device;
  vi.spyOn(device, 'profile', 'get').mockReturnValue(profileOf(adapter, features.has('subgroups'), false));
}
