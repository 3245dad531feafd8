import { describe, expect, it } from 'vitest';
import type { Device } from '../../../src/gpu/device.ts';
import { clamp } from '../../../src/kernels/elementwise/unary.ts';
import { Adam } from '../../../src/nn/optimizer/adam.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { Lion } from '../../../src/nn/optimizer/lion.ts';
import { Muon } from '../../../src/nn/optimizer/muon.ts';
import type { Optimizer, OptimizerOptions } from '../../../src/nn/optimizer/optimizer.ts';
import { RMSProp } from '../../../src/nn/optimizer/rms-prop.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** One weight with what is remembered of it, all 0 at first. */
type Weight = { p: number; [name: string]: number };
type Rule = (weight: Weight, g: number, at: { t: number; lr: number; decay: number }) => void;
type Make = (device: Device, named: [string, Tensor][], options: OptimizerOptions) => Optimizer;

const adamMoments = (w: Weight, g: number, t: number, [beta1, beta2]: readonly [number, number]) => {
  w['m'] = beta1 * (w['m'] ?? 0) + (1 - beta1) * g;
  w['v'] = beta2 * (w['v'] ?? 0) + (1 - beta2) * g * g;
  return w['m'] / (1 - beta1 ** t) / (Math.sqrt(w['v'] / (1 - beta2 ** t)) + 1e-8);
};
const momentum = (factor: number, { dampening = 0, nesterov = false } = {}): Rule => {
  return (w, g, { t, lr, decay }) => {
    const slope = g + decay * w.p;
    w['m'] = t === 1 ? slope : factor * (w['m'] as number) + (1 - dampening) * slope;
    w.p -= lr * (nesterov ? slope + factor * w['m'] : w['m']);
  };
};
const rmsProp = ({ centered = false, factor = 0 } = {}): Rule => {
  return (w, g, { lr, decay }) => {
    const slope = g + decay * w.p;
    w['v'] = 0.99 * (w['v'] ?? 0) + 0.01 * slope * slope;
    w['a'] = centered ? 0.99 * (w['a'] ?? 0) + 0.01 * slope : 0;
    w['m'] = factor * (w['m'] ?? 0) + slope / (Math.sqrt(w['v'] - w['a'] ** 2) + 1e-8);
    w.p -= lr * w['m'];
  };
};

// PyTorch's rules, with the defaults of its documentation (Lion: of its paper).
const rules: readonly [title: string, make: Make, rule: Rule, state: string][] = [
  [
    'AdamW with the betas of PyTorch',
    (d, named, o) => new AdamW(d, named, { ...o, beta2: 0.999 }),
    (w, g, { t, lr, decay }) => {
      w.p *= 1 - lr * decay;
      w.p -= lr * adamMoments(w, g, t, [0.9, 0.999]);
    },
    'm v',
  ],
  [
    'Adam',
    (d, named, o) => new Adam(d, named, o),
    (w, g, { t, lr, decay }) => {
      w.p -= lr * adamMoments(w, g + decay * w.p, t, [0.9, 0.999]);
    },
    'm v',
  ],
  [
    'Lion',
    (d, named, o) => new Lion(d, named, o),
    (w, g, { lr, decay }) => {
      const m = w['m'] ?? 0;
      w.p = w.p * (1 - lr * decay) - lr * Math.sign(0.9 * m + 0.1 * g);
      w['m'] = 0.99 * m + 0.01 * g;
    },
    'm',
  ],
  ['SGD', (d, named, o) => new SGD(d, named, o), momentum(0), ''],
  ['SGD with momentum', (d, named, o) => new SGD(d, named, { ...o, momentum: 0.9 }), momentum(0.9), 'm'],
  [
    'SGD with momentum and dampening',
    (d, named, o) => new SGD(d, named, { ...o, momentum: 0.8, dampening: 0.3 }),
    momentum(0.8, { dampening: 0.3 }),
    'm',
  ],
  [
    "SGD with Nesterov's momentum",
    (d, named, o) => new SGD(d, named, { ...o, momentum: 0.9, nesterov: true }),
    momentum(0.9, { nesterov: true }),
    'm',
  ],
  ['RMSProp', (d, named, o) => new RMSProp(d, named, o), rmsProp(), 'v'],
  [
    'RMSProp with momentum',
    (d, named, o) => new RMSProp(d, named, { ...o, momentum: 0.9 }),
    rmsProp({ factor: 0.9 }),
    'v a m',
  ],
  [
    'RMSProp, centered',
    (d, named, o) => new RMSProp(d, named, { ...o, centered: true }),
    rmsProp({ centered: true }),
    'v a m',
  ],
];

