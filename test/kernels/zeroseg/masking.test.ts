import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { takeRows } from '../../../src/kernels/layout/gather.ts';
import { keepRows, shuffleMask, unshuffle } from '../../../src/kernels/zeroseg/masking.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function noise(batch: number, count: number): Float32Array {
  const random = seeded(batch * 1009 + count);
  return Float32Array.from({ length: batch * count }, () => Math.floor(random() * 50) / 50);
}

/** As section 5 of the specification words it. */
function refMask(values: Float32Array, batch: number, count: number, keep: number) {
  const shuffle: number[] = [];
  const restore: number[] = [];
  for (let b = 0; b < batch; b++) {
    const row = values.subarray(b * count, (b + 1) * count);
    const order = [...row.keys()].sort((i, j) => (row[i] as number) - (row[j] as number));
    shuffle.push(...order);
    restore.push(...order.map((_, i) => order.indexOf(i)));
  }
  return {
    shuffle,
    restore,
    mask: restore.map((place) => Number(place >= keep)),
    keep: shuffle.filter((_, i) => i % count < keep),
  };
}

/** The mask of `noise`, sorted once for the hundreds of times that a gradient asks for it. */
const known = new Map<string, ReturnType<typeof refMask>>();
function maskOfNoise(batch: number, count: number, keep: number): ReturnType<typeof refMask> {
  const key = `${batch} ${count} ${keep}`;
  let mask = known.get(key);
  if (!mask) known.set(key, (mask = refMask(noise(batch, count), batch, count, keep)));
  return mask;
}

describe('shuffleMask', () => {
  for (const [batch, count, keep] of [
    [1, 1, 1],
    [2, 16, 6],
    [3, 17, 0],
    [3, 17, 17],
    [5, 196, 49],
    [2, 1300, 400],
    [2, 0, 0],
    [0, 4, 2],
  ] as const) {
    it(`keeps ${keep} of [${batch}, ${count}]`, async () => {
      const values = noise(batch, count);
      const got = shuffleMask(tensor(device.current, values, [batch, count]), keep);
      expect(got.idsKeep.shape).toEqual([batch, keep]);
      const read = await readAll([got.idsShuffle, got.idsRestore, got.mask, got.idsKeep]);
      const want = refMask(values, batch, count, keep);
      expect(read.map((one) => [...one])).toEqual([want.shuffle, want.restore, want.mask, want.keep]);
    });
  }
});

/** A mask for the B of `x`, made of its own noise. */
function maskFor(x: Tensor, count: number, keep: number) {
  const batch = x.shape[0] as number;
  return shuffleMask(tensor(device.current, noise(batch, count), [batch, count]), keep);
}

for (const [count, keep] of [
  [1, 1],
  [17, 5],
  [65, 0],
  [65, 65],
] as const) {
  checkOp(`keepRows ${keep} of ${count}`, (x) => keepRows(x as Tensor, maskFor(x as Tensor, count, keep)), {
    reference: ([x]) => {
      const [batch, , ...rest] = (x as Ref).shape as [number, number, ...number[]];
      const ids = maskOfNoise(batch, count, keep).keep;
      const width = size(rest);
      const y = new Float64Array(ids.length * width);
      ids.forEach((id, i) => {
        const from = (Math.floor(i / keep) * count + id) * width;
        y.set((x as Ref).data.subarray(from, from + width), i * width);
      });
      return { shape: [batch, keep, ...rest], data: y };
    },
    cases: [[[1, count, 3]], [[3, count, 65]], [[2, count]], [[2, count, 2, 3]]],
  });

  checkOp(
    `unshuffle ${keep} of ${count}`,
    (visible, token) =>
      unshuffle(visible as Tensor, token as Tensor, maskFor(visible as Tensor, count, keep).idsRestore),
    {
      reference: ([visible, token]) => {
        const [batch, , width] = (visible as Ref).shape as [number, number, number];
        const { restore } = maskOfNoise(batch, count, keep);
        const y = new Float64Array(restore.length * width);
        restore.forEach((place, i) => {
          const from = (Math.floor(i / count) * keep + place) * width;
          y.set(place < keep ? (visible as Ref).data.subarray(from, from + width) : (token as Ref).data, i * width);
        });
        return { shape: [batch, count, width], data: y };
      },
      cases: [
        [
          [1, keep, 1],
          [1, 1, 1],
        ],
        [
          [2, keep, 17],
          [1, 1, 17],
        ],
        [
          [40, keep, 130],
          [1, 1, 130],
        ],
        [
          [0, keep, 3],
          [1, 1, 3],
        ],
      ],
    },
  );
}

