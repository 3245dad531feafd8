import { describe, expect, it } from 'vitest';
import { mul } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { fromHalf, toHalf } from '../../../src/tensor/values/half.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const hasF16 = () => device.current.features.has('shader-f16');

describe('cast', () => {
  it('does nothing where there is nothing to do, and refuses other dtypes', () => {
    const x = tensor(device.current, [1, 2]);
    expect(cast(x, 'f32')).toBe(x);
    expect(() => cast(x, 'i64' as 'u32')).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: cast: the dtype must be 'f32', 'f16', 'i32', 'u32' or 'bool'; it is the string 'i64'; got x [2]]`,
    );
  });

  for (const dtype of ['f32', 'f16'] as const) {
    it(`makes ${dtype} of u32 and back, toward zero, and within what u32 holds`, async ({ skip }) => {
      skip(dtype === 'f16' && !hasF16(), 'this device has no f16');
      const whole = Uint32Array.from({ length: 197 }, (_, i) => 3 * i);
      const x = cast(tensor(device.current, whole), dtype);
      expect(x.dtype).toBe(dtype);
      expect(await read(cast(x, 'f32'))).toEqual(Float32Array.from(whole));
      expect(await readU32(cast(x, 'u32'))).toEqual(whole);
      const values = [0.9, -0, -3.5, 7.99, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const cut = cast(cast(tensor(device.current, values), dtype), 'u32');
      expect([...(await readU32(cut))]).toEqual([0, 0, 0, 7, 0, 2 ** 32 - 1, 0]);
    });
  }

  it('keeps the largest u32 that f32 holds, and stops gradients there', async () => {
    const x = tensor(device.current, [4294967040, 4294967296, 2147483648, 16777217]);
    expect([...(await readU32(cast(x, 'u32')))]).toEqual([4294967040, 4294967295, 2147483648, 16777216]);
    const [dx] = gradients(cast(cast(x, 'u32'), 'f32'), [x], tensor(device.current, [1, 1, 1, 1]));
    expect([...(await read(dx))]).toEqual([0, 0, 0, 0]);
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
