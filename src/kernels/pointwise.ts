import { type Kernel, kernel, type Piece } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { activationPiece, sigmoidPiece, tanhPiece } from './activation.ts';
import { broadcast, broadcastParams, operandOffsets, sumTo } from './broadcast.ts';

// One table each: the op as a WGSL expression in f32, and its gradient. What an expression names, its kernel binds.

interface Unary {
  /** In terms of `x`, and `p` and `q`, the numbers that the op takes. */
  readonly forward: string;
  /** dy/dx in terms of `x` or of `y`, not of both, so that only one of them is kept. None: no gradient flows. */
  readonly derivative?: string;
  readonly use?: readonly Piece[];
}

const unary = {
  abs: { forward: 'abs(x)', derivative: 'sign(x)' },
  exp: { forward: 'exp(x)', derivative: 'y' },
  log: { forward: 'log(x)', derivative: '1.0 / x' },
  sqrt: { forward: 'sqrt(x)', derivative: '0.5 / y' },
  square: { forward: 'x * x', derivative: '2.0 * x' },
  sign: { forward: 'sign(x)' },
  sigmoid: { forward: 'sigmoid(x)', derivative: 'y * (1.0 - y)', use: [sigmoidPiece] },
  tanh: { forward: 'tanhOf(x)', derivative: '1.0 - y * y', use: [tanhPiece] },
  relu: activation('relu'),
  gelu: activation('gelu'),
  'gelu-tanh': activation('gelu-tanh'),
  'quick-gelu': activation('quick-gelu'),
  clamp: { forward: 'clamp(x, params.p, params.q)', derivative: 'select(0.0, 1.0, x >= params.p && x <= params.q)' },
  scale: { forward: 'x * params.p', derivative: 'params.p' },
  'add-scalar': { forward: 'x + params.p', derivative: '1.0' },
} as const satisfies Record<string, Unary>;

function activation(form: Parameters<typeof activationPiece>[0]): Unary {
  return { forward: 'activate(x)', derivative: 'activateDerivative(x)', use: [activationPiece(form)] };
}

interface Binary {
  readonly forward: string;
  /** dL/da and dL/db in terms of `dy`, `a`, `b`; just `dy` needs no launch. */
  readonly da: string;
  readonly db: string;
}

const binary = {
  add: { forward: 'a + b', da: 'dy', db: 'dy' },
  sub: { forward: 'a - b', da: 'dy', db: '-dy' },
  mul: { forward: 'a * b', da: 'dy * b', db: 'dy * a' },
  div: { forward: 'a / b', da: 'dy / b', db: '-dy * (a / b) / b' },
  maximum: { forward: 'max(a, b)', da: 'select(0.0, dy, a >= b)', db: 'select(0.0, dy, a < b)' },
  minimum: { forward: 'min(a, b)', da: 'select(0.0, dy, a <= b)', db: 'select(0.0, dy, a > b)' },
} as const satisfies Record<string, Binary>;

/**
 * `a + b`. Shapes broadcast as in NumPy: aligned at the last axis, an axis of 1 stretches. The gradient is `dy` for both,
 * summed over what was stretched.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4], [2, 2]);
 * await read(add(x, tensor(device, [10, 20]))); // [11, 22, 13, 24]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return applyBinary('add', a, b);
}

/** `a - b`, broadcasting as {@link add}. Gradients `dy` and `-dy`. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return applyBinary('sub', a, b);
}

/** `a · b` element by element, broadcasting as {@link add}. Gradients `dy · b` and `dy · a`. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return applyBinary('mul', a, b);
}

/** `a / b` element by element, broadcasting as {@link add}. Gradients `dy / b` and `-dy · a / b²`. */
export function div(a: Tensor, b: Tensor): Tensor {
  return applyBinary('div', a, b);
}

/** The larger of `a` and `b`, broadcasting as {@link add}. The gradient goes to it; of equal ones, to `a`. */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return applyBinary('maximum', a, b);
}

/** The smaller of `a` and `b`, broadcasting as {@link add}. The gradient goes to it; of equal ones, to `a`. */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return applyBinary('minimum', a, b);
}

/** `-x`. */
export function neg(x: Tensor): Tensor {
  return applyUnary('scale', x, -1);
}

/** `|x|`. The gradient is `dy · sign(x)`: 0 at 0. */
export function abs(x: Tensor): Tensor {
  return applyUnary('abs', x);
}

