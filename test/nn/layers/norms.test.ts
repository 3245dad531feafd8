import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { add, div, mul, sub } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { addScalar, sqrt, square } from '../../../src/kernels/elementwise/unary.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { BatchNorm, trainable } from '../../../src/nn/layers/batch-norm.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { GroupNorm, InstanceNorm, RMSNorm } from '../../../src/nn/layers/norms.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();
const weights = () => newWeights(device.current, 1);

/** Mean 0 and (biased) variance 1 along axes, by ops. */
const standardize = (x: Tensor, axes: number | number[], eps: number): Tensor => {
  const centred = sub(x, mean(x, { axes, keepDims: true }));
  return div(centred, sqrt(addScalar(mean(square(centred), { axes, keepDims: true }), eps)));
};

checkOp(
  'RMSNorm',
  (x, weight) => Object.assign(new RMSNorm(weights(), weight!.size, 1e-3), { weight }).forward(x as Tensor),
  {
    reference: ([x, weight]) => {
      const { shape, data } = x as Ref;
      const cols = shape.at(-1) as number;
      return ref(
        shape,
        data.map((value, i) => {
          const row = data.subarray(i - (i % cols), i - (i % cols) + cols);
          const square = row.reduce((a, v) => a + v * v, 0) / cols;
          return (value / Math.sqrt(square + 1e-3)) * weight!.data[i % cols]!;
        }),
      );
    },
    cases: [
      [[1, 2], [2]],
      [[3, 7], [7]],
      [[2, 3, 130], [130]],
      [[0, 5], [5]],
    ],
    tolerance: { forward: 1e-6, gradient: 2e-5 },
  },
);

const checkGroupNorm = () => {
  checkOp(
    'GroupNorm',
    (x, weight, bias) => {
      const groups = weight!.size % 3 === 0 ? 3 : 1;
      return Object.assign(new GroupNorm(weights(), groups, weight!.size), { weight, bias }).forward(x as Tensor);
    },
    {
      reference: ([x, weight, bias]) => {
        const { shape, data } = x as Ref;
        const channels = shape.at(-1) as number;
        const groups = channels % 3 === 0 ? 3 : 1;
        const image = data.length / shape[0]!;
        const groupOf = (i: number) =>
          Math.floor(i / image) * groups + Math.floor(((i % channels) * groups) / channels);
        const count = image / groups;
        const all = shape[0]! * groups;
        const [means, variances] = [new Float64Array(all), new Float64Array(all)];
        data.forEach((v, i) => void (means[groupOf(i)]! += v / count));
        data.forEach((v, i) => void (variances[groupOf(i)]! += (v - means[groupOf(i)]!) ** 2 / count));
        return ref(
          shape,
          data.map((v, i) => {
            const g = groupOf(i);
            const y = (v - means[g]!) / Math.sqrt(variances[g]! + 1e-5);
            return y * weight!.data[i % channels]! + bias!.data[i % channels]!;
          }),
        );
      },
      cases: [
        [[2, 3, 6], [6], [6]],
        [[2, 3, 5, 12], [12], [12]],
        [[1, 71, 7], [7], [7]],
        [[1, 300, 6], [6], [6]],
        // More channels in a group than invocations: 8 on a CPU, 64 and 256 on a GPU.
        [[2, 3, 17], [17], [17]],
        [[1, 2, 27], [27], [27]],
        [[1, 3, 65], [65], [65]],
        [[1, 2, 301], [301], [301]],
        [[0, 4, 6], [6], [6]],
      ],
      tolerance: { forward: 2e-6, gradient: 5e-5 },
    },
  );
};
checkGroupNorm();