const shapes = { 'a.weight': [9, 15], 'a.bias': [15], 'b.weight': [1, 1] } as const;
const sizes = [135, 15, 1];
const inputs = { a: shapes['a.weight'], b: shapes['a.bias'], c: shapes['b.weight'], hyper: [4] } as const;

function parametersFrom(random: () => number): [string, Tensor][] {
  return Object.entries(shapes).map(([name, shape], i) => [
    name,
    variable(
      device.current,
      shape,
      Float32Array.from({ length: sizes[i] as number }, () => normal(random)),
    ),
  ]);
}
const someGradients = (random: () => number) =>
  sizes.map((length) => Float32Array.from({ length }, () => normal(random))) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];

/** The step that takes gradients as they are. */
const training = (optimizer: Optimizer, check = false) =>
  step(device.current, inputs, ({ a, b, c, hyper }) => optimizer.update([a, b, c], hyper).norm, { check });

describe.each(rules)('%s', (title, make, rule, state) => {
  it('follows its rule, with decay, clipping, a loss scale and several buffers', async () => {
    const random = seeded(title.length);
    const named = parametersFrom(random);
    const [weightDecay, maxNorm] = [0.1, 6];
    const optimizer = make(device.current, named, { weightDecay, maxNorm, bufferBytes: 512 } as OptimizerOptions);
    expect(optimizer.flat.buffers.length).toBeGreaterThan(1);
    expect([...optimizer.state().keys()]).toEqual(
      state.split(' ').flatMap((key) => (key ? Object.keys(shapes).map((name) => `${key}.${name}`) : [])),
    );
    using train = await training(optimizer, true);
    const weights = (await readAll(named.map(([, t]) => t))).map((p) =>
      Array.from(p as Float32Array, (p): Weight => ({ p })),
    );
    for (let t = 1; t <= 6; t++) {
      const lr = 0.02 / t;
      const gradients = someGradients(random);
      const [a, b, c] = gradients;
      const norm = train({ a, b, c, hyper: optimizer.hyperparameters(t, lr, 0.5) });
      const length = Math.hypot(...gradients.flatMap((g) => [...g]).map((g) => g / 2));
      expect((await read(norm))[0]).toBeCloseTo(length, 4);
      const factor = Math.min(1, maxNorm / (length + 1e-6)) / 2;
      weights.forEach((list, k) => {
        const decay = named[k]![1].shape.length > 1 ? weightDecay : 0;
        list.forEach((w, i) => void rule(w, gradients[k]![i]! * factor, { t, lr, decay }));
      });
    }
    const got = (await readAll(named.map(([, t]) => t))) as Float32Array[];
    const remembered = await Promise.all(
      [...optimizer.state()].map(async ([name, t]) => [name, await read(t)] as const),
    );
    weights.forEach((list, k) => {
      const name = named[k]![0];
      close(
        got[k]!,
        list.map(({ p }) => p),
        3e-5,
        name,
      );
      for (const [full, values] of remembered) {
        const [key] = full.split('.');
        if (full === `${key}.${name}`)
          close(
            values,
            list.map((w) => w[key as string] as number),
            3e-5,
            full,
          );
      }
    });
  });

  it('takes the same step of sums over micro-batches, and starts anew', async () => {
    const [first, second] = [parametersFrom(seeded(3)), parametersFrom(seeded(3))];
    const [whole, parts] = [make(device.current, first, {}), make(device.current, second, {})];
    using train = await training(whole);
    using micro = await step(device.current, { a: inputs.a, b: inputs.b, c: inputs.c }, ({ a, b, c }) => {
      parts.accumulate([a, b, c], 0.5);
      return {};
    });
    using apply = await step(device.current, { hyper: [4] }, ({ hyper }) => parts.apply(hyper).norm);
    const random = seeded(4);
    for (let t = 1; t <= 2; t++) {
      const halves = [someGradients(random), someGradients(random)] as const;
      const [a, b, c] = halves[0].map((g, k) =>
        g.map((x, i) => 0.5 * x + 0.5 * halves[1][k]![i]!),
      ) as (typeof halves)[0];
      const hyper = whole.hyperparameters(t, 0.05);
      train({ a, b, c, hyper });
      for (const [a, b, c] of halves) micro({ a, b, c });
      apply({ hyper });
    }
    const [want, got] = [await readAll(first.map(([, t]) => t)), await readAll(second.map(([, t]) => t))];
    want.forEach((p, k) => void close(got[k]!, p, 2e-5, `parameter ${k}`));
  });

  it('changes nothing at a gradient that is not finite', async () => {
    const named = parametersFrom(seeded(5));
    const optimizer = make(device.current, named, {});
    using train = await training(optimizer);
    const [a, b, c] = someGradients(seeded(6));
    train({ a, b, c, hyper: optimizer.hyperparameters(1, 0.1) });
    const all = [...named.map(([, t]) => t), ...optimizer.state().values()];
    const before = await readAll(all);
    train({ a, b: b.with(3, Number.POSITIVE_INFINITY), c, hyper: optimizer.hyperparameters(2, 0.1) });
    expect(await readAll(all)).toEqual(before);
  });

  it('goes on from a saved state to the bit', async () => {
    const [first, second] = [parametersFrom(seeded(7)), parametersFrom(seeded(8))];
    const [one, other] = [make(device.current, first, {}), make(device.current, second, {})];
    using train = await training(one);
    using trainOther = await training(other);
    const random = seeded(9);
    for (let t = 1; t <= 2; t++) {
      const [a, b, c] = someGradients(random);
      train({ a, b, c, hyper: one.hyperparameters(t, 0.1) });
    }
    for (const [i, [, t]] of second.entries()) write(t, await read(first[i]![1]));
    for (const [name, t] of other.state()) write(t, await read(one.state().get(name) as Tensor));
    const [a, b, c] = someGradients(random);
    train({ a, b, c, hyper: one.hyperparameters(3, 0.1) });
    trainOther({ a, b, c, hyper: one.hyperparameters(3, 0.1) });
    expect(await readAll(second.map(([, t]) => t))).toEqual(await readAll(first.map(([, t]) => t)));
  });
});