describe('launches of masking', () => {
  const shape = [4, 16, 8];
  const x = () => tensor(device.current, new Float32Array(512).fill(1), shape);
  const values = () => tensor(device.current, noise(4, 16), [4, 16]);

  it('are few', async () => {
    const names = async (body: () => Tensor | readonly Tensor[]) => {
      using made = await step(device.current, {}, body);
      return made.launches.map((launch) => launch.kernel.name);
    };
    expect(await names(() => shuffleMask(values(), 4).idsKeep)).toEqual(['argsort', 'shuffle-mask']);
    const masking = { idsKeep: tensor(device.current, new Uint32Array(16), [4, 4]), idsRestore: ids() };
    expect(
      await names(() => {
        const whole = x();
        return gradients(keepRows(whole, masking), [whole], slab([4, 4, 8]));
      }),
    ).toEqual(['take-rows']);
    expect(
      await names(() => {
        const [visible, token] = [slab([4, 4, 8]), slab([1, 1, 8])];
        return gradients(unshuffle(visible, token, ids()), [visible, token], x());
      }),
    ).toEqual(['unshuffle-backward', 'sum']);
  });

  it('give keepRows the gradient of takeRows', async () => {
    const whole = x();
    const masking = shuffleMask(values(), 5);
    const dy = tensor(
      device.current,
      Float32Array.from({ length: 160 }, (_, i) => i),
      [4, 5, 8],
    );
    const [a] = gradients(keepRows(whole, masking), [whole], dy);
    const [b] = gradients(takeRows(whole, masking.idsKeep), [whole], dy);
    expect(await read(a)).toEqual(await read(b));
  });

  const slab = (shape: number[]) => tensor(device.current, new Float32Array(size(shape)).fill(1), shape);
  const ids = () =>
    tensor(
      device.current,
      Uint32Array.from({ length: 64 }, (_, i) => i % 16),
      [4, 16],
    );
});

describe('errors of masking', () => {
  const x = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);
  const u = (...shape: number[]) => tensor(device.current, new Uint32Array(size(shape)), shape);

  it('say what does not fit', () => {
    expect(() => shuffleMask(x(3), 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shuffleMask: the noise must be [B, N]; got noise [3]]`,
    );
    expect(() => shuffleMask(x(2, 3), 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shuffleMask: 4 of 3 patches cannot be kept; got noise [2, 3]]`,
    );
    expect(() => keepRows(x(2, 3, 4), shuffleMask(x(2, 4), 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: keepRows: x must be [B, N, …] with the B and N of the mask; got x [2, 3, 4], idsKeep [2, 2], idsRestore [2, 4]]`,
    );
    expect(() => unshuffle(x(2, 3), x(1, 1, 4), u(2, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unshuffle: visible must be [B, K, D]; got visible [2, 3], token [1, 1, 4], idsRestore [2, 4]]`,
    );
    expect(() => unshuffle(x(2, 3, 4), x(1, 1, 5), u(2, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unshuffle: the token must be [1, 1, D]; got visible [2, 3, 4], token [1, 1, 5], idsRestore [2, 4]]`,
    );
    expect(() => unshuffle(x(2, 3, 4), x(1, 1, 4), u(1, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unshuffle: idsRestore must be u32 [B, N]; it is u32; got visible [2, 3, 4], token [1, 1, 4], idsRestore [1, 4]]`,
    );
    expect(() => unshuffle(x(2, 3, 4), x(1, 1, 4), x(2, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unshuffle: idsRestore must be u32 [B, N]; it is f32; got visible [2, 3, 4], token [1, 1, 4], idsRestore [2, 4]]`,
    );
    expect(() => unshuffle(x(2, 3, 4), x(1, 1, 4), u(2, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unshuffle: there must be a place for each visible row; got visible [2, 3, 4], token [1, 1, 4], idsRestore [2, 2]]`,
    );
  });
});