/** `e^x`. The gradient is `dy · y`. */
export function exp(x: Tensor): Tensor {
  return applyUnary('exp', x);
}

/** Natural logarithm. The gradient is `dy / x`. */
export function log(x: Tensor): Tensor {
  return applyUnary('log', x);
}

/** `√x`. The gradient is `dy / 2y`. */
export function sqrt(x: Tensor): Tensor {
  return applyUnary('sqrt', x);
}

/** `x²`. The gradient is `2x · dy`. */
export function square(x: Tensor): Tensor {
  return applyUnary('square', x);
}

/** -1, 0 or 1. No gradient flows. */
export function sign(x: Tensor): Tensor {
  return applyUnary('sign', x);
}

/** `1 / (1 + e^-x)`. The gradient is `dy · y (1 - y)`. */
export function sigmoid(x: Tensor): Tensor {
  return applyUnary('sigmoid', x);
}

/** Hyperbolic tangent. The gradient is `dy · (1 - y²)`. */
export function tanh(x: Tensor): Tensor {
  return applyUnary('tanh', x);
}

/** `max(x, 0)`. The gradient is `dy` where `x > 0`. */
export function relu(x: Tensor): Tensor {
  return applyUnary('relu', x);
}

/**
 * GELU (https://arxiv.org/abs/1606.08415), `x Φ(x)` with the normal distribution Φ. The gradient is `dy · (Φ(x) + x φ(x))`.
 *
 * `erf` is exact, `tanh` is `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`, `quick` is CLIP's `x sigmoid(1.702 x)`.
 */
export function gelu(x: Tensor, form: 'erf' | 'tanh' | 'quick' = 'erf'): Tensor {
  return applyUnary(({ erf: 'gelu', tanh: 'gelu-tanh', quick: 'quick-gelu' } as const)[form], x);
}

/** `x`, but at least `low` and at most `high`. The gradient is `dy` inside, bounds included, and 0 outside. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  return applyUnary('clamp', x, low, high);
}

/** `factor · x` with a number, which a step keeps: a factor that changes must be a tensor, see {@link mul}. */
export function scale(x: Tensor, factor: number): Tensor {
  return applyUnary('scale', x, factor);
}

/** `x + value` with a number, which a step keeps: a value that changes must be a tensor, see {@link add}. */
export function addScalar(x: Tensor, value: number): Tensor {
  return applyUnary('add-scalar', x, value);
}

