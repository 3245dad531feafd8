import { describe, expect, it } from 'vitest';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { toArray, toText } from '../../../src/tensor/run/show.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

describe('toArray', () => {
  it('nests as the shape does', async () => {
    const x = tensor(device.current, [1, 2, 3, 4, 5, 6], [1, 3, 2]);
    expect(await toArray(x)).toEqual([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]);
    expect((await toArray(x))[0][2][1]).toBe(6);
    const rows: number[][][] = await toArray<number[][][]>(x);
    expect(rows[0]?.[1]).toEqual([3, 4]);
    expect(await toArray(tensor(device.current, 7))).toBe(7);
    expect(await toArray(tensor(device.current, new Uint32Array([7, 8])))).toEqual([7, 8]);
    expect(await toArray(tensor(device.current, [], [2, 0]))).toEqual([[], []]);
    expect(await toArray(tensor(device.current, [], [0, 2]))).toEqual([]);
  });
});

describe('toText', () => {
  it('shows shape, dtype, and values in columns', async () => {
    expect(
      await toText(
        tensor(device.current, [
          [1, 2.5],
          [-3, 1 / 3],
        ]),
      ),
    ).toMatchInlineSnapshot(`
      "Tensor f32 [2, 2]
      [[ 1         2.5     ]
       [-3         0.333333]]"
    `);
    expect(
      await toText(
        tensor(
          device.current,
          new Float32Array(8).map((_, i) => i),
          [2, 2, 2],
        ),
      ),
    ).toMatchInlineSnapshot(`
      "Tensor f32 [2, 2, 2]
      [[[0 1]
        [2 3]]

       [[4 5]
        [6 7]]]"
    `);
    expect(await toText(tensor(device.current, 0.1))).toMatchInlineSnapshot(`
      "Tensor f32 []
      0.1"
    `);
    expect(await toText(tensor(device.current, [], [0, 2]))).toMatchInlineSnapshot(`
      "Tensor f32 [0, 2]
      []"
    `);
  });

  it('shows no digit that is not there', async () => {
    const text = async (x: number) => (await toText(tensor(device.current, x))).split('\n')[1];
    const shown = [12345678, 16777215, 1234567.5, 999999.5, 123456.789, 3.4028234663852886e38, -1e9, 1e-7, 0.1];
    const want = [
      '12345678',
      '16777215',
      '1234567.5',
      '1000000',
      '123457',
      '3.4028235e+38',
      '-1000000000',
      '1e-7',
      '0.1',
    ];
    for (const [i, x] of shown.entries()) expect(await text(x)).toBe(want[i]);
  });

  it('leaves out the middle of what is long', async () => {
    const x = tensor(
      device.current,
      new Float32Array(2000).map((_, i) => i),
      [20, 100],
    );
    expect(await toText(x)).toMatchInlineSnapshot(`
      "Tensor f32 [20, 100]
      [[   0    1    2 …   97   98   99]
       [ 100  101  102 …  197  198  199]
       [ 200  201  202 …  297  298  299]
       …
       [1700 1701 1702 … 1797 1798 1799]
       [1800 1801 1802 … 1897 1898 1899]
       [1900 1901 1902 … 1997 1998 1999]]"
    `);
  });
});

describe("a page's console, which shows the fields of an object", () => {
  it('begins with dtype and shape of a tensor, and has four fields of it', () => {
    const x = tensor(device.current, [1, 2]);
    expect(Object.keys(x)).toEqual(['dtype', 'shape', 'device', 'storage']);
    expect(`${x}`).toBe('Tensor f32 [2]');
  });
});
