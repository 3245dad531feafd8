import type { Page } from 'playwright-core';

/** What a page's worker has had of the GPU. */
export interface GpuWork {
  /** The names of what each device has compiled, for those that have compiled anything. */
  readonly compiled: string[][];
  readonly launches: number;
}

/** Counts from now on what the page's worker has of the GPU. To be called once for a page. */
export async function countGpuWork(page: Page): Promise<() => Promise<GpuWork>> {
  const worker = page.workers().find((one) => one.url().includes('worker'));
  if (!worker) throw new Error('the page has no worker');
  // As text: this file is compiled for Node, which knows no GPU by these names.
  await worker.evaluate(`{
    const work = { compiled: [], launches: 0 };
    const devices = new Map();
    const before = (prototype, name, note) => {
      const call = prototype[name];
      prototype[name] = function (...given) {
        note(this, ...given);
        return call.apply(this, given);
      };
    };
    before(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', () => work.launches++);
    const compiles = (device, { label }) => {
      if (!devices.has(device)) work.compiled.push(devices.set(device, []).get(device));
      devices.get(device).push(label);
    };
    before(GPUDevice.prototype, 'createComputePipeline', compiles);
    before(GPUDevice.prototype, 'createComputePipelineAsync', compiles);
    globalThis.gpuWork = work;
  }`);
  return () => worker.evaluate('structuredClone(gpuWork)');
}