/**
 * `a` where the condition is not 0, else `b`; all three broadcast. The gradient goes to the one that was taken.
 *
 * ```ts
 * await read(where(tensor(device, new Uint32Array([1, 0])), tensor(device, [1, 2]), tensor(device, 9))); // [1, 9]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const { shape, params, constants } = broadcast('where', { a: a.shape, b: b.shape, condition: condition.shape });
  const kernels = whereKernels[condition.dtype === 'u32' ? 'u32' : 'T'];
  const y = empty(a, shape);
  dispatch(kernels.forward, { a, b, c: condition, y }, params, constants);
  return differentiable(y, [a, b], (dy) => {
    const da = empty(dy);
    dispatch(kernels.da, { dy, c: condition, dx: da }, params, constants);
    const db = empty(dy);
    dispatch(kernels.db, { dy, c: condition, dx: db }, params, constants);
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  });
}

function applyUnary(name: keyof typeof unary, x: Tensor, p = 0, q = 0): Tensor {
  const { forward, backward, keeps } = unaryKernels[name];
  const params = { n: x.size, p, q };
  const y = empty(x);
  dispatch(forward, { x, y }, params);
  if (!backward) return y;
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    dispatch(backward, { v: keeps === 'y' ? y : x, dy, dx }, params);
    return [dx];
  });
}

function applyBinary(name: keyof typeof binary, a: Tensor, b: Tensor): Tensor {
  const { shape, params, constants } = broadcast(name, { a: a.shape, b: b.shape });
  const kernels = binaryKernels[name];
  const y = empty(a, shape);
  dispatch(kernels.forward, { a, b, y }, params, constants);
  return differentiable(y, [a, b], (dy) => {
    const towards = (gradient: Kernel | undefined, x: Tensor) => {
      if (!gradient) return sumTo(dy, x.shape);
      const dx = empty(dy);
      const all: Record<string, Tensor> = { a, b, dy, dx };
      const bound = Object.fromEntries(gradient.names.map((binding) => [binding, all[binding] as Tensor]));
      dispatch(gradient, bound, params, constants);
      return sumTo(dx, x.shape);
    };
    return [towards(kernels.da, a), towards(kernels.db, b)];
  });
}

// An invocation takes EACH elements, a workgroup's width apart, so that neighbours read neighbours.
const override = { WG: 64, EACH: 4 } as const;

function grid({ n }: { n: number }, { WG, EACH }: { WG: number; EACH: number }): number[] {
  return [Math.ceil(n / (WG * EACH))];
}

function loop(body: string): string {
  return `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = flatGroup(g, size) * (WG * EACH) + l;
  for (var k = 0u; k < EACH; k++) {
    let i = first + k * WG;
    if (i < params.n) {
${body}
    }
  }
}`;
}

function makeUnary(name: string, { forward, derivative, use = [] }: Unary) {
  const params = { n: 'u32', p: 'f32', q: 'f32' } as const;
  const keeps = derivative && /\by\b/.test(derivative) ? 'y' : 'x';
  const shared = { params, override, use, grid };
  return {
    keeps,
    forward: kernel({
      ...shared,
      name,
      bind: { x: 'read T', y: 'write T' },
      wgsl: loop(`let x = f32(x[i]);\ny[i] = T(${forward});`),
    }),
    backward:
      derivative === undefined
        ? undefined
        : kernel({
            ...shared,
            name: `${name}-backward`,
            bind: { v: 'read T', dy: 'read T', dx: 'write T' },
            wgsl: loop(`let ${keeps} = f32(v[i]);\ndx[i] = T(f32(dy[i]) * (${derivative}));`),
          }),
  };
}

/** A kernel that writes `to` from an expression in some of a, b, c (broadcast) and dy (of the result's shape). */
function broadcastKernel<const N extends string, const Y extends string>(
  name: string,
  expression: string,
  names: readonly N[],
  to: Y,
  condition: 'u32' | 'T' = 'T',
) {
  const read = names.map((one) => [one, one === 'c' ? `read ${condition}` : 'read T']);
  const offset: Record<string, string> = { a: 'at.x', b: 'at.y', c: 'at.z', dy: 'i' };
  return kernel({
    name,
    bind: { ...Object.fromEntries(read), [to]: 'write T' } as Record<N, 'read T'> & Record<Y, 'write T'>,
    params: broadcastParams,
    override: { ...override, RANK: 1 },
    use: [operandOffsets],
    grid,
    wgsl: loop(
      `let at = operandOffsets(i);
${names.map((one) => `let ${one} = f32(${one}[${offset[one]}]);`).join('\n')}
${to}[i] = T(${expression});`,
    ),
  });
}

function makeBinary(name: string, { forward, da, db }: Binary) {
  const backward = (expression: string, suffix: string): Kernel | undefined => {
    if (expression === 'dy') return undefined;
    const names = (['a', 'b', 'dy'] as const).filter((one) => new RegExp(`\\b${one}\\b`).test(expression));
    return broadcastKernel(`${name}-backward-${suffix}`, expression, names, 'dx') as unknown as Kernel;
  };
  return {
    forward: broadcastKernel(name, forward, ['a', 'b'], 'y'),
    da: backward(da, 'a'),
    db: backward(db, 'b'),
  };
}

function makeWhere(condition: 'u32' | 'T') {
  return {
    forward: broadcastKernel('where', 'select(b, a, c != 0.0)', ['a', 'b', 'c'], 'y', condition),
    da: broadcastKernel('where-backward-a', 'select(0.0, dy, c != 0.0)', ['dy', 'c'], 'dx', condition),
    db: broadcastKernel('where-backward-b', 'select(dy, 0.0, c != 0.0)', ['dy', 'c'], 'dx', condition),
  };
}

function mapTable<K extends string, A, B>(table: Readonly<Record<K, A>>, make: (name: K, entry: A) => B): Record<K, B> {
  return Object.fromEntries(
    Object.entries(table).map(([name, entry]) => [name, make(name as K, entry as A)]),
  ) as Record<K, B>;
}

const unaryKernels = mapTable<keyof typeof unary, Unary, ReturnType<typeof makeUnary>>(unary, makeUnary);
const binaryKernels = mapTable<keyof typeof binary, Binary, ReturnType<typeof makeBinary>>(binary, makeBinary);
const whereKernels = { u32: makeWhere('u32'), T: makeWhere('T') };