/** Each channel of each image, by the mean and the variance of its places. */
function instances(x: Ref, weight?: Ref, bias?: Ref): Ref {
  const [B, C] = [x.shape[0] as number, x.shape.at(-1) as number];
  const places = x.data.length / B / C;
  const y = new Float64Array(x.data.length);
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      const at = Array.from({ length: places }, (_, p) => (b * places + p) * C + c);
      const mean = at.reduce((sum, i) => sum + x.data[i]!, 0) / places;
      const variance = at.reduce((sum, i) => sum + (x.data[i]! - mean) ** 2, 0) / places;
      for (const i of at) {
        y[i] = ((x.data[i]! - mean) / Math.sqrt(variance + 1e-5)) * (weight?.data[c] ?? 1) + (bias?.data[c] ?? 0);
      }
    }
  }
  return ref(x.shape, y);
}
const checkInstanceNorm = () => {
  const tolerance = { forward: 2e-6, gradient: 5e-5 };
  checkOp('InstanceNorm', (x) => new InstanceNorm(weights(), x.shape.at(-1) as number).forward(x), {
    reference: ([x]) => instances(x as Ref),
    cases: [[[1, 3, 1]], [[2, 3, 5, 6]], [[1, 71, 7]], [[2, 2, 3, 2, 3]], [[0, 4, 6]]],
    tolerance,
  });
  checkOp(
    'InstanceNorm with weight and bias',
    (x, weight, bias) => {
      const norm = new InstanceNorm(weights(), weight!.size, { affine: true });
      return Object.assign(norm, { weight, bias }).forward(x as Tensor);
    },
    {
      reference: ([x, weight, bias]) => instances(x as Ref, weight, bias),
      cases: [
        [[2, 7, 5], [5], [5]],
        [[1, 300, 8], [8], [8]],
      ],
      tolerance,
    },
  );
};
checkInstanceNorm();

describe('GroupNorm', () => {
  const inputs = { x: [2, 3, 5, 6], v: [2, 3, 5, 6] };
  const random = seeded(3);
  const some = () => Float32Array.from({ length: 180 }, () => normal(random));

  it('takes a launch forward and two backward, which add what flows around it', async () => {
    const norm = new GroupNorm(weights(), 3, 6);
    using made = await step(device.current, inputs, ({ x, v }) => {
      const loss = sum(mul(add(norm.forward(x), x), v));
      return gradients(loss, [x, norm.weight, norm.bias]);
    });
    const names = made.launches.map(({ kernel }) => kernel.name).filter((name) => /norm|accumulate/.test(name));
    expect(names).toEqual(['group-norm', 'group-norm-backward', 'layer-norm-weights']);
  });

  it('has gradients of gradients, those of its definition', async () => {
    const norm = new GroupNorm(weights(), 3, 6);
    const plain = (x: Tensor) => reshape(standardize(reshape(x, [2, 15, 3, 2]), [1, 3], norm.eps), x.shape);
    using made = await step(device.current, inputs, ({ x, v }) =>
      [norm.forward(x), plain(x)].map((y) => {
        const [dx] = gradients(sum(mul(square(y), v)), [x]);
        return gradients(sum(mul(dx, v)), [x])[0];
      }),
    );
    const [got, wanted] = await readAll(made({ x: some(), v: some() }));
    close(got!, [...wanted!], 1e-4, 'second order');
  });
});

/** In training: with the statistics of the batch. */
const batchNorm = ([x, weight, bias]: readonly Ref[]): Ref => {
  const { shape, data } = x as Ref;
  const channels = shape.at(-1) as number;
  const count = data.length / channels;
  const { means, variances } = statistics(data, channels);
  return ref(
    shape,
    data.map((v, i) => {
      const c = i % channels;
      return ((v - means[c]!) / Math.sqrt(variances[c]! / count + 1e-5)) * weight!.data[c]! + bias!.data[c]!;
    }),
  );
};
/** Means, and sums of squares about them. */
function statistics(data: ArrayLike<number>, channels: number): { means: Float64Array; variances: Float64Array } {
  const [means, variances] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < data.length; i++) means[i % channels]! += (data[i] as number) / (data.length / channels);
  for (let i = 0; i < data.length; i++) variances[i % channels]! += ((data[i] as number) - means[i % channels]!) ** 2;
  return { means, variances };
}

/** The gradients of {@link batchNorm} at an input, its weight and its bias. */
function slopes(x: Float32Array, weight: Float32Array, dy: Float32Array) {
  const channels = weight.length;
  const count = x.length / channels;
  const { means, variances } = statistics(x, channels);
  const deviations = variances.map((v) => Math.sqrt(v / count + 1e-5));
  const h = Float64Array.from(x, (v, i) => (v - means[i % channels]!) / deviations[i % channels]!);
  const [dweight, dbias] = [new Float64Array(channels), new Float64Array(channels)];
  dy.forEach((d, i) => {
    dweight[i % channels]! += d * h[i]!;
    dbias[i % channels]! += d;
  });
  const dx = Float64Array.from(dy, (d, i) => {
    const c = i % channels;
    return ((d - dbias[c]! / count - (h[i]! * dweight[c]!) / count) * weight[c]!) / deviations[c]!;
  });
  return { dx, dweight, dbias };
}