describe.each([
  ...rules,
  ['AdamW', (d, named, o) => new AdamW(d, named, o)],
  ['Muon', (d, named, o) => new Muon(d, named, o)],
] as readonly [string, Make][])('%s', (title, make) => {
  it('refuses hyperparameters of another shape, with which it would not train', async () => {
    const optimizer = make(device.current, [['w', variable(device.current, [2, 2])]], {});
    const [name] = title.split(/\W/) as [string];
    const refused = (found: string) => {
      return `ShapeError: ${name}: hyper must have the shape [hyperparameterCount]; got hyper ${found}`;
    };
    const said = (work: Promise<unknown>) => work.then(() => 'nothing', String);
    for (const shape of [[], [1], [3], [2, 2], [1, 4], [20]]) {
      const wanted = refused(`[${shape.join(', ')}]`);
      const inputs = { g: [2, 2], hyper: shape };
      expect(await said(step(device.current, inputs, ({ g, hyper }) => optimizer.update([g], hyper)))).toBe(wanted);
      expect(await said(step(device.current, inputs, ({ hyper }) => optimizer.apply(hyper)))).toBe(wanted);
      const values = tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
      const g = tensor(device.current, [1, 2, 3, 4], [2, 2]);
      const compiled = jit(device.current, (g, hyper) => optimizer.update([g], hyper));
      expect(await said(compiled(g, values))).toBe(wanted);
      expect(await said(run(device.current, () => optimizer.update([g], values)))).toBe(wanted);
    }
    for (const hyper of [0.1, undefined, null, [0.1, 0, 0, 1]]) {
      const work = step(device.current, { g: [2, 2] }, ({ g }) => optimizer.update([g], hyper as never));
      expect(await said(work)).toBe(refused('[undefined]'));
    }
  });
});

