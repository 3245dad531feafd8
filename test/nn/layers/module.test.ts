import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../../src/gpu/errors.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { Linear } from '../../../src/nn/layers/linear.ts';
import {
  countParameters,
  freeParameters,
  parameter,
  parameters,
  replaceParameters,
  withParameters,
} from '../../../src/nn/layers/module.ts';
import { permutation, random } from '../../../src/nn/layers/random.ts';
import { loadParameters, newWeights } from '../../../src/nn/layers/weights.ts';
import { Adam } from '../../../src/nn/optimizer/adam.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { Lion } from '../../../src/nn/optimizer/lion.ts';
import { Muon } from '../../../src/nn/optimizer/muon.ts';
import { RMSProp } from '../../../src/nn/optimizer/rms-prop.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { recompute } from '../../../src/tensor/graph/recompute.ts';
import { scan } from '../../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const weight = (...values: number[]) => parameter(device.current, [values.length], values);
const names = (module: object) => [...parameters(module).keys()];

describe('parameters', () => {
  const [a, b, c] = ['a', 'b', 'c'] as const;
  const modules: [string, () => object, string[]][] = [
    ['a class', () => new Linear(newWeights(device.current, 1), 2, 3), ['weight', 'bias']],
    ['a plain object', () => ({ a: weight(1), b: weight(2) }), [a, b]],
    ['an object without prototype', () => Object.assign(Object.create(null), { a: weight(1) }), [a]],
    ['an array', () => [weight(1), weight(2)], ['0', '1']],
    [
      'a map',
      () =>
        new Map([
          [a, weight(1)],
          [b, weight(2)],
        ]),
      [a, b],
    ],
    [
      'a map with other keys',
      () =>
        new Map<unknown, Tensor>([
          [7, weight(1)],
          [true, weight(2)],
        ]),
      ['7', 'true'],
    ],
    [
      'all of them in each other',
      () => ({
        a: [new Map([[b, { c: weight(1) }]]), [weight(2)]],
        b: new Map([[c, [weight(3)]]]),
        c: { a: { b: weight(4) } },
      }),
      ['a.0.b.c', 'a.1.0', 'b.c.0', 'c.a.b'],
    ],
    [
      'a class in an object in a map',
      () => new Map([[a, { b: new Linear(newWeights(device.current, 1), 2, 3) }]]),
      ['a.b.weight', 'a.b.bias'],
    ],
    [
      'names of Object.prototype',
      () =>
        new Map([
          ['constructor', weight(1)],
          ['__proto__', weight(2)],
        ]),
      ['constructor', '__proto__'],
    ],
    [
      'what holds none',
      () => ({ config: { dim: 4, text: 'x', none: null }, list: [1, 2], f: () => 1, bytes: new Uint8Array(9) }),
      [],
    ],
    ['nothing', () => ({}), []],
  ];
  it.each(modules)('of %s', (_, make, wanted) => {
    const module = make();
    expect(names(module)).toEqual(wanted);
    expect(countParameters(module)).toBe([...parameters(module).values()].reduce((n, t) => n + t.size, 0));
  });

  it('are found once, by the first name, also where modules know each other', () => {
    const w = weight(1);
    const shared = { w };
    expect(names({ a: shared, b: shared, c: [w], d: new Map([['w', w]]) })).toEqual(['a.w']);
    const parent: Record<string, unknown> = { w };
    parent['child'] = { parent, list: [parent], map: new Map([['parent', parent]]), other: weight(2) };
    expect(names(parent)).toEqual(['w', 'child.other']);
    const circle: unknown[] = [];
    circle.push(circle, new Map([['circle', circle]]));
    expect(names(circle)).toEqual([]);
  });

  it('are variables only, and each has a name of its own', () => {
    const w = weight(1);
    expect(names({ table: tensor(device.current, [1, 2]), w, made: mul(w, w) })).toEqual(['w']);
    expect(() =>
      parameters(
        new Map<string, unknown>([
          ['a.b', w],
          ['a', { b: weight(2) }],
        ]),
      ),
    ).toThrow("parameters: two parameters are called 'a.b'; rename a field or a key");
    expect(() => parameters({ all: new Set([w]) })).toThrow("parameters: 'all' is a Set, without names");
    for (const none of [w, undefined, null, 3, 'model', new Float32Array(2), device.current]) {
      expect(() => parameters(none as object)).toThrow(/^parameters: a module is an object, an array or a Map; got /);
    }
  });

  it.each(modules.slice(0, 9))('of %s are replaced, loaded and freed', async (_, make) => {
    const module = make();
    const before = parameters(module);
    const by = new Map(
      [...before.values()].map((t) => [t, parameter(device.current, t.shape, new Float32Array(t.size))]),
    );
    const undo = replaceParameters(module, by);
    expect([...parameters(module)]).toEqual([...before].map(([name, t]) => [name, by.get(t)]));
    undo();
    expect([...parameters(module)]).toEqual([...before]);

    const stored = new Map(
      [...before].map(([name, t]) => [
        name,
        { dtype: 'F32' as const, shape: t.shape, bytes: new Uint8Array(new Float32Array(t.size).fill(7).buffer) },
      ]),
    );
    loadParameters(module, stored as never, 'test');
    for (const t of before.values()) expect(new Set(await read(t))).toEqual(new Set([7]));
    freeParameters(module);
    for (const t of before.values()) await expect(read(t)).rejects.toThrow(/freed/);
  });
});

