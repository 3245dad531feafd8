// Each op is a WGSL expression in f32, and two of its gradients. What an expression names, its kernel binds.
import { type Binding, type Kernel, kernel, notNumbers, type Piece } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { checkFloats, checkTensors } from '../axis/index.ts';
import {
  type Broadcast,
  broadcast,
  broadcastParams,
  componentwise,
  type OperandLoad,
  operandOffsets,
} from './broadcast.ts';
import { stopGradient } from './stop-gradient.ts';

interface Binary {
  readonly name: string;
  readonly forward: string;
  /** dL/da and dL/db in terms of `dy`, `a`, `b`; just `dy` needs no launch. */
  readonly da: string;
  readonly db: string;
  readonly use?: readonly Piece[];
  /** What computes with a number in place of the second tensor. */
  readonly withNumber?: string;
}

/** NaN is taken before any number, and of two the first. */
function extremeOfTwo(name: string, choose: 'max' | 'min', wins: '>=' | '<='): Binary {
  const isFirst = `isNan(a) || (a ${wins} b && !isNan(b))`;
  return {
    name,
    use: [notNumbers],
    forward: `select(select(${choose}(a, b), b, isNan(b)), a, isNan(a))`,
    da: `select(0.0, dy, ${isFirst})`,
    db: `select(dy, 0.0, ${isFirst})`,
  };
}

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
  return applyBinary(sumOfTwo, a, b);
}

const sumOfTwo: Binary = { name: 'add', forward: 'a + b', da: 'dy', db: 'dy', withNumber: 'use addScalar(x, 1)' };

/** `a - b`, broadcasting as {@link add}. Gradients `dy` and `-dy`. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return applyBinary(difference, a, b);
}

const difference: Binary = { name: 'sub', forward: 'a - b', da: 'dy', db: '-dy', withNumber: 'use addScalar(x, -1)' };

/** `a · b` element by element, broadcasting as {@link add}. Gradients `dy · b` and `dy · a`. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return applyBinary(productOfTwo, a, b);
}

const productOfTwo: Binary = {
  name: 'mul',
  forward: 'a * b',
  da: 'dy * b',
  db: 'dy * a',
  withNumber: 'use scale(x, 2)',
};

/** `a / b` element by element, broadcasting as {@link add}. Gradients `dy / b` and `-dy · a / b²`. */
export function div(a: Tensor, b: Tensor): Tensor {
  return applyBinary(quotient, a, b);
}

const quotient: Binary = {
  name: 'div',
  forward: 'a / b',
  da: 'dy / b',
  db: '-dy * (a / b) / b',
  withNumber: 'use scale(x, 1 / 2)',
};

/**
 * The larger of `a` and `b`, broadcasting as {@link add}; NaN if one of them is. The gradient goes to it; of equal ones, and of
 * two NaN, to `a`.
 */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return applyBinary(larger, a, b);
}

const larger: Binary = /*#__PURE__*/ extremeOfTwo('maximum', 'max', '>=');

/** The smaller of `a` and `b`; as {@link maximum}. */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return applyBinary(smaller, a, b);
}

const smaller: Binary = /*#__PURE__*/ extremeOfTwo('minimum', 'min', '<=');

/**
 * `a` where the condition is not 0 (NaN is not), else `b`; all three broadcast. The gradient goes to the one that was taken.
 *
 * ```ts
 * await read(where(tensor(device, new Uint32Array([1, 0])), tensor(device, [1, 2]), tensor(device, 9))); // [1, 9]
 * ```
 *
 * @throws ShapeError when the shapes do not fit.
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  checkTensors('where', { condition, a, b }, 'for a number make a scalar: fill(device, [], 0)');
  checkFloats('where', { a, b });
  const plan = broadcast('where', a.device, { a: a.shape, b: b.shape, c: condition.shape }, { c: 'condition' });
  const y = empty(a, plan.shape);
  const c = stopGradient(condition);
  launchBroadcast(whereKernels.forward, plan, { a, b, c }, y);
  return differentiable(y, [a, b], (dy, sumTo) => {
    const da = empty(dy);
    launchBroadcast(whereKernels.da, plan, { dy, c }, da);
    const db = empty(dy);
    launchBroadcast(whereKernels.db, plan, { dy, c }, db);
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  });
}

function applyBinary({ name, forward, da, db, use, withNumber }: Binary, a: Tensor, b: Tensor): Tensor {
  checkTensors(name, { a, b }, withNumber ?? 'for a number make a scalar: fill(device, [], 1)');
  checkFloats(name, { a, b });
  const plan = broadcast(name, a.device, { a: a.shape, b: b.shape });
  const y = empty(a, plan.shape);
  launchBroadcast({ name, expression: forward, use }, plan, { a, b }, y);
  return differentiable(y, [a, b], (dy, sumTo) => {
    const towards = (suffix: 'a' | 'b', expression: string, x: Tensor) => {
      if (expression === 'dy') return sumTo(dy, x.shape);
      const dx = empty(dy);
      launchBroadcast({ name: `${name}-backward-${suffix}`, expression, use }, plan, { a, b, dy }, dx);
      return sumTo(dx, x.shape);
    };
    return [towards('a', da, a), towards('b', db, b)];
  });
}

type Read = 'a' | 'b' | 'c' | 'dy';

/**
 * Launches the kernel that writes `to` from an expression in some of a, b, c (broadcast) and dy (of the result's shape). There is
 * one for each load in which the operands are read.
 */
