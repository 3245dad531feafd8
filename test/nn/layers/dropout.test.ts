import { describe, expect, it } from 'vitest';
import { dropout } from '../../../src/kernels/elementwise/dropout.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { randomUniform } from '../../../src/kernels/elementwise/random.ts';
import { Dropout, Dropout2d } from '../../../src/nn/layers/dropout.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const key = (...words: number[]) => tensor(device.current, new Uint32Array(words));
const floats = (...shape: number[]) => {
  const random = seeded(size(shape));
  return tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, () => normal(random)),
    shape,
  );
};

describe('dropout', () => {
  it.each([[[1]], [[3, 7]], [[5, 64]], [[2, 3, 131]], [[0, 4]]])(
    'of %j follows randomUniform, and so does its gradient',
    async (shape) => {
      const x = floats(...shape);
      const seed = key(7, 8);
      const uniform = await read(randomUniform(seed, shape, 5));
      const y = dropout(x, seed, 0.3, 5);
      const keep = (values: Float32Array) =>
        Array.from(values, (v, i) => (uniform[i]! >= Math.fround(0.3) ? v / 0.7 : 0));
      close(await read(y), keep(await read(x)), 1e-6, 'y');
      const dy = tensor(
        device.current,
        (await read(x)).map((v) => v + 1),
        shape,
      );
      const [dx] = gradients(y, [x], dy);
      close(await read(dx!), keep(await read(dy)), 1e-6, 'dx');
    },
  );

  it('drops as much as it should, elsewhere for another key, stream or shape', async () => {
    const x = tensor(device.current, new Float32Array(1 << 16).fill(1));
    const all = [dropout(x, key(1, 1), 0.25, 0), dropout(x, key(1, 2), 0.25, 0), dropout(x, key(1, 1), 0.25, 1)];
    const values = await Promise.all(all.map((y) => read(y)));
    for (const one of values) {
      const kept = one.filter((v) => v !== 0).length / one.length;
      // Five deviations.
      expect(Math.abs(kept - 0.75)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / one.length));
    }
    const both = (a: Float32Array, b: Float32Array) => a.filter((v, i) => v !== 0 && b[i] !== 0).length / a.length;
    for (const other of values.slice(1)) expect(Math.abs(both(values[0]!, other) - 0.75 ** 2)).toBeLessThan(0.01);
  });

  it('drops nothing at 0, all at 1, and whatever stands there', async () => {
    const x = tensor(device.current, [1, Number.NaN, Number.POSITIVE_INFINITY, 4]);
    expect([...(await read(dropout(x, key(1, 2), 1, 0)))]).toEqual([0, 0, 0, 0]);
    expect([...(await read(dropout(x, key(1, 2), 0, 0)))]).toEqual([1, Number.NaN, Number.POSITIVE_INFINITY, 4]);
  });

  it('refuses what is no key, no rate', () => {
    const x = floats(4);
    expect(() => dropout(x, x, 0.5, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dropout: the key must be a tensor of two u32, the seed of the step; it is f32; got key [4]]`,
    );
    expect(() => dropout(x, key(1, 2), 1.5, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dropout: the rate must be from 0 to 1; it is 1.5]`,
    );
    expect(() => dropout(x, key(1, 2), 0.5, -1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: dropout: -1 is no stream: 0 to 2³² − 1]`,
    );
  });
});

describe('Dropout', () => {
  it('does nothing in evaluation, and in training what the key says, again and again', async () => {
    const layer = new Dropout(0.5, 2);
    const x = floats(4, 33);
    expect(layer.forward(x)).toBe(x);
    expect(new Dropout(0, 1).forwardInTraining(x, key(1, 2))).toBe(x);
    using train = await step(device.current, { key: { shape: [2], dtype: 'u32' } }, ({ key }) =>
      layer.forwardInTraining(x, key),
    );
    const at = async (counter: number) => [...(await read(train({ key: new Uint32Array([3, counter]) })))];
    const first = await at(1);
    expect(await at(2)).not.toEqual(first);
    expect(await at(1)).toEqual(first);
  });

  it('refuses what is no rate and no stream', () => {
    expect(() => new Dropout(-0.1, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Dropout: rate must be from 0 to 1; it is -0.1]`,
    );
    expect(() => new Dropout(0.1, undefined as never)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Dropout: stream must be a whole number below 2³², another for each layer; it is undefined]`,
    );
  });
});

describe('Dropout2d', () => {
  it('drops whole channels of images, and divides the others, as its gradient does', async () => {
    const [B, places, C] = [40, 6, 50];
    const x = tensor(device.current, new Float32Array(B * places * C).fill(3), [B, 2, 3, C]);
    const y = new Dropout2d(0.25, 4).forwardInTraining(x, key(1, 2));
    const values = await read(y);
    const dropped = Array.from({ length: B * C }, (_, i) => {
      const all = Array.from({ length: places }, (_, p) => values[(Math.floor(i / C) * places + p) * C + (i % C)]!);
      expect(new Set(all).size).toBe(1);
      expect([0, 4]).toContain(all[0]);
      return all[0] === 0;
    }).filter(Boolean).length;
    // Five deviations.
    expect(Math.abs(dropped / (B * C) - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / (B * C)));
    const [dx] = gradients(y, [x], x);
    expect(await read(dx!)).toEqual(values);
  });

  it('does nothing in evaluation or at a rate of 0, and leaves nothing of what it drops', async () => {
    const x = floats(2, 3, 4);
    expect(new Dropout2d(0.5, 1).forward(x)).toBe(x);
    expect(new Dropout2d(0, 1).forwardInTraining(x, key(1, 2))).toBe(x);
    const none = tensor(device.current, [Number.NaN, Number.POSITIVE_INFINITY, 1, 2], [1, 2, 2]);
    expect([...(await read(new Dropout2d(1, 1).forwardInTraining(none, key(1, 2))))]).toEqual([0, 0, 0, 0]);
    const half = new Dropout2d(0.5, 3);
    const of = async (counter: number) => [...(await read(half.forwardInTraining(floats(9, 2, 9), key(1, counter))))];
    expect(await of(1)).toEqual(await of(1));
    expect(await of(1)).not.toEqual(await of(2));
  });

  it('refuses what is no rate, no stream, no key, no image', () => {
    const [layer, x] = [new Dropout2d(0.5, 1), floats(2, 3)];
    expect(() => new Dropout2d(2, 0)).toThrow('Dropout2d: rate must be from 0 to 1; it is 2');
    expect(() => new Dropout2d(0.1, -1)).toThrow(
      'Dropout2d: stream must be a whole number below 2³², another for each layer; it is -1',
    );
    expect(() => layer.forwardInTraining(x, undefined as never)).toThrow(
      'Dropout2d: key must be a tensor; it is undefined; in training it is the seed of the step, u32 [2]: forwardInTraining(x, key)',
    );
    expect(() => layer.forwardInTraining(floats(3), key(1, 2))).toThrow(
      'Dropout2d: x must be floats, [B, ..., C] (x is f32); got x [3]',
    );
  });
});
