import { describe, expect, it } from 'vitest';
import { rotaryEmbedding, rotaryTable } from '../../../src/kernels/attention/index.ts';
import { matmul } from '../../../src/kernels/matmul/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, close, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Pairs as complex numbers, turned by `position · base^(-2j / D)`. */
function turned(x: Ref, positionOf: (row: number) => number, interleaved: boolean): Ref {
  const D = x.shape.at(-1) as number;
  const y = ref(x.shape, x.data);
  for (let row = 0; row < x.data.length / D; row++) {
    for (let j = 0; j < D / 2; j++) {
      const angle = positionOf(row) * 10_000 ** ((-2 * j) / D);
      const [a, b] = interleaved ? [row * D + 2 * j, row * D + 2 * j + 1] : [row * D + j, row * D + j + D / 2];
      const [x1, x2] = [x.data[a] as number, x.data[b] as number];
      y.data[a] = x1 * Math.cos(angle) - x2 * Math.sin(angle);
      y.data[b] = x2 * Math.cos(angle) + x1 * Math.sin(angle);
    }
  }
  return y;
}

for (const interleaved of [false, true]) {
  const what = interleaved ? 'of neighbours' : 'of halves';
  checkOp(
    `rotaryEmbedding ${what}`,
    (x) => rotaryEmbedding(x, rotaryTable(x.device, 9, x.shape.at(-1) as number), { interleaved }),
    {
      reference: ([x]) => turned(x as Ref, (row) => row % ((x as Ref).shape.at(-2) as number), interleaved),
      cases: [[[1, 2]], [[2, 3, 7, 6]], [[2, 0, 4]]],
    },
  );
}
const LISTS = [3, 900, 0, 7, 7, 1];
checkOp(
  'rotaryEmbedding at positions of each image',
  (x) => {
    const positions = tensor(device.current, LISTS, [2, 3], 'u32');
    return rotaryEmbedding(x, rotaryTable(x.device, 1000, 4), { positions });
  },
  {
    reference: ([x]) => turned(x as Ref, (row) => LISTS[Math.floor(row / 15) * 3 + (row % 3)] as number, false),
    cases: [[[2, 5, 3, 4]]],
  },
);

describe('rotaryEmbedding', () => {
  const x = () => tensor(device.current, [1, 2, 3, 4, 5, 6, 7, 8], [2, 4]);
  const list = (...values: number[]) => tensor(device.current, new Uint32Array(values));

  it('keeps products of queries and keys that are as far apart', async () => {
    const table = rotaryTable(device.current, 100, 4);
    const at = (a: number, b: number) => rotaryEmbedding(x(), table, { positions: list(a, b) });
    const products = async (a: number, b: number) => await read(matmul(at(a, b), at(a, b), { transposeB: true }));
    close(await products(3, 8), await products(61, 66), 1e-5, 'products');
  });

  it('is NaN where the table has no such position', async () => {
    const table = rotaryTable(device.current, 2, 4);
    const nowhere = [list(0, 2), tensor(device.current, new Int32Array([0, -1]))];
    for (const positions of nowhere) {
      const y = await read(rotaryEmbedding(x(), table, { positions }));
      expect([...y]).toEqual([1, 2, 3, 4, Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
    }
  });

  it('takes positions of i32 as those of u32', async () => {
    const table = rotaryTable(device.current, 9, 4);
    const whole = tensor(device.current, new Int32Array([3, 8]));
    const at = async (positions: Tensor) => [...(await read(rotaryEmbedding(x(), table, { positions })))];
    expect(await at(whole)).toEqual(await at(list(3, 8)));
  });

  it('refuses what does not fit', () => {
    const table = rotaryTable(device.current, 1, 4);
    const refused: [() => unknown, string][] = [
      [
        () => rotaryTable(device.current, 2, 3),
        'rotaryTable: the length must be whole and the width even; got 2 and 3',
      ],
      [() => rotaryEmbedding(x(), table), 'the table must have a row for each place; got x [2, 4], table [1, 4]'],
      [
        () => rotaryEmbedding(tensor(device.current, [1, 2, 3]), table),
        'rotaryEmbedding: x must be […, N, D] with an even D, the table [length, D]; got x [3], table [1, 4]',
      ],
      [
        () => rotaryEmbedding(x(), table, { positions: list(0) }),
        'rotaryEmbedding: positions must be [N], or [B, N] with the first axis of x; got x [2, 4], table [1, 4], positions [1]',
      ],
      [
        () => rotaryEmbedding(x(), table, { positions: tensor(device.current, [0, 1]) }),
        'rotaryEmbedding: positions must be u32 or i32, not f32; got x [2, 4], table [1, 4], positions [2]',
      ],
      [
        () => rotaryEmbedding(x(), table, { positions: tensor(device.current, [true, false]) }),
        'rotaryEmbedding: positions must be u32 or i32, not bool; got x [2, 4], table [1, 4], positions [2]',
      ],
      [
        () => rotaryEmbedding(x(), tensor(device.current, [0, 0, 0, 0], [1, 4], 'u32')),
        'rotaryEmbedding: the table must be f32; it is u32; got x [2, 4], table [1, 4]',
      ],
    ];
    for (const [call, message] of refused) expect(call).toThrow(message);
  });
});