describe('optimizers', () => {
  it('say what stands in the place of the gradients', async () => {
    const named: [string, Tensor][] = ['w', 'b'].map((name) => [name, variable(device.current, [2])]);
    const optimizer = new SGD(device.current, named);
    for (const [given, found] of [
      [tensor(device.current, 1), 'a Tensor'],
      [undefined, 'undefined'],
      [[], '0'],
    ] as const) {
      await expect(
        step(device.current, { hyper: [4] }, ({ hyper }) => optimizer.update(given as never, hyper)),
      ).rejects.toThrow(`optimizer: got ${found} for the gradients of 2 parameters`);
    }
  });

  it('have groups by being several, each with its options and rate, in one step', async () => {
    const named = parametersFrom(seeded(10));
    const before = await readAll(named.map(([, t]) => t));
    const body = new SGD(
      device.current,
      named.filter(([name]) => name.startsWith('a.')),
      { weightDecay: 0.5 },
    );
    const head = new SGD(
      device.current,
      named.filter(([name]) => name.startsWith('b.')),
    );
    using train = await step(device.current, { ...inputs, ofHead: [4] }, ({ a, b, c, hyper, ofHead }) => {
      body.update([a, b], hyper);
      return head.update([c], ofHead);
    });
    const [a, b, c] = someGradients(seeded(11));
    train({ a, b, c, hyper: body.hyperparameters(1, 0.1), ofHead: head.hyperparameters(1, 0.01) });
    const after = await readAll(named.map(([, t]) => t));
    close(
      after[0]!,
      Array.from(before[0]!, (p, i) => p - 0.1 * (a[i]! + 0.5 * p)),
      1e-6,
      'decays',
    );
    close(
      after[1]!,
      Array.from(before[1]!, (p, i) => p - 0.1 * b[i]!),
      1e-6,
      'does not decay',
    );
    close(
      after[2]!,
      Array.from(before[2]!, (p, i) => p - 0.01 * c[i]!),
      1e-6,
      'at a rate of its own',
    );
  });

  it('clip gradients by value where these are clamped', async () => {
    const named = parametersFrom(seeded(12));
    const before = await readAll(named.map(([, t]) => t));
    const optimizer = new SGD(device.current, named);
    using train = await step(device.current, inputs, ({ a, b, c, hyper }) => {
      return optimizer.update(
        [a, b, c].map((g) => clamp(g, -0.5, 0.5)),
        hyper,
      );
    });
    const [a, b, c] = someGradients(seeded(13));
    train({ a, b, c, hyper: optimizer.hyperparameters(1, 1) });
    const after = await readAll(named.map(([, t]) => t));
    close(
      after[0]!,
      Array.from(before[0]!, (p, i) => p - Math.max(-0.5, Math.min(0.5, a[i]!))),
      1e-6,
      'clamped',
    );
  });

  it('refuse numbers that make nonsense of every update', () => {
    const named = (): [string, Tensor][] => [['w', variable(device.current, [1, 1])]];
    expect(() => new Adam(device.current, named(), { beta2: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Adam: beta2 must be at least 0 and below 1; it is 1]`,
    );
    expect(() => new Lion(device.current, named(), { weightDecay: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Lion: weightDecay must be a finite number, 0 or more; it is -1]`,
    );
    expect(() => new SGD(device.current, named(), { momentum: null as never })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: momentum must be a finite number, 0 or more; it is null]`,
    );
    expect(() => new RMSProp(device.current, named(), { alpha: Number.NaN })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: RMSProp: alpha must be at least 0 and below 1; it is NaN]`,
    );
    expect(() => new SGD(device.current, named(), { momentum: -0.9 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: momentum must be a finite number, 0 or more; it is -0.9]`,
    );
    expect(() => new SGD(device.current, named(), { nesterov: true })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: nesterov wants momentum and no dampening; got momentum 0, dampening 0]`,
    );
    expect(() => new SGD(device.current, named(), { maxNorm: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: maxNorm must be above 0; it is 0]`,
    );
    const optimizer = new SGD(device.current, named());
    expect(() => optimizer.hyperparameters(0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: steps are counted 1, 2, …; t is 0]`,
    );
    expect(() => optimizer.hyperparameters(1, Number.NaN)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SGD: the learning rate must be a finite number, 0 or more; it is NaN]`,
    );
    expect(() => optimizer.hyperparameters(1, -0.1)).toThrow(
      'SGD: the learning rate must be a finite number, 0 or more; it is -0.1',
    );
    expect([...optimizer.hyperparameters(1, 0)]).toEqual([0, 1, 0, 1]);
  });

  it('refuse options that they do not have, and leave parameters as they were', () => {
    const named: [string, Tensor][] = [['w', variable(device.current, [1, 1])]];
    const refused: [make: () => unknown, message: string][] = [
      [
        () => new SGD(device.current, named, { weight_decay: 0.1 } as never),
        "SGD: options come by name: { momentum, dampening, weightDecay, nesterov, maxNorm, bufferBytes, bucketBytes, decays }; there is no 'weight_decay'",
      ],
      [() => new AdamW(device.current, named, { betas: [0.9, 0.999] } as never), "there is no 'betas'"],
      [() => new Lion(device.current, named, { eps: 1e-8 } as never), "there is no 'eps'"],
      [
        () => new AdamW(device.current, named, 1e-3 as never),
        'AdamW: options come by name: { beta1, beta2, eps, weightDecay, maxNorm, bufferBytes, bucketBytes, decays }; got the number 0.001',
      ],
      [() => new AdamW(device.current, named, null as never), '; got null'],
      [
        () => new Adam(device.current, named, { lr: 1e-3 } as never),
        'Adam: the learning rate comes with every step: hyperparameters(t, lr)',
      ],
      [
        () => new Muon(device.current, named, { adjust: 'none' as never }),
        "Muon: adjust must be 'spectral' or 'rms'; it is the string 'none'",
      ],
      [
        () => new Muon(device.current, named, { momentum: 1 }),
        'Muon: momentum must be at least 0 and below 1; it is 1',
      ],
    ];
    for (const [make, message] of refused) expect(make).toThrow(message);
    expect(new AdamW(device.current, named, { eps: undefined } as never).parameters).toEqual([named[0]?.[1]]);
  });
});
