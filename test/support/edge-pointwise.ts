import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import * as ops from './all-ops.ts';
import { filler, type Input, type Kind, type Trial, type Values, withGradients } from './edges.ts';

/** A function of one number and its derivative, or of several, with what arrives at each of them. */
export interface Scalar {
  readonly f: (x: number) => number;
  /** What arrives at x when `dy` arrives at f(x). Without: none flows. */
  readonly back?: (x: number, dy: number) => number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const { NaN: none } = Number;

/** erf by its Taylor series near 0, and far out by the continued fraction of erfc. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x) || a > 30) return Math.sign(x);
  if (a > 3) {
    let f = 0;
    for (let k = 60; k > 0; k--) f = k / 2 / (a + f);
    return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI)));
  }
  let term = x;
  let total = x;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

/** x times a factor between 0 and 1 that is 0 or 1 far out, where its own formula overflows. */
function gelu(factor: (x: number) => number, slope: (x: number) => number): Scalar {
  return {
    f: (x) => x * factor(x),
    // The second term is 0 far out, and NaN at ±∞ as in PyTorch.
    back: (x, dy) => dy * (factor(x) + (Math.abs(x) > 100 ? x * 0 : x * slope(x))),
  };
}

const cubic = (x: number) => Math.sqrt(8 / Math.PI) * (x + 0.044715 * x ** 3);
export const activations: Readonly<Record<ops.Activation, Scalar>> = {
  relu: {
    f: (x) => (x < 0 ? 0 : x),
    back: (x, dy) => (x <= 0 ? 0 : dy),
  },
  gelu: gelu(
    (x) => (1 + erf(x / Math.SQRT2)) / 2,
    (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI),
  ),
  'gelu-tanh': gelu(
    (x) => sigmoid(cubic(x)),
    (x) => sigmoid(cubic(x)) * (1 - sigmoid(cubic(x))) * Math.sqrt(8 / Math.PI) * (1 + 0.134145 * x * x),
  ),
  'quick-gelu': gelu(
    (x) => sigmoid(1.702 * x),
    (x) => 1.702 * sigmoid(1.702 * x) * (1 - sigmoid(1.702 * x)),
  ),
};

const sign = (x: number) => (Number.isNaN(x) ? none : Math.sign(x));
const clamped = (low: number, high: number): Scalar => ({
  f: (x) => Math.min(Math.max(x, low), high),
  back: (x, dy) => (x >= low && x <= high ? dy : 0),
});

const elu = (alpha: number): Scalar => ({
  f: (x) => (x > 0 ? x : alpha * Math.expm1(x)),
  back: (x, dy) => (x > 0 ? dy : dy * alpha * Math.exp(x)),
});

const unary: Readonly<Record<string, readonly (Scalar & { readonly op: (x: Tensor) => Tensor })[]>> = {
  abs: [{ op: ops.abs, f: Math.abs, back: (x, dy) => dy * sign(x) }],
  acos: [{ op: ops.acos, f: Math.acos, back: (x, dy) => -dy / Math.sqrt((1 - x) * (1 + x)) }],
  asin: [{ op: ops.asin, f: Math.asin, back: (x, dy) => dy / Math.sqrt((1 - x) * (1 + x)) }],
  atan: [{ op: ops.atan, f: Math.atan, back: (x, dy) => dy / (1 + x * x) }],
  addScalar: [
    { op: (x) => ops.addScalar(x, 0.25), f: (x) => x + 0.25, back: (_, dy) => dy },
    { op: (x) => ops.addScalar(x, none), f: () => none },
    { op: (x) => ops.addScalar(x, Number.NEGATIVE_INFINITY), f: (x) => x + Number.NEGATIVE_INFINITY },
  ],
  clamp: [
    { op: (x) => ops.clamp(x, -1, 0.5), ...clamped(-1, 0.5) },
    { op: (x) => ops.clamp(x, 0, Number.POSITIVE_INFINITY), ...clamped(0, Number.POSITIVE_INFINITY) },
    { op: (x) => ops.clamp(x, Number.NEGATIVE_INFINITY, 0), ...clamped(Number.NEGATIVE_INFINITY, 0) },
    { op: (x) => ops.clamp(x, 1, -1), ...clamped(1, -1) },
  ],
  celu: [
    { op: (x) => ops.celu(x), ...elu(1) },
    {
      op: (x) => ops.celu(x, 0.5),
      f: (x) => (x > 0 ? x : 0.5 * Math.expm1(2 * x)),
      back: (x, dy) => (x > 0 ? dy : dy * Math.exp(2 * x)),
    },
  ],
  ceil: [{ op: ops.ceil, f: Math.ceil }],
  cosh: [{ op: ops.cosh, f: Math.cosh, back: (x, dy) => dy * Math.sinh(x) }],
  cos: [{ op: ops.cos, f: Math.cos, back: (x, dy) => -dy * Math.sin(x) }],
  elu: [
    { op: (x) => ops.elu(x), ...elu(1) },
    { op: (x) => ops.elu(x, 0.5), ...elu(0.5) },
  ],
  erf: [{ op: ops.erf, f: erf, back: (x, dy) => dy * (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) }],
  expm1: [{ op: ops.expm1, f: Math.expm1, back: (x, dy) => dy * Math.exp(x) }],
  exp2: [{ op: ops.exp2, f: (x) => 2 ** x, back: (x, dy) => dy * 2 ** x * Math.LN2 }],
  floor: [{ op: ops.floor, f: Math.floor }],
  hardswish: [
    {
      op: ops.hardswish,
      f: (x) => x * (Math.min(Math.max(x + 3, 0), 6) / 6),
      back: (x, dy) => (x < -3 ? 0 : x > 3 ? dy : dy * (x / 3 + 0.5)),
    },
  ],
  hardsigmoid: [
    {
      op: ops.hardsigmoid,
      f: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
      back: (x, dy) => (Math.abs(x) < 3 ? dy / 6 : 0),
    },
  ],
  leakyRelu: [
    { op: (x) => ops.leakyRelu(x), f: (x) => (x > 0 ? x : 0.01 * x), back: (x, dy) => (x > 0 ? dy : 0.01 * dy) },
    { op: (x) => ops.leakyRelu(x, 0.3), f: (x) => (x > 0 ? x : 0.3 * x), back: (x, dy) => (x > 0 ? dy : 0.3 * dy) },
  ],
  log2: [{ op: ops.log2, f: Math.log2, back: (x, dy) => dy / x / Math.LN2 }],
  log10: [{ op: ops.log10, f: Math.log10, back: (x, dy) => dy / x / Math.LN10 }],
  log1p: [{ op: ops.log1p, f: Math.log1p, back: (x, dy) => dy / (1 + x) }],
  logSigmoid: [
    {
      op: ops.logSigmoid,
      f: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
      back: (x, dy) => dy * sigmoid(-x),
    },
  ],
  mish: [
    {
      op: ops.mish,
      ...gelu(
        (x) => Math.tanh(Math.log1p(Math.exp(x))),
        (x) => (1 - Math.tanh(Math.log1p(Math.exp(x))) ** 2) * sigmoid(x),
      ),
    },
  ],
  reciprocal: [{ op: ops.reciprocal, f: (x) => 1 / x, back: (x, dy) => -(dy / x) / x }],
  round: [{ op: ops.round, f: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)) }],
  rsqrt: [{ op: ops.rsqrt, f: (x) => 1 / Math.sqrt(x), back: (x, dy) => -0.5 * dy * (1 / Math.sqrt(x) / x) }],
  selu: [
    {
      op: ops.selu,
      f: (x) => (x > 0 ? 1.0507009873554805 * x : 1.7580993408473766 * Math.expm1(x)),
      back: (x, dy) => dy * (x > 0 ? 1.0507009873554805 : 1.7580993408473766 * Math.exp(x)),
    },
  ],
  silu: [
    {
      op: ops.silu,
      ...gelu(sigmoid, (x) => sigmoid(x) * sigmoid(-x)),
    },
  ],
  sinh: [{ op: ops.sinh, f: Math.sinh, back: (x, dy) => dy * Math.cosh(x) }],
  softsign: [
    {
      op: ops.softsign,
      f: (x) => x / (1 + Math.abs(x)),
      back: (x, dy) => (Number.isFinite(x) ? dy / (1 + Math.abs(x)) ** 2 : none),
    },
  ],
  trunc: [{ op: ops.trunc, f: Math.trunc }],
  sin: [{ op: ops.sin, f: Math.sin, back: (x, dy) => dy * Math.cos(x) }],
  softplus: [
    {
      op: ops.softplus,
      f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
      back: (x, dy) => dy * sigmoid(x),
    },
  ],
  tan: [{ op: ops.tan, f: Math.tan, back: (x, dy) => dy * (1 + Math.tan(x) ** 2) }],
  exp: [{ op: ops.exp, f: Math.exp, back: (x, dy) => dy * Math.exp(x) }],
  gelu: [
    { op: (x) => ops.gelu(x), ...activations.gelu },
    { op: (x) => ops.gelu(x, 'tanh'), ...activations['gelu-tanh'] },
    { op: (x) => ops.gelu(x, 'quick'), ...activations['quick-gelu'] },
  ],
  log: [{ op: ops.log, f: (x) => Math.log(x), back: (x, dy) => dy / x }],
  neg: [{ op: ops.neg, f: (x) => -x, back: (_, dy) => -dy }],
  relu: [{ op: ops.relu, ...activations.relu }],
  scale: [
    { op: (x) => ops.scale(x, -2.5), f: (x) => -2.5 * x, back: (_, dy) => -2.5 * dy },
    { op: (x) => ops.scale(x, none), f: () => none },
    { op: (x) => ops.scale(x, Number.POSITIVE_INFINITY), f: (x) => x * Number.POSITIVE_INFINITY },
  ],
  sigmoid: [{ op: ops.sigmoid, f: sigmoid, back: (x, dy) => dy * sigmoid(x) * sigmoid(-x) }],
  sign: [{ op: ops.sign, f: sign }],
  sqrt: [{ op: ops.sqrt, f: Math.sqrt, back: (x, dy) => dy / 2 / Math.sqrt(x) }],
  square: [{ op: ops.square, f: (x) => x * x, back: (x, dy) => 2 * x * dy }],
  tanh: [{ op: ops.tanh, f: Math.tanh, back: (x, dy) => dy * (1 - Math.tanh(x) ** 2) }],
};

