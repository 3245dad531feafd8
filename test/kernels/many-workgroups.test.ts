import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { reconstruction } from '../../src/kernels/zeroseg/reconstruction.ts';
import { segmentMatch } from '../../src/kernels/zeroseg/segment-match.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import { read, readU32 } from '../../src/tensor/run/read.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

// Through the whole library: one workgroup a patch, segment, or image, and the last ones count.
describe('more than 65,535 workgroups', () => {
  const n = 65_535 + 2;

  it('of patches', async () => {
    const pixels = Float32Array.from({ length: n }, (_, i) => (i % 8) + 1);
    const image = tensor(device.current, pixels, [1, 1, n, 1]);
    const pred = tensor(device.current, new Float32Array(n), [1, n, 1]);
    const mask = tensor(
      device.current,
      Float32Array.from(pixels, (_, i) => Number(i >= n - 4)),
      [1, n],
    );
    const loss = reconstruction(image, pred, mask, { patch: 1 });
    const last = [...pixels.subarray(n - 4)];
    expect((await read(loss))[0]).toBeCloseTo(last.reduce((sum, x) => sum + x * x, 0) / 4, 4);
    const [d] = gradients(loss, [pred]);
    const got = await read(d);
    expect([...got.subarray(n - 4)]).toEqual(last.map((x) => -x / 2));
    expect(got.subarray(0, n - 4).every((x) => x === 0)).toBe(true);
  });

  it('of segments', async () => {
    const segments = Float32Array.from({ length: n }, (_, i) => (i >= n - 4 ? 3 : 1));
    const { loss, index } = segmentMatch(
      tensor(device.current, segments, [n, 1, 1]),
      tensor(
        device.current,
        Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? 3.5 : 1)),
        [n, 2, 1],
      ),
      { segments: 'mean' },
    );
    expect((await read(loss))[0]).toBeCloseTo(2 / n, 9);
    expect((await readU32(index)).reduce((sum, i) => sum + i, 0)).toBe(4);
  });
});
