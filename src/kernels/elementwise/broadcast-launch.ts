// Kernels that compute an expression of up to three operands, which broadcast, and of what arrives at the result.
import { type Binding, type Kernel, kernel, type Piece, type Scalar } from '../../gpu/index.ts';
import { dispatch, elementGrid, elementLoop, elementOverride, type Tensor } from '../../tensor/graph/index.ts';
import { type DType, isFloat } from '../../tensor/values/index.ts';
import { type Broadcast, componentwise, type OperandLoad, operandOffsets } from './broadcast.ts';

/** An operand of a pointwise op. A number is a param of the kernel, which a step keeps: what changes between calls must be a tensor. */
export type Operand = Tensor | number;

/** A kernel by its name, which says what its expression is. */
export interface Expression {
  readonly name: string;
  /**
   * WGSL in terms of a, b, c and dy. Each is u32 where it holds u32 or bool, i32 where it holds i32, else f32; but a and b are of one type, the
   * result's where that is f32, or else that which both have or become.
   */
  readonly expression: string;
  readonly use?: readonly Piece[] | undefined;
}

const names = ['a', 'b', 'c', 'dy'] as const;
type Name = (typeof names)[number];
type Operands = Readonly<Partial<Record<Name, Operand>>>;

/**
 * Launches the kernel that writes `to` from an expression in some of a, b, c (broadcast) and dy (of the result's shape). There is
 * one for each load in which the operands are read.
 */
export function launchBroadcast(
  of: Expression,
  { params, constants, loads }: Broadcast,
  operands: Operands,
  to: Tensor,
): void {
  const inVec4s = loads.a !== 'scalar';
  const own = (one: Name): Scalar | undefined => scalarOf((operands[one] as Tensor | undefined)?.dtype);
  const both = [scalarOf(to.dtype), own('a'), own('b')];
  const common = both.includes('f32') ? 'f32' : both.includes('i32') ? 'i32' : 'u32';
  let named = namedBy.get(of.expression);
  if (!named) {
    named = names.filter((one) => new RegExp(`\\b${one}\\b`).test(of.expression));
    namedBy.set(of.expression, named);
  }
  const reads: Read[] = [];
  const types: Record<string, Scalar> = {};
  let given: Record<string, number> = params;
  let key = of.name + common;
  for (const one of named) {
    const x = operands[one];
    key += one;
    if (typeof x !== 'number') {
      const from = own(one) as Scalar;
      const load = one === 'dy' ? (inVec4s ? 'vec4' : 'scalar') : loads[one];
      key += from + load;
      reads.push({
        name: one,
        from: from === 'f32' ? 'T' : from,
        type: one === 'a' || one === 'b' ? common : from,
        load,
      });
    } else {
      types[one] = common;
      // In this order: what begins with what is spread is made ten times as slowly.
      given = { [one]: x, ...given };
    }
  }
  let made = broadcastKernels.get(key);
  if (!made) {
    broadcastKernels.set(
      key,
      (made = makeBroadcast(of, reads, types, Object.keys(params), inVec4s, both[0] as Scalar)),
    );
  }
  dispatch(made, { to, ...(operands as Record<string, Tensor>) }, given, constants);
}

/** Which operands an expression names. */
const namedBy = new Map<string, readonly Name[]>();

interface Read {
  readonly name: Name;
  /** In memory, and in the expression. */
  readonly from: Stored;
  readonly type: Scalar;
  readonly load: OperandLoad;
}

/** Floats lie in memory as T. */
type Stored = 'T' | 'i32' | 'u32';

/** What WGSL computes with. */
function scalarOf(dtype: DType | undefined): Scalar | undefined {
  return dtype && (isFloat(dtype) ? 'f32' : dtype === 'i32' ? dtype : 'u32');
}

type BroadcastKernel = Kernel<Record<string, Binding>, Record<string, Scalar>, { WG: number; RANK: number }>;
const broadcastKernels = new Map<string, BroadcastKernel>();

function makeBroadcast(
  { name, expression, use = [] }: Expression,
  reads: readonly Read[],
  numbers: Readonly<Record<string, Scalar>>,
  others: readonly string[],
  inVec4s: boolean,
  result: Scalar,
): BroadcastKernel {
  const loaded = (type: string): string => (inVec4s ? `vec4<${type}>` : type);
  const bind: Record<string, Binding> = {};
  const written = loaded(result === 'f32' ? 'T' : result);
  for (const { name: one, from, load } of reads) bind[one] = `read ${load === 'vec4' ? loaded(from) : from}` as Binding;
  bind['to'] = `write ${written}` as Binding;
  const offset = { a: 'at.x', b: 'at.y', c: 'at.z', dy: inVec4s ? '4u * i' : 'i' } as const;
  const inputs = reads.map((one) => one.name);
  return kernel({
    name,
    bind,
    params: { ...Object.fromEntries(others.map((one) => [one, 'u32' as const])), ...numbers },
    override: { ...elementOverride, RANK: 1 },
    use: [operandOffsets, ...use],
    grid: elementGrid as unknown as BroadcastKernel['grid'],
    wgsl: `
fn value(${reads.map((one) => `${one.name}: ${one.type}`).join(', ')}) -> ${result} {
${Object.keys(numbers)
  .map((one) => `  let ${one} = params.${one};\n`)
  .join('')}  return ${expression};
}
${elementLoop(`    let at = operandOffsets(${inVec4s ? '4u * i' : 'i'});
${reads
  .map(({ name: one, type, load }) => {
    const value = load === 'vec4' ? `${one}[(${offset[one]}) / 4u]` : `${type}(${one}[${offset[one]}])`;
    return `    let ${one} = ${loaded(type)}(${value});`;
  })
  .join('\n')}
    to[i] = ${written}(${inVec4s ? componentwise('value', inputs, result) : `value(${inputs.join()})`});`)}`,
  }) as unknown as BroadcastKernel;
}
