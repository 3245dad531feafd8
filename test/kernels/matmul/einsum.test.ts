import { describe, expect, it } from 'vitest';
import { einsum } from '../../../src/kernels/matmul/einsum.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { indices } from '../../support/rearranged.ts';

const device = useDevice();
const zeros = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

/** The definition: for every index of every letter, the product of the elements that it names. Axes of 1 are read at 0. */
function refEinsum(equation: string, xs: readonly Ref[]): Ref {
  const [left, right] = equation.split('->') as [string, string];
  const sides = left.split(',');
  const lengths = new Map<string, number>();
  sides.forEach((side, n) => {
    [...side].forEach((letter, i) => {
      lengths.set(letter, Math.max(lengths.get(letter) ?? 0, xs[n]!.shape[i]!));
      if (xs[n]!.shape[i] === 0) lengths.set(letter, 0);
    });
  });
  const shape = [...right].map((letter) => lengths.get(letter)!);
  const y = new Float64Array(size(shape));
  const letters = [...lengths.keys()];
  const all = [...lengths.values()];
  for (let n = 0; n < size(all); n++) {
    const at = new Map(indices(all, n).map((one, i) => [letters[i]!, one]));
    const place = (side: string, of: Shape) =>
      [...side].reduce((sum, letter, i) => sum * of[i]! + (of[i] === 1 ? 0 : at.get(letter)!), 0);
    y[place(right, shape)]! += sides.reduce((product, side, i) => product * xs[i]!.data[place(side, xs[i]!.shape)]!, 1);
  }
  return ref(shape, y);
}

const table: readonly (readonly [equation: string, ...shapes: Shape[]])[] = [
  ['i->i', [5]],
  ['ij->ji', [3, 17]],
  ['ij->', [3, 17]],
  ['ij->j', [65, 3]],
  ['ijk->ki', [3, 4, 5]],
  ['ii->i', [7, 7]],
  ['ii->', [5, 5]],
  ['iji->j', [3, 4, 3]],
  ['iii->i', [4, 4, 4]],
  ['i,i->i', [7], [7]],
  ['i,i->', [70], [70]],
  ['i,j->ij', [3], [17]],
  ['i,j->ji', [3], [17]],
  ['i,j->', [3], [5]],
  [',ij->ij', [], [2, 3]],
  ['ij,jk->ik', [3, 4], [4, 5]],
  ['ij,jk->ki', [3, 17], [17, 5]],
  ['ji,jk->ik', [4, 3], [4, 5]],
  ['ij,kj->ik', [3, 4], [5, 4]],
  ['ji,kj->ik', [4, 3], [5, 4]],
  ['ij,j->i', [3, 65], [65]],
  ['ij,ij->ij', [3, 4], [3, 4]],
  ['ij,ij->i', [3, 17], [3, 17]],
  ['bij,bjk->bik', [2, 3, 4], [2, 4, 5]],
  ['bnd,bmd->bnm', [2, 5, 8], [2, 7, 8]],
  ['bnhd,bmhd->bhnm', [2, 3, 2, 4], [2, 5, 2, 4]],
  ['ibj,bkj->ikb', [3, 2, 4], [2, 5, 4]],
  ['ijk,jkl->il', [2, 3, 4], [3, 4, 5]],
  ['ijk,kjl->li', [2, 3, 4], [4, 3, 5]],
  ['ij,kl->ijkl', [2, 3], [2, 2]],
  ['ij,jk,kl->il', [2, 3], [3, 4], [4, 5]],
  ['ij,ij,ij->j', [2, 3], [2, 3], [2, 3]],
  ['ia,ja,ka->ijk', [2, 3], [4, 3], [2, 3]],
  ['bij,jk->bik', [2, 3, 4], [4, 5]],
  ['bij,bjk->bik', [1, 3, 4], [2, 4, 5]],
  ['ij,jk->ik', [3, 1], [4, 5]],
  ['ij,jk->ik', [3, 0], [0, 5]],
  ['ij,jk->ik', [0, 3], [3, 5]],
];
for (const [equation, ...shapes] of table) {
  checkOp(`einsum ${equation}`, (...xs) => einsum(equation, ...xs), {
    reference: (xs) => refEinsum(equation, xs),
    cases: [shapes],
    tolerance: { forward: 2e-6, gradient: 2e-5 },
  });
}