/** Values, gradients and running statistics over three steps, then evaluation; slopes by differences where there are few elements. */
function checkBatchNorm(...shapes: [shape: number[]][]): void {
  it.each(shapes)('normalises %j by the batch, with the gradients of that, and keeps statistics', async (shape) => {
    const random = seeded(shape.length);
    const channels = shape.at(-1) as number;
    const some = (n: number) => Float32Array.from({ length: n }, () => 2 + normal(random));
    const layer = new BatchNorm(weights(), channels);
    const [weight, bias] = [some(channels), some(channels)];
    Object.assign(layer, {
      weight: tensor(device.current, weight),
      bias: tensor(device.current, bias),
    });
    const n = shape.reduce((a, b) => a * b);
    const dy = some(n);
    using train = await step(device.current, { x: shape }, ({ x }) => {
      const y = layer.forwardInTraining(x);
      const [dx, dweight, dbias] = gradients(sum(mul(y, tensor(device.current, dy, shape))), [
        x,
        layer.weight,
        layer.bias,
      ]);
      return { y, dx: dx!, dweight: dweight!, dbias: dbias! };
    });
    let [means, variances] = [new Float64Array(channels), new Float64Array(channels).fill(1)];
    for (let t = 0; t < 3; t++) {
      const x = some(n);
      const got = train({ x });
      const inputs = [ref(shape, x), ref([channels], weight), ref([channels], bias)];
      close(await read(got.y), batchNorm(inputs).data, 3e-6, 'y');
      const slope = (input: number, i: number) => {
        const at = (h: number) => {
          const moved = inputs.map(({ shape, data }) => ref(shape, data));
          moved[input]!.data[i]! += h;
          return batchNorm(moved).data.reduce((a, y, k) => a + y * dy[k]!, 0);
        };
        return (at(1e-4) - at(-1e-4)) / 2e-4;
      };
      const exact = slopes(x, weight, dy);
      if (n < 200) {
        close(
          exact.dx.slice(0, 8),
          Array.from({ length: Math.min(8, n) }, (_, i) => slope(0, i)),
          1e-6,
          'reference',
          10,
        );
      }
      const [dx, dweight, dbias] = (await readAll([got.dx, got.dweight, got.dbias])) as Float32Array[];
      close(dx!, exact.dx, 2e-5, 'dx', 10);
      close(dweight!, exact.dweight, 1e-5, 'dweight', n / channels);
      close(dbias!, exact.dbias, 1e-5, 'dbias', n / channels);
      const batch = statistics(x, channels);
      means = means.map((m, c) => 0.9 * m + 0.1 * batch.means[c]!);
      variances = variances.map((v, c) => 0.9 * v + (0.1 * batch.variances[c]!) / (n / channels - 1));
      close(await read(layer.running_mean), means, 3e-6, 'running mean');
      close(await read(layer.running_var), variances, 1e-5, 'running variance');
    }
    const x = some(n);
    const y = await read(layer.forward(tensor(device.current, x, shape)));
    close(
      y,
      Array.from(x, (v, i) => {
        const c = i % channels;
        return ((v - means[c]!) / Math.sqrt(variances[c]! + 1e-5)) * weight[c]! + bias[c]!;
      }),
      1e-5,
      'evaluation',
    );
  });
}

