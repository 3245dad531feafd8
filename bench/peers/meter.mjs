/** What a library did to WebGPU since the last `start`. */
export const counts = { dispatches: 0, submits: 0, buffers: 0, bindGroups: 0, peakBytes: 0 };

const MAP_READ = 1;

/** Promises of the devices that libraries opened. */
export const devices = [];

let liveBytes = 0;

/** Counts from here on; the peak starts at what is alive now. */
export function start() {
  Object.assign(counts, { dispatches: 0, submits: 0, buffers: 0, bindGroups: 0, peakBytes: liveBytes });
}

/**
 * Counts what passes through WebGPU's prototypes: every library of this process or worker goes through them, whatever it is written in.
 * A buffer counts from `createBuffer` to `destroy`; those that a library leaves to the garbage collector stay alive here. Buffers
 * to read back from do not count as bytes: the check of the results needs them, not the work.
 *
 * @param {Record<string, any>} classes `GPUDevice`, `GPUBuffer` and so on.
 */
export function countCalls({ GPUAdapter, GPUDevice, GPUBuffer, GPUQueue, GPUComputePassEncoder }) {
  around(GPUAdapter, 'requestDevice', (device) => devices.push(device));
  /** @type {WeakMap<object, number>} */
  const sizes = new WeakMap();
  around(GPUDevice, 'createBuffer', (buffer, [{ size, usage }]) => {
    counts.buffers++;
    if (usage & MAP_READ) return;
    sizes.set(buffer, size);
    liveBytes += size;
    counts.peakBytes = Math.max(counts.peakBytes, liveBytes);
  });
  around(GPUBuffer, 'destroy', (_, __, buffer) => {
    liveBytes -= sizes.get(buffer) ?? 0;
    sizes.delete(buffer);
  });
  around(GPUDevice, 'createBindGroup', () => counts.bindGroups++);
  around(GPUQueue, 'submit', () => counts.submits++);
  around(GPUComputePassEncoder, 'dispatchWorkgroups', () => counts.dispatches++);
  around(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => counts.dispatches++);
}

function around(type, method, count) {
  const original = type.prototype[method];
  type.prototype[method] = function (...values) {
    const result = original.apply(this, values);
    count(result, values, this);
    return result;
  };
}

/** Waits until everything that was submitted is done; `awaited` is how to wait. */
export async function finished(awaited) {
  for (const device of await Promise.all(devices)) await awaited(device.queue.onSubmittedWorkDone());
}