for (const [equation, plain, ...shapes] of [
  ['...ij->...ji', 'abij->abji', [2, 3, 4, 5]],
  ['...->...', 'ab->ab', [2, 3]],
  ['i...->...i', 'iab->abi', [2, 3, 4]],
  ['...ij,...jk->...ik', 'abij,abjk->abik', [2, 3, 4, 5], [2, 3, 5, 2]],
  ['...ij,jk->...ik', 'bij,jk->bik', [2, 4, 5], [5, 2]],
  ['...d,...d', 'ad,d->a', [3, 4], [4]],
  ['...,...', 'ab,b->ab', [3, 4], [4]],
  [' i j , j k ', 'ij,jk->ik', [3, 4], [4, 5]],
  ['ba', 'ba->ab', [3, 4]],
  ['ij,ji', 'ij,ji->', [3, 4], [4, 3]],
] as readonly (readonly [string, string, ...Shape[]])[]) {
  checkOp(`einsum ${equation}, as ${plain}`, (...xs) => einsum(equation, ...xs), {
    reference: (xs) => refEinsum(plain, xs),
    cases: [shapes],
    tolerance: { forward: 2e-6, gradient: 2e-5 },
  });
}

describe('einsum', () => {
  it('of a matrix product is one launch, whichever operand is turned around', async () => {
    for (const [equation, a, b] of [
      ['ij,jk->ik', [3, 4], [4, 5]],
      ['ji,kj->ik', [4, 3], [5, 4]],
      ['bnd,bmd->bnm', [2, 3, 4], [2, 5, 4]],
    ] as const) {
      using product = await step(device.current, { a, b }, ({ a, b }) => einsum(equation, a, b));
      expect(product.launches.map(({ kernel }) => kernel.name.split('-')[0])).toEqual(['matmul']);
    }
  });

  it('says what is wrong with an equation', () => {
    const x = zeros(2, 3);
    expect(() => einsum('ij,jk->ik', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'ij,jk->ik' has 2 operands; 1 were given; got x0 [2, 3]]`,
    );
    expect(() => einsum('ij->i->j', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'ij->i->j' has more than one '->'; got x0 [2, 3]]`,
    );
    expect(() => einsum('ijk->i', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'ijk' names 3 axes; x0 has 2; got x0 [2, 3]]`,
    );
    expect(() => einsum('...ijk->i', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: '...ijk' names 3 axes; x0 has 2; got x0 [2, 3]]`,
    );
    expect(() => einsum('i..j->i', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'i..j' must be letters, one for each axis, and at most one '...'; got x0 [2, 3]]`,
    );
    expect(() => einsum('ij->ik', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'k' of the result is in no operand; got x0 [2, 3]]`,
    );
    expect(() => einsum('ij->ii', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: the result 'ii' names an axis twice; got x0 [2, 3]]`,
    );
    expect(() => einsum('ii->i', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: axes of 'i' must be equal, or 1 (2 and 3); got x0 [2, 3]]`,
    );
    expect(() => einsum('ij,jk->ik', x, zeros(4, 5))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: axes of 'j' must be equal, or 1 (3 and 4); got x0 [2, 3], x1 [4, 5]]`,
    );
    expect(() => einsum('i1->i', x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: 'i1' must be letters, one for each axis, and at most one '...'; got x0 [2, 3]]`,
    );
    expect(() => einsum(x as unknown as string, x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: the equation is a text, such as 'ij,jk->ik'; got x0 [2, 3]]`,
    );
    expect(() => einsum('i', tensor(device.current, new Uint32Array(2)))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: einsum: floats are needed: cast(x, 'f32') (x0 is u32); got x0 [2]]`,
    );
  });
});
