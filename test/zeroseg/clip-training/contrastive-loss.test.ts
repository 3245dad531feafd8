import { describe, expect, it } from 'vitest';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { contrastive, equalCaptions } from '../../../src/zeroseg/clip-training/contrastive-loss.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const rows = ({ shape: [count = 0, width = 0], data }: Ref) =>
  Array.from({ length: count }, (_, i) => data.subarray(i * width, (i + 1) * width));
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const unit = (row: Float64Array) => row.map((value) => value / Math.sqrt(dot(row, row)));

/** CLIP's pseudocode, without the pairs that are left out. */
function reference(left: ArrayLike<number>) {
  return ([image, text, scale]: readonly Ref[]): Ref => {
    const [I, T] = [rows(image as Ref).map(unit), rows(text as Ref).map(unit)];
    const count = I.length;
    const factor = Math.min(Math.exp((scale as Ref).data[0] as number), 100);
    let loss = 0;
    for (let i = 0; i < count; i++) {
      for (const logit of [
        (j: number) => factor * dot(I[i] as Float64Array, T[j] as Float64Array),
        (j: number) => factor * dot(I[j] as Float64Array, T[i] as Float64Array),
      ]) {
        let sum = 0;
        for (let j = 0; j < count; j++) if (left[i * count + j] !== 1) sum += Math.exp(logit(j) - logit(i));
        loss += Math.log(sum) / (2 * count);
      }
    }
    return ref([], [loss]);
  };
}

const values = (input: number, _: number, random: () => number) => (input === 2 ? 1.5 : 2 * random() - 1);
const tolerance = { forward: 2e-6, gradient: 2e-5 };

checkOp('contrastive', contrastive as never, {
  reference: reference([]),
  cases: [
    [[1, 3], [1, 3], []],
    [[2, 2], [2, 2], [1]],
    [[7, 5], [7, 5], []],
    [[70, 16], [70, 16], []],
  ],
  values,
  tolerance,
});

// Above 100 the factor stands still.
checkOp('contrastive at the largest scale', contrastive as never, {
  reference: reference([]),
  cases: [[[3, 4], [3, 4], []]],
  values: (input, i, random) => (input === 2 ? 5 : values(input, i, random)),
  tolerance,
});

const same = equalCaptions(['a cat', 'a dog', 'a cat', 'a cat', 'grass']);
checkOp(
  'contrastive with equal captions',
  (image, text, scale) => contrastive(image, text, scale, { falseNegatives: tensor(image.device, same, [5, 5]) }),
  { reference: reference(same), cases: [[[5, 6], [5, 6], []]], values, tolerance },
);

describe('contrastive', () => {
  const device = useDevice();

  it('leaves out equal captions', () => {
    expect([...equalCaptions(['a', 'b', 'a'])]).toEqual([0, 0, 1, 0, 0, 0, 1, 0, 0]);
    expect([...equalCaptions([])]).toEqual([]);
  });

  it('says what does not fit', () => {
    const of = (...shape: number[]) =>
      tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
    expect(() => contrastive(of(2, 3), of(3, 3), of())).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: contrastive: image and text must both be [B, C], a text for each image; got image [2, 3], text [3, 3]]`,
    );
    expect(() => contrastive(of(2, 3), of(2, 3), of(2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: contrastive: the scale must be one number; got image [2, 3], text [2, 3], logitScale [2]]`,
    );
    expect(() => contrastive(of(2, 3), of(2, 3), of(), { falseNegatives: of(2) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: contrastive: falseNegatives must be [B, B]; got image [2, 3], text [2, 3], falseNegatives [2]]`,
    );
  });
});
