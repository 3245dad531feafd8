const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits a promise of the GPU. While one is pending, Dawn for Node turns the event loop without a pause, which costs a whole
 * processor; naps of 0.1 ms take that out of the measurement.
 */
export async function quietly(promise) {
  let pending = true;
  const nap = () => {
    if (!pending) return;
    Atomics.wait(cell, 0, 0, 0.1);
    setImmediate(nap);
  };
  setImmediate(nap);
  try {
    return await promise;
  } finally {
    pending = false;
  }
}