const count = 1103;
/** Edge values at every component of vec4s and in several workgroups; the last vec4 is not whole. */
const spread = ({ edges }: Kind, from = 0): number[] => {
  const period = edges.length + 1 - (edges.length % 2);
  return Array.from(
    { length: count },
    (_, i) => (i % 5 === 0 ? edges[(i / 5 + from) % period] : undefined) ?? filler(i),
  );
};

export const unaryTrials: Readonly<Record<string, (kind: Kind) => Trial[]>> = Object.fromEntries(
  Object.entries(unary).map(([name, forms]) => [
    name,
    (kind) =>
      forms.flatMap(({ op, f, back }, form): Trial[] => {
        const what = `${name} ${form}`;
        const x = { shape: [count], data: spread(kind) };
        // A gradient that is found from the result has the error of that.
        const slack = kind.dtype === 'f16' ? 2e-3 : 1e-6;
        if (!back) return [{ what, inputs: [x], op: (t) => [op(t)], want: (v) => [Array.from(v, f)] }];
        // Below the least normal number it may be 0, and 0 · ∞ is NaN.
        const isPlain = (v: number) => v === 0 || (Math.abs(v) >= kind.min && Math.abs(v) < 100);
        const dy = spread(kind, 3).map((v) => (isPlain(v) ? v : 1));
        return [
          {
            what,
            inputs: [x],
            op: withGradients(op, [0], () => dy),
            want: (v) => [Array.from(v, f), Array.from(v, (one, i) => back(one, dy[i] as number))],
            slack,
          },
          // What arrives is infinite, or NaN.
          ...[Number.POSITIVE_INFINITY, none].map(
            (bad): Trial => ({
              what: `${what}, ${bad} arrives`,
              inputs: [{ shape: [6], data: [-1.5, 1.5, 0.25, -0.75, none, 0.5] }],
              op: withGradients(op, [0], () => new Array(6).fill(bad)),
              want: (v) => [Array.from(v, f), Array.from(v, (one) => back(one, bad))],
              slack,
            }),
          ),
        ];
      }),
  ]),
);

