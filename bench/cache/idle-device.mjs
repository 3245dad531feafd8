const { dryDevice, gpuFacts } = await import('../../cli/dist/plan/dry-device.js');

/** A device that computes nothing, and from which zeros are read at once: what is left is what the host does. */
export function idleDevice() {
  const device = dryDevice(gpuFacts('a device that computes nothing'));
  device.gpu.createBuffer = ({ size }) => ({
    size,
    destroy() {},
    async mapAsync() {},
    getMappedRange: () => new ArrayBuffer(size),
    unmap() {},
  });
  return device;
}
