import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import {
  avgPool3d,
  type Conv3dOptions,
  conv2d,
  conv3d,
  maxPool3d,
  type Triple,
} from '../../../src/kernels/spatial/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const three = (value: Triple = 1): number[] => (typeof value === 'number' ? [value, value, value] : [...value]);
interface Windows {
  readonly window: readonly number[];
  readonly stride?: Triple;
  readonly padding?: Triple;
  readonly dilation?: Triple;
}

/** What `of` makes of each window and channel of `[B, T, H, W, C]`: of the numbers in it, by their places in the window. */
function overWindows(
  x: Ref,
  { window, stride, padding = 0, dilation }: Windows,
  width: number,
  of: (at: (place: readonly number[], c: number) => number | undefined, d: number) => number,
): Ref {
  const [B, ...rest] = x.shape as number[];
  const [axes, C] = [rest.slice(0, 3), rest[3]!];
  const [step, zeros, apart] = [three(stride), three(padding), three(dilation)];
  const counts = axes.map((n, k) => Math.floor((n + 2 * zeros[k]! - apart[k]! * (window[k]! - 1) - 1) / step[k]!) + 1);
  const data: number[] = [];
  for (let b = 0; b < B!; b++)
    for (let t = 0; t < counts[0]!; t++)
      for (let i = 0; i < counts[1]!; i++)
        for (let j = 0; j < counts[2]!; j++)
          for (let d = 0; d < width; d++) {
            const at = (place: readonly number[], c: number) => {
              const p = [t, i, j].map((n, k) => n * step[k]! + place[k]! * apart[k]! - zeros[k]!);
              if (p.some((n, k) => n < 0 || n >= axes[k]!)) return undefined;
              return x.data[(((b * axes[0]! + p[0]!) * axes[1]! + p[1]!) * axes[2]! + p[2]!) * C + c]!;
            };
            data.push(of(at, d));
          }
  return ref([B!, ...counts, width], data);
}

const placesOf = ([T, H, W]: readonly number[]) =>
  Array.from({ length: T! * H! * W! }, (_, i) => [Math.floor(i / W! / H!), Math.floor(i / W!) % H!, i % W!]);

function convolved([x, weight, bias]: readonly Ref[], options: Conv3dOptions): Ref {
  const [D, C, ...window] = weight!.shape as number[];
  const { groups = 1, stride = 1, dilation = 1 } = options;
  const padding = options.padding as Triple | undefined;
  const places = placesOf(window);
  return overWindows(x!, { window, stride, dilation, padding: padding ?? 0 }, D!, (at, d) => {
    const first = Math.floor((d * groups) / D!) * C!;
    let sum = bias?.data[d] ?? 0;
    for (let c = 0; c < C!; c++)
      places.forEach((place, k) => {
        sum += weight!.data[(d * C! + c) * places.length + k]! * (at(place, first + c) ?? 0);
      });
    return sum;
  });
}

const settings: readonly (readonly [Conv3dOptions, shapes: readonly (readonly number[])[]])[] = [
  [{}, [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1]]],
  [{ padding: 1 }, [[2, 3, 4, 5, 3], [4, 3, 3, 3, 3], [4]]],
  [{ stride: [2, 1, 2], padding: [1, 0, 1] }, [[1, 5, 4, 3, 2], [3, 2, 2, 3, 1], [3]]],
  [{ dilation: [2, 1, 2], groups: 2 }, [[1, 4, 3, 5, 6], [4, 3, 2, 2, 2], [4]]],
  [{ padding: 0, stride: 2 }, [[1, 2, 4, 4, 4], [4, 4, 1, 2, 2], [4]]],
];
for (const [options, shapes] of settings) {
  checkOp(`conv3d ${JSON.stringify(options)}`, (x, w, bias) => conv3d(x!, w!, { ...options, bias }), {
    reference: (inputs) => convolved(inputs, options),
    cases: [shapes],
    tolerance: { forward: 3e-6, gradient: 2e-5 },
  });
}
for (const options of [{ stride: 2 }, { padding: [1, 0, 1] as const, stride: [1, 2, 2] as const }]) {
  const window = [3, 1, 2];
  const values = (at: (place: readonly number[], c: number) => number | undefined, d: number) =>
    placesOf(window).map((place) => at(place, d));
  checkOp(`maxPool3d ${JSON.stringify(options)}`, (x) => maxPool3d(x, window as never, options), {
    reference: ([x]) =>
      overWindows(x!, { window, ...options }, x!.shape[4]!, (at, d) =>
        Math.max(...values(at, d).map((v) => v ?? Number.NEGATIVE_INFINITY)),
      ),
    cases: [[[2, 5, 4, 5, 3]]],
  });
  checkOp(`avgPool3d ${JSON.stringify(options)}`, (x) => avgPool3d(x, window as never, options), {
    reference: ([x]) =>
      overWindows(x!, { window, ...options }, x!.shape[4]!, (at, d) =>
        values(at, d).reduce<number>((sum, v) => sum + (v ?? 0) / 6, 0),
      ),
    cases: [[[2, 5, 4, 5, 3]]],
  });
}