interface Binary {
  readonly op: (a: Tensor | number, b: Tensor | number) => Tensor;
  readonly f: (a: number, b: number) => number;
  readonly da: (a: number, b: number) => number;
  readonly db: (a: number, b: number) => number;
}

function extreme(op: Binary['op'], choose: (a: number, b: number) => number): Binary {
  const isFirst = (a: number, b: number) => Number.isNaN(a) || choose(a, b) === a;
  return { op, f: choose, da: (a, b) => Number(isFirst(a, b)), db: (a, b) => Number(!isFirst(a, b)) };
}

const binary: Readonly<Record<string, Binary>> = {
  add: { op: ops.add, f: (a, b) => a + b, da: () => 1, db: () => 1 },
  sub: { op: ops.sub, f: (a, b) => a - b, da: () => 1, db: () => -1 },
  mul: { op: ops.mul, f: (a, b) => a * b, da: (_, b) => b, db: (a) => a },
  div: { op: ops.div, f: (a, b) => a / b, da: (_, b) => 1 / b, db: (a, b) => -(a / b) / b },
  maximum: extreme(ops.maximum, (a, b) => Math.max(a, b)),
  minimum: extreme(ops.minimum, (a, b) => Math.min(a, b)),
  pow: {
    op: ops.pow,
    f: power,
    da: (a, b) => (b === 0 ? 0 : b * power(a, Math.fround(b - 1))),
    db: (a, b) => (a === 0 && b >= 0 ? 0 : power(a, b) * Math.log(a)),
  },
  remainder: {
    op: ops.remainder,
    f: remainder,
    da: () => 1,
    db: (a, b) => -Math.round((a - remainder(a, b)) / b),
  },
  prelu: {
    op: ops.prelu as Binary['op'],
    f: (a, b) => (a > 0 ? a : b * a),
    da: (a, b) => (a > 0 ? 1 : b),
    db: (a) => (a > 0 ? 0 : a),
  },
  hypot: { op: ops.hypot, f: Math.hypot, da: (a, b) => a / Math.hypot(a, b), db: (a, b) => b / Math.hypot(a, b) },
  logaddexp: {
    op: ops.logaddexp,
    f: (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
    da: (a, b) => sigmoid(a - b),
    db: (a, b) => sigmoid(b - a),
  },
  atan2: {
    op: ops.atan2,
    f: Math.atan2,
    da: (a, b) => b / (a * a + b * b),
    db: (a, b) => -a / (a * a + b * b),
  },
  floorDivide: { op: ops.floorDivide, f: floorDivided, da: () => 0, db: () => 0 },
};

/** As in C: 1 where a is 1 or b is 0, or -1 to an infinite power. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
}

/** As in Python, and a / b where b is 0. */
function floorDivided(a: number, b: number): number {
  if (Math.abs(b) === Number.POSITIVE_INFINITY && Number.isFinite(a)) return a !== 0 && a < 0 !== b < 0 ? -1 : 0;
  return Math.abs(b) < 2 ** -126 ? a / b : Math.round((a - remainder(a, b)) / b);
}

function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && Math.sign(rest) !== Math.sign(b) ? rest + b : rest;
}

