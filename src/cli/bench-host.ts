import type { Host } from '../bench/meter.ts';

/** Milliseconds. */
const NAP = 0.1;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Node for the bench: it naps while it waits for the GPU. */
export const nodeHost: Host = {
  async wait(done) {
    let pending = true;
    const nap = () => {
      if (!pending) return;
      Atomics.wait(cell, 0, 0, NAP);
      setImmediate(nap);
    };
    setImmediate(nap);
    try {
      return await done;
    } finally {
      pending = false;
    }
  },
  processorTime() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};