it('nothing cannot be loaded', () => {
  expect(() => loadParameters({}, new Map(), 'model.safetensors')).toThrow(
    "loadParameters: there are no parameters into which 'model.safetensors' could be loaded",
  );
});

describe('permutation', () => {
  it('is one of the numbers below n, the same for a seed', () => {
    expect([...permutation(5, random(7))].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(permutation(5, random(7))).toEqual(permutation(5, random(7)));
    expect(permutation(0, random(7))).toEqual(new Uint32Array(0));
  });

  it('tells a seed from a generator, and what is no length', () => {
    expect(() => permutation(5, 7 as never)).toThrow(
      'permutation: the generator, as random(seed), must be a function; got the number 7',
    );
    for (const n of [-1, 2.5, Number.NaN, '5']) {
      expect(() => permutation(n as number, random(7))).toThrow(
        /^permutation: n must be a whole number, 0 or more; it is /,
      );
    }
  });
});

describe('an optimizer', () => {
  it('has the settings of its rule, with defaults', () => {
    const named = () => [['w', weight(1)]] as const;
    const settings = [
      new AdamW(device.current, named(), { weightDecay: 0, maxNorm: 1 }),
      new Adam(device.current, named(), { eps: 1e-6 }),
      new SGD(device.current, named(), { momentum: 0.5 }),
      new RMSProp(device.current, named()),
      new Lion(device.current, named()),
      new Muon(device.current, [['w', parameter(device.current, [1, 2], [1, 2])]]),
    ].map((optimizer) => optimizer.settings);
    expect(settings).toEqual([
      { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, maxNorm: 1 },
      { beta1: 0.9, beta2: 0.999, eps: 1e-6, weightDecay: 0 },
      { momentum: 0.5, dampening: 0, nesterov: false, weightDecay: 0 },
      { alpha: 0.99, eps: 1e-8, momentum: 0, weightDecay: 0, centered: false },
      { beta1: 0.9, beta2: 0.99, weightDecay: 0 },
      { momentum: 0.95, weightDecay: 0.1, eps: 1e-7, iterations: 5, nesterov: true, adjust: 'spectral' },
    ]);
  });

  it('over nothing, or over what is no list of names and tensors, is an error', () => {
    for (const none of [new Map(), [], parameters({}), parameters({ config: { dim: 3 } })]) {
      expect(() => new AdamW(device.current, none)).toThrow(/^optimizer: there are no parameters to update/);
    }
    for (const wrong of [
      { w: weight(1) },
      undefined,
      null,
      [weight(1)],
      [['w']],
      [[1, weight(1)]],
      [['w', 1]],
      weight(1),
    ]) {
      expect(() => new AdamW(device.current, wrong as never)).toThrow(
        /^optimizer: give parameters\(model\), or such pairs; got /,
      );
    }
  });

  it('refuses numbers that make nonsense of every update', () => {
    const make = (options: object) => new AdamW(device.current, [['w', weight(1)]], options);
    const wrong: object[] = [
      { maxNorm: Number.NaN },
      { maxNorm: 0 },
      { beta1: 1 },
      { beta1: -0.1 },
      { beta2: 1 },
      { beta2: Number.NaN },
    ];
    wrong.push({ eps: -1 }, { eps: Number.NaN }, { weightDecay: -1 }, { weightDecay: Number.POSITIVE_INFINITY });
    for (const options of wrong) expect(() => make(options), JSON.stringify(options)).toThrow(ArgumentError);
    const optimizer = make({ beta1: 0, beta2: 0, eps: 0, weightDecay: 0 });
    for (const [t, lr, scale] of [
      [0, 1, 1],
      [-1, 1, 1],
      [1.5, 1, 1],
      [Number.NaN, 1, 1],
      [1, Number.NaN, 1],
      [1, -1e-3, 1],
      [1, Number.POSITIVE_INFINITY, 1],
      [1, 1, Number.NaN],
      [1, 1, Number.POSITIVE_INFINITY],
    ] as const) {
      expect(() => optimizer.hyperparameters(t, lr, scale)).toThrow(/^AdamW: /);
    }
    expect([...optimizer.hyperparameters(1, 0.5)]).toEqual([0.5, 0.5, 1, 1]);
  });
});

it('a variable whose dtype stands in the place of its values is refused', () => {
  expect(() => variable(device.current, [2], 'u32' as never)).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: variable: a dtype is the fourth argument: variable(device, shape, undefined, 'u32')]`,
  );
});

describe('withParameters', () => {
  it('records with other tensors, to which gradients flow; the module keeps its own', async () => {
    const layer = new Linear(newWeights(device.current, 1), 3, 2);
    const own = { weight: layer.weight, values: await read(layer.weight), bias: layer.bias };
    const a = weight(1, -2, 0.5); // [rank, inputs] and [outputs, rank], of rank 1
    const b = parameter(device.current, [2, 1], [3, -1]);
    const x = tensor(device.current, [[1, 2, 4]]);
    const adapted = () => new Map([['weight', add(layer.weight, mul(b, a))]]);
    const y = withParameters(layer, adapted(), () => layer.forward(x));
    expect([layer.weight, layer.bias]).toEqual([own.weight, own.bias]);
    const plain = await read(layer.forward(x));
    // b (a x) with a x = 1 - 4 + 2
    expect([...(await read(y))].map((v, i) => v - (plain[i] as number))).toEqual([
      expect.closeTo(-3, 5),
      expect.closeTo(1, 5),
    ]);
    const [da, db] = gradients(sum(y), [a, b]);
    expect([...(await read(da as Tensor)), ...(await read(db as Tensor))]).toEqual([2, 4, 8, -1, -1]);
    expect(await read(layer.weight)).toEqual(own.values);
  });

  it('is needed around gradients too, where a body is recorded again for them', async () => {
    const own = { w: weight(2, 3) };
    const w = weight(1, -2);
    const xs = tensor(device.current, [[0.5, 0.25]]);
    const bodies = {
      scan: () => scan((h, x) => [mul(add(h, x), own.w), undefined], tensor(device.current, [1, 1]), xs)[0],
      recompute: () => recompute((h) => mul(h, own.w), tensor(device.current, [1.5, 1.25])),
    };
    for (const [name, body] of Object.entries(bodies)) {
      const others = new Map([['w', mul(w, 3)]]);
      const y = withParameters(own, others, body);
      expect(() => gradients(sum(y), [w])).toThrow(`${name}: the body used a tensor [2], and another when it was`);
      const [dw] = withParameters(own, others, () => gradients(sum(body()), [w])) as [Tensor];
      expect([...(await read(dw))]).toEqual([4.5, 3.75]);
    }
  });

  it('says what does not fit', () => {
    const layer = new Linear(newWeights(device.current, 1), 3, 2);
    const record = (others: [string, Tensor][], body: () => unknown = () => 1) =>
      withParameters(layer, new Map(others), body);
    expect(() => record([['wieght', layer.weight]])).toThrowErrorMatchingInlineSnapshot(
      `[StepError: withParameters: the module has no parameter 'wieght'; they are called as 'weight']`,
    );
    expect(() => record([['weight', layer.bias as Tensor]])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: withParameters: what takes the place of 'weight' must have its shape; got parameter [2, 3], other [2]]`,
    );
    expect(() => record([['weight', [1, 2] as never]])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: withParameters: what takes the place of 'weight' must have its shape; got parameter [2, 3], other [undefined]]`,
    );
    expect(() => record([], async () => 1)).toThrowErrorMatchingInlineSnapshot(
      `[StepError: withParameters records what is called in it; give a function that is not async]`,
    );
    const fails = () => {
      throw new RangeError('of the body');
    };
    const { weight: before } = layer;
    expect(() => record([['weight', mul(before, 2)]], fails)).toThrow('of the body');
    expect(layer.weight).toBe(before);
  });
});