/** Comparisons and logic, of two numbers or one. */
const masks: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
  logicalAnd: (a, b) => a !== 0 && b !== 0,
  logicalOr: (a, b) => a !== 0 || b !== 0,
  logicalXor: (a, b) => (a !== 0) !== (b !== 0),
  logicalNot: (a) => a === 0,
  isNaN: Number.isNaN,
  isFinite: Number.isFinite,
  isInf: (a) => Math.abs(a) === Number.POSITIVE_INFINITY,
};

export const maskTrials: Readonly<Record<string, (kind: Kind) => Trial[]>> = Object.fromEntries(
  Object.entries(masks).map(([name, holds]) => [
    name,
    (kind) => {
      const op = (ops as unknown as Record<string, (...xs: Tensor[]) => Tensor>)[name] as (...xs: Tensor[]) => Tensor;
      const isOne = op.length === 1;
      return [
        {
          what: name,
          inputs: isOne ? [{ shape: [count], data: spread(kind) }] : pairs(kind, 13).flat,
          op: (...xs) => [ops.cast(op(...xs), 'f32')],
          want: (a, b) => [Array.from(a as Values, (one, i) => Number(holds(one, (b?.[i] ?? 0) as number)))],
        },
      ];
    },
  ]),
);

/** Each of `n` edge values with each, as two tensors of n² numbers, or as a column and a row. */
function pairs({ edges }: Kind, n: number): { flat: Input[]; stretched: Input[] } {
  const some = Array.from({ length: n }, (_, i) => edges[i] ?? filler(i));
  const flat = [some.flatMap((a) => some.map(() => a)), some.flatMap(() => some)];
  return {
    flat: flat.map((data) => ({ shape: [n * n], data })),
    stretched: [
      { shape: [n, 1], data: some },
      { shape: [n], data: some },
    ],
  };
}

