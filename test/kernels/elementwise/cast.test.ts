import { describe, expect, it } from 'vitest';
import { mul } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { fromHalf, toHalf } from '../../../src/tensor/values/half.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const hasF16 = () => device.current.features.has('shader-f16');

describe('cast', () => {
  it('does nothing where there is nothing to do, and refuses u32', () => {
    const x = tensor(device.current, [1, 2]);
    expect(cast(x, 'f32')).toBe(x);
    expect(() => cast(tensor(device.current, new Uint32Array(3)), 'f32')).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: cast: x must be f32 or f16; it is u32; got x [3]]`,
    );
  });

  it('says that a device has no f16', async ({ skip }) => {
    skip(hasF16(), 'this device has f16');
    const there = cast(cast(tensor(device.current, [1]), 'f16'), 'f32');
    await expect(read(there)).rejects.toThrow(/has no f16 arithmetic \(shader-f16\); use f32$/);
  });

  for (const n of [0, 1, 3, 4, 17, 65, 197, 1000, 70_000]) {
    it(`rounds ${n} values to f16 and back, with its gradient`, async ({ skip }) => {
      skip(!hasF16(), 'this device has no f16');
      const random = seeded(n);
      const values = Float32Array.from({ length: n }, () => normal(random) * 10 ** (4 * random() - 2));
      const x = tensor(device.current, values);
      using there = await step(device.current, {}, () => cast(cast(x, 'f16'), 'f32'), { check: true });
      const rounded = fromHalf(toHalf(values));
      expect(await read(there({}))).toEqual(rounded);

      const dy = Float32Array.from({ length: n }, () => normal(random));
      const y = cast(x, 'f16');
      expect(y.dtype).toBe('f16');
      const [dx] = gradients(cast(mul(y, y), 'f32'), [x], tensor(device.current, dy));
      expect(dx.dtype).toBe('f32');
      const wanted = rounded.map((v, i) => 2 * v * (dy[i] as number));
      (await read(dx)).forEach((g, i) => {
        expect(Math.abs(g - (wanted[i] as number))).toBeLessThan(2e-3 * Math.abs(wanted[i] as number) + 1e-6);
      });
    });
  }

  it('makes what is too large for f16 infinite', async ({ skip }) => {
    skip(!hasF16(), 'this device has no f16');
    const x = tensor(device.current, [65504, 1e6, -1e6, Number.NaN]);
    const back = await read(cast(cast(x, 'f16'), 'f32'));
    expect([...back]).toEqual([65504, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  });
});