function launchBroadcast(
  { name, expression, use }: Fused,
  { elements, params, constants, loads }: Broadcast,
  tensors: Readonly<Partial<Record<Read, Tensor>>>,
  to: Tensor,
): void {
  const names = (['a', 'b', 'c', 'dy'] as const).filter((one) => new RegExp(`\\b${one}\\b`).test(expression));
  const bound = Object.fromEntries(names.map((one) => [one, tensors[one] as Tensor]));
  const inVec4s = loads.a !== 'scalar';
  const reads = names.map((one): Operand => {
    const isU32 = bound[one]?.dtype === 'u32';
    return { name: one, isU32, load: one === 'dy' ? (inVec4s ? 'vec4' : 'scalar') : loads[one] };
  });
  const key = [name, ...reads.map(({ load, isU32 }) => `${load}${isU32 ? ' of u32' : ''}`)].join();
  let made = broadcastKernels.get(key);
  if (!made) broadcastKernels.set(key, (made = makeBroadcast(name, expression, reads, inVec4s, use)));
  dispatch(made, { ...bound, to }, { ...elements, ...params }, constants);
}

interface Operand {
  readonly name: Read;
  readonly load: OperandLoad;
  readonly isU32: boolean;
}

type BroadcastKernel = Kernel<
  Record<string, Binding>,
  typeof elementParams & typeof broadcastParams,
  { WG: number; RANK: number }
>;
const broadcastKernels = new Map<string, BroadcastKernel>();

function makeBroadcast(
  name: string,
  expression: string,
  reads: readonly Operand[],
  inVec4s: boolean,
  use: readonly Piece[] = [],
): BroadcastKernel {
  const bind: Record<string, Binding> = {};
  for (const { name: one, load, isU32 } of reads) {
    bind[one] = isU32 ? 'read u32' : load === 'vec4' ? 'read vec4<T>' : 'read T';
  }
  bind['to'] = inVec4s ? 'write vec4<T>' : 'write T';
  const offset = { a: 'at.x', b: 'at.y', c: 'at.z', dy: inVec4s ? '4u * i' : 'i' } as const;
  const loadOf = ({ name: one, load, isU32 }: Operand): string => {
    const at = offset[one];
    if (load === 'scalar') return `f32(${one}[${at}])`;
    if (load === 'broadcast') return `vec4f(f32(${one}[${at}]))`;
    if (!isU32) return `vec4f(${one}[(${at}) / 4u])`;
    return `vec4f(${[0, 1, 2, 3].map((k) => `f32(${one}[${at} + ${k}u])`).join(', ')})`;
  };
  const names = reads.map(({ name: one }) => one);
  return kernel({
    name,
    bind,
    params: { ...elementParams, ...broadcastParams },
    override: { ...elementOverride, RANK: 1 },
    use: [operandOffsets, ...use],
    grid: elementGrid,
    wgsl: `
fn value(${names.map((one) => `${one}: f32`).join(', ')}) -> f32 { return ${expression}; }
${elementLoop(`    let at = operandOffsets(${inVec4s ? '4u * i' : 'i'});
${reads.map((one) => `    let ${one.name}In = ${loadOf(one)};`).join('\n')}
    to[i] = ${
      inVec4s
        ? `vec4<T>(${componentwise(
            'value',
            names.map((one) => `${one}In`),
          )})`
        : `T(value(${names.map((one) => `${one}In`).join(', ')}))`
    };`)}`,
  }) as unknown as BroadcastKernel;
}

/** A kernel by its name, which says what its expression is. */
interface Fused {
  readonly name: string;
  readonly expression: string;
  readonly use?: readonly Piece[] | undefined;
}

const whereKernels = {
  forward: { name: 'where', expression: 'select(b, a, isSomething(c))', use: [notNumbers] },
  da: { name: 'where-backward-a', expression: 'select(0.0, dy, isSomething(c))', use: [notNumbers] },
  db: { name: 'where-backward-b', expression: 'select(dy, 0.0, isSomething(c))', use: [notNumbers] },
} as const;