export const binaryTrials: Readonly<Record<string, (kind: Kind) => Trial[]>> = Object.fromEntries(
  Object.entries(binary).map(([name, { op, f, da, db }]) => [
    name,
    (kind) => {
      const both = (g: Binary['f'], a: Values, b: Values) => Array.from(a, (one, i) => g(one, b[i] as number));
      const all = (a: Values, b: Values) => Array.from(a).flatMap((one) => Array.from(b, (other) => f(one, other)));
      return [
        {
          what: `${name} of as many`,
          inputs: pairs(kind, 13).flat,
          op: withGradients(op as (...xs: Tensor[]) => Tensor, [0, 1]),
          want: (a, b) => [
            both(f, a as Values, b as Values),
            both(da, a as Values, b as Values),
            both(db, a as Values, b as Values),
          ],
        },
        ...[none, Number.NEGATIVE_INFINITY, 0, -1.5].map((number): Trial => {
          return {
            what: `${name} with ${number}`,
            inputs: [{ shape: [count], data: spread(kind) }],
            op: (x) => [op(x as Tensor, number), op(number, x as Tensor)],
            want: (x) => [
              Array.from(x as Values, (one) => f(one, number)),
              Array.from(x as Values, (one) => f(number, one)),
            ],
          };
        }),
        // Rows of whole vec4s, and not.
        ...[12, 13].map((n): Trial => {
          return {
            what: `${name} of a column and a row of ${n}`,
            inputs: pairs(kind, n).stretched,
            op: (a, b) => [op(a as Tensor, b as Tensor)],
            want: (a, b) => [all(a as Values, b as Values)],
          };
        }),
      ];
    },
  ]),
);

/** Between a and b, from the nearer end. */
const between = (a: number, b: number, c: number) => (Math.abs(c) < 0.5 ? a + c * (b - a) : b - (b - a) * (1 - c));

export function lerpTrials(kind: Kind): Trial[] {
  const inputs = [0, 4, 7].map((from) => ({ shape: [count], data: spread(kind, from) }));
  // Beside numbers whose differences and products overflow in float, too, only where they do in the reference.
  const plain = inputs.map((x) => ({
    ...x,
    data: x.data.map((v) => (Math.abs(v) < 100 || !Number.isFinite(v) ? v : 7)),
  }));
  return [
    {
      what: 'lerp',
      inputs: plain,
      op: withGradients((a, b, c) => ops.lerp(a as Tensor, b as Tensor, c as Tensor), [0, 1, 2]),
      want: (...xs) => {
        const each = (f: (a: number, b: number, c: number) => number) =>
          Array.from(xs[0] as Values, (a, i) => f(a, xs[1]?.[i] as number, xs[2]?.[i] as number));
        return [each(between), each((_a, _b, c) => 1 - c), each((_a, _b, c) => c), each((a, b) => b - a)];
      },
    },
  ];
}

export function gluTrials(kind: Kind): Trial[] {
  const half = (count - 1) / 2;
  return [
    {
      what: 'glu',
      inputs: [{ shape: [2 * half], data: spread(kind).slice(0, 2 * half) }],
      op: withGradients((x) => ops.glu(x as Tensor), [0]),
      want: (x) => {
        const [a, b] = [Array.from(x as Values).slice(0, half), Array.from(x as Values).slice(half)];
        const gates = b.map(sigmoid);
        return [
          a.map((v, i) => v * (gates[i] as number)),
          [...gates, ...a.map((v, i) => v * ((gates[i] as number) * (1 - (gates[i] as number))))],
        ];
      },
    },
  ];
}

export function whereTrials(kind: Kind): Trial[] {
  const chosen = (c: Values, i: number) => c[i] !== 0;
  const c = spread(kind);
  return [
    {
      what: 'where',
      inputs: [c, spread(kind, 4), spread(kind, 7)].map((data) => ({ shape: [count], data })),
      op: withGradients((...[one, a, b]) => ops.where(one as Tensor, a as Tensor, b as Tensor), [1, 2]),
      want: (one, a, b) => [
        Array.from(c, (_, i) => (chosen(one as Values, i) ? (a as Values)[i] : (b as Values)[i]) as number),
        Array.from(c, (_, i) => Number(chosen(one as Values, i))),
        Array.from(c, (_, i) => Number(!chosen(one as Values, i))),
      ],
    },
  ];
}
