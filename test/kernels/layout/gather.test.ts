import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { embedding, scatterAdd, takeRows } from '../../../src/kernels/layout/gather.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, close, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Indices with repeats; about one in eight is out of range. */
function someIds(length: number, below: number): Uint32Array {
  const random = seeded(length * 31 + below);
  return Uint32Array.from({ length }, () => Math.floor(random() * below * 1.15));
}

function ids(length: number, below: number, shape: Shape): Tensor {
  return tensor(device.current, someIds(length, below), shape);
}

function refTakeRows(x: Ref, ids: Uint32Array, taken: number): Ref {
  const [batch, count, ...rest] = x.shape as [number, number, ...number[]];
  const width = size(rest);
  const y = new Float64Array(batch * taken * width);
  for (let row = 0; row < batch * taken; row++) {
    const id = ids[row] as number;
    if (id >= count) continue;
    const from = (Math.floor(row / taken) * count + id) * width;
    y.set(x.data.subarray(from, from + width), row * width);
  }
  return ref([batch, taken, ...rest], y);
}

function refScatterAdd(src: Ref, ids: Uint32Array, count: number): Ref {
  const [batch, given, ...rest] = src.shape as [number, number, ...number[]];
  const width = size(rest);
  const y = new Float64Array(batch * count * width);
  for (let row = 0; row < batch * given; row++) {
    const id = ids[row] as number;
    if (id >= count) continue;
    const to = (Math.floor(row / given) * count + id) * width;
    for (let d = 0; d < width; d++) y[to + d]! += src.data[row * width + d] as number;
  }
  return ref([batch, count, ...rest], y);
}

const rows: Shape[] = [
  [1, 1, 1],
  [2, 3, 17],
  [3, 17],
  [2, 65, 3, 5],
  [1, 197, 65],
  [2, 0, 3],
  [3, 4, 0],
  [0, 4, 2],
];

for (const taken of [1, 7, 70, 0]) {
  checkOp(
    `takeRows ${taken}`,
    (x) => takeRows(x as Tensor, ids(x!.shape[0]! * taken, x!.shape[1]!, [x!.shape[0]!, taken])),
    {
      reference: ([x]) => refTakeRows(x!, someIds(x!.shape[0]! * taken, x!.shape[1]!), taken),
      cases: rows.map((shape) => [shape]),
    },
  );
}

for (const count of [1, 9, 300, 0]) {
  checkOp(
    `scatterAdd to ${count}`,
    (src) => scatterAdd(src!, ids(src!.shape[0]! * src!.shape[1]!, count, src!.shape.slice(0, 2)), count),
    {
      reference: ([src]) => refScatterAdd(src!, someIds(src!.shape[0]! * src!.shape[1]!, count), count),
      cases: rows.map((shape) => [shape]),
      tolerance: { forward: 1e-6 },
    },
  );
}

for (const shape of [[], [3], [2, 17], [0], [1500]]) {
  checkOp(`embedding of [${shape}]`, (table) => embedding(table!, ids(size(shape), table!.shape[0]!, shape)), {
    reference: ([table]) => {
      const [count, width] = table!.shape as [number, number];
      const flat = refTakeRows(ref([1, count, width], table!.data), someIds(size(shape), count), size(shape));
      return ref([...shape, width], flat.data);
    },
    cases: [[[1, 1]], [[7, 3]], [[300, 65]]],
  });
}

describe('the gradient of embedding', () => {
  it('adds up thousands of ids in a large table', async () => {
    const [count, width, given] = [20000, 8, 3000];
    const random = seeded(5);
    // Text: half of it padding, the rest anything.
    const list = Uint32Array.from({ length: given }, () => (random() < 0.5 ? 0 : Math.floor(random() * count)));
    const dy = Float32Array.from({ length: given * width }, () => random() - 0.5);
    const table = tensor(device.current, new Float32Array(count * width), [count, width]);
    const y = embedding(table, tensor(device.current, list));
    const [dtable] = gradients(y, [table], tensor(device.current, dy, [given, width]));
    const got = await read(dtable);
    close(got, refScatterAdd(ref([1, given, width], dy), list, count).data, 1e-5, 'gradient');
    expect(await read(dtable)).toEqual(got);
  });
});

describe('errors of gather', () => {
  const x = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);
  const u = (...shape: number[]) => tensor(device.current, new Uint32Array(size(shape)), shape);

  it('say what does not fit', () => {
    expect(() => takeRows(x(3), u(1, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeRows: x must be [B, N, …]; got x [3], ids [1, 2]]`,
    );
    expect(() => takeRows(x(2, 3), u(1, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeRows: ids must be [B, K], with the first axis of the rows; got x [2, 3], ids [1, 2]]`,
    );
    expect(() => takeRows(x(2, 3), u(2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeRows: ids must be [B, K], with the first axis of the rows; got x [2, 3], ids [2]]`,
    );
    expect(() => takeRows(x(2, 3), x(2, 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: takeRows: ids must be u32 or i32, not f32; got x [2, 3], ids [2, 1]]`,
    );
    expect(() => scatterAdd(x(2, 3), u(2, 2), 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: scatterAdd: src must have a row for each id; got src [2, 3], ids [2, 2]]`,
    );
    expect(() => scatterAdd(x(2, 3), u(2, 3), -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: scatterAdd: -1 is no number of rows; got src [2, 3], ids [2, 3]]`,
    );
    expect(() => embedding(x(2, 3, 4), u(1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: embedding: the table must be [V, D]; got table [2, 3, 4], ids [1]]`,
    );
    expect(() => embedding(x(2, 3), x(1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: embedding: ids must be u32 or i32, not f32; got table [2, 3], ids [1]]`,
    );
  });
});
