import { DeviceError } from './errors.ts';
import type { AdapterRequest, Provided } from './provider.ts';

/** The GPU of a browser. `adapter: 'software'` asks for the browser's fallback adapter. */
export async function provide(request: AdapterRequest): Promise<Provided> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    throw new DeviceError(
      'openDevice: this browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox over https or localhost',
    );
  }
  const software = request.adapter === 'software' || request.adapter === 'swiftshader';
  const adapter = await gpu.requestAdapter({
    powerPreference: 'high-performance',
    ...(software ? { forceFallbackAdapter: true } : {}),
  });
  if (!adapter) throw new DeviceError('openDevice: the browser offers no WebGPU adapter; check chrome://gpu');
  return { adapter, owner: gpu };
}