describe('volumes', () => {
  const device = useDevice();
  const counted = (...shape: number[]) =>
    tensor(
      device.current,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7) % 11) - 5),
      shape,
    );

  it("'same' leaves the size, one more zero at the end; of one image it is conv2d; channels first give channels first", async () => {
    const [x, w] = [counted(2, 3, 4, 5, 2), counted(3, 2, 2, 4, 3)];
    const options = { padding: 'same', activation: 'relu' } as const;
    const y = conv3d(x, w, options);
    expect(y.shape).toEqual([2, 3, 4, 5, 3]);
    const image = conv3d(counted(2, 1, 4, 5, 2), counted(3, 2, 1, 4, 3), options);
    const flat = conv2d(counted(2, 4, 5, 2), counted(3, 2, 4, 3), options);
    expect([...(await read(image))]).toEqual([...(await read(flat))]);
    const first = conv3d(counted(1, 2, 3, 3, 3), counted(4, 2, 2, 2, 2), { channels: 'first' });
    expect(first.shape).toEqual([1, 4, 2, 2, 2]);
    expect(maxPool3d(counted(1, 2, 4, 4, 6), 2, { channels: 'first' }).shape).toEqual([1, 2, 2, 2, 3]);
    expect(avgPool3d(counted(0, 4, 4, 6, 2), 3, { ceilMode: true }).shape).toEqual([0, 2, 2, 2, 2]);
  });

  it('of equal maxima the first one gets the gradient, image by image and line by line', async () => {
    const x = tensor(device.current, [1, 3, 3, 1, 3, 1, 1, 1], [1, 2, 2, 2, 1]);
    expect([...(await read(gradients(maxPool3d(x, 2), [x])[0]))]).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('say what is wrong', () => {
    const [x, w] = [counted(1, 3, 4, 4, 2), counted(3, 2, 2, 2, 2)];
    expect(() => conv3d(x, counted(3, 2, 2, 2))).toThrow(
      'conv3d: the weight must be [D, C, kt, kh, kw], with inputs; got x [1, 3, 4, 4, 2], weight [3, 2, 2, 2]',
    );
    expect(() => conv3d(counted(1, 3, 4, 2), w)).toThrow(
      'conv3d: x must be [B, T, H, W, C] with the C of the weight; got x [1, 3, 4, 2], weight [3, 2, 2, 2, 2]',
    );
    expect(() => conv3d(x, w, { groups: 2 })).toThrow(
      'conv3d: the groups must be a whole number that divides D (2 and 3)',
    );
    expect(() => conv3d(x, w, { stride: [1, 2] as never })).toThrow(
      'conv3d: the stride must be a whole number above 0, or three of them, [through, down, across] ([1, 2]); got x',
    );
    expect(() => conv3d(x, w, { padding: 'same', stride: 2 })).toThrow(
      "conv3d: the padding 'same' needs a stride of 1 (2, 2, 2)",
    );
    expect(() => conv3d(x, counted(3, 2, 4, 2, 2))).toThrow(
      'conv3d: a window of 4 images, 1 apart, does not fit, with padding 0; got x [1, 3, 4, 4, 2]',
    );
    expect(() => conv3d(x, counted(3, 2, 2, 5, 2))).toThrow(
      'conv3d: a window of 5 × 2 does not fit, with padding 0; got x [1, 3, 4, 4, 2], weight [3, 2, 2, 5, 2]',
    );
    expect(() => conv3d(x, w, { bias: counted(2) })).toThrow('conv3d: the bias must be [D]; got x');
    expect(() => maxPool3d(x, 4)).toThrow(
      'maxPool3d: a window of 4 × 4 × 4 does not fit, with padding 0, 0, 0; got x [1, 3, 4, 4, 2]',
    );
    expect(() => avgPool3d(x, 2, { padding: [0, 2, 0] })).toThrow(
      'avgPool3d: the padding must be at most half of the window (0, 2, 0 of 2 × 2 × 2); got x [1, 3, 4, 4, 2]',
    );
    expect(() => maxPool3d(counted(1, 3, 4, 2), 2)).toThrow(
      'maxPool3d: x must be [B, T, H, W, C], with pixels; got x [1, 3, 4, 2]',
    );
  });
});