describe('BatchNorm', () => {
  // One sample; more channels than a workgroup has; more rows than one adds up, in many parts and in a last one that is shorter.
  checkBatchNorm([[5, 3]], [[2, 3, 4, 7]], [[130, 1]], [[1, 3, 3, 17]], [[2, 65]], [[3, 301]], [[2203, 3]]);

  it('takes two launches forward, which keep the statistics, and two backward', async () => {
    const norm = new BatchNorm(weights(), 6);
    using made = await step(device.current, { x: [2, 3, 6] }, ({ x }) => {
      const y = norm.forwardInTraining(x);
      return gradients(sum(mul(y, y)), [x, norm.weight, norm.bias]);
    });
    expect(made.launches.map(({ kernel }) => kernel.name).filter((name) => /norm|assign/.test(name))).toEqual([
      'batch-norm-sums',
      'batch-norm',
      'batch-norm-backward-sums',
      'batch-norm-backward',
    ]);
  });

  it('has gradients of gradients, those of its definition', async () => {
    const norm = new BatchNorm(weights(), 6);
    const plain = (x: Tensor) => reshape(standardize(reshape(x, [30, 6]), 0, norm.eps), x.shape);
    const random = seeded(4);
    const some = () => Float32Array.from({ length: 180 }, () => normal(random));
    using made = await step(device.current, { x: [2, 3, 5, 6], v: [2, 3, 5, 6] }, ({ x, v }) =>
      [norm.forwardInTraining(x), plain(x)].map((y) => {
        const [dx] = gradients(sum(mul(square(y), v)), [x]);
        return gradients(sum(mul(dx, v)), [x])[0];
      }),
    );
    const [got, wanted] = await readAll(made({ x: some(), v: some() }));
    close(got!, [...wanted!], 1e-4, 'second order');
  });

  it('says NaN of a channel whose squares overflow, and leaves the others', async () => {
    const norm = new BatchNorm(weights(), 2);
    using made = await step(device.current, { x: [2, 2] }, ({ x }) => norm.forwardInTraining(x));
    const [a, b, c, d] = await read(made({ x: [1e30, 1, -1e30, 3] }));
    expect([a, c]).toEqual([Number.NaN, Number.NaN]);
    close([b!, d!], [-1, 1], 1e-5, 'the other channel');
  });

  it('gives an optimizer its weights, and a checkpoint its statistics too', () => {
    const model = { norm: new BatchNorm(weights(), 4) };
    expect([...parameters(model).keys()]).toEqual([
      'norm.weight',
      'norm.bias',
      'norm.running_mean',
      'norm.running_var',
    ]);
    const optimizer = new SGD(device.current, trainable(model));
    expect(optimizer.flat.parameters.map(({ name }) => name)).toEqual(['norm.weight', 'norm.bias']);
    expect(
      () => new SGD(device.current, parameters({ norm: new BatchNorm(weights(), 4) })),
    ).toThrowErrorMatchingInlineSnapshot(
      `[StepError: optimizer: 'norm.running_mean' is a running statistic; give trainable(model)]`,
    );
  });
});

it('norms refuse what they cannot normalise', () => {
  const x = tensor(device.current, new Float32Array(6), [1, 6]);
  expect(() => new GroupNorm(weights(), 4, 6)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: GroupNorm: 6 channels do not divide into 4 groups]`,
  );
  expect(() => new RMSNorm(weights(), 5).forward(x)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: RMSNorm: the last axis must hold 5 channels; got x [1, 6]]`,
  );
  expect(() => new InstanceNorm(weights(), 6).forward(x)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: InstanceNorm: x must be [B, ..., 6], with two places or more between; got x [1, 6]]`,
  );
  const one = tensor(device.current, new Float32Array(6), [1, 1, 6]);
  expect(() => new InstanceNorm(weights(), 6).forward(one)).toThrow(/two places or more between; got x \[1, 1, 6\]$/);
  expect(() => new InstanceNorm(weights(), 3).forward(one)).toThrow(/^InstanceNorm: x must be \[B, ..., 3\]/);
  expect(() => new InstanceNorm(weights(), 3, 1e-5 as never)).toThrow('InstanceNorm: options come by name');
  expect(() => new InstanceNorm(weights(), 3, { eps: -1 })).toThrow('InstanceNorm: eps must be a number, 0 or more');
  expect([...parameters(new InstanceNorm(weights(), 3)).keys()]).toEqual([]);
  expect([...parameters(new InstanceNorm(weights(), 3, { affine: true })).keys()]).toEqual(['weight', 'bias']);
  expect(() => new GroupNorm(weights(), 2, 8).forward(x)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: GroupNorm: the last axis must hold 8 channels; got x [1, 6]]`,
  );
  expect(() => new BatchNorm(weights(), 6).forwardInTraining(x)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: BatchNorm: training wants two values of a channel or more; got x [1, 6]]`,
  );
});

// The adapters of this suite compute on the CPU: there an invocation sums a row, on a GPU a workgroup.
describe('as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  checkGroupNorm();
  checkInstanceNorm();
  checkBatchNorm([[203, 17]], [[2, 301]]);
});
