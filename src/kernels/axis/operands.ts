import { checkTensors, Tensor } from '../../tensor/graph/index.ts';
import { type DType, describe, holds, isDType, isFloat, ShapeError, StepError } from '../../tensor/values/index.ts';
/** Numbers that come as something else, or not at all, would become 0. */
export function checkNumber(op: string, name: string, value: unknown, withTensor?: string): void {
  if (typeof value === 'number') return;
  const remedy = value instanceof Tensor && withTensor ? `; for a tensor use ${withTensor}(a, b)` : '';
  throw new ShapeError(op, `${name} must be a number; it is ${describe(value)}${remedy}`);
}

/** Floats of one dtype, on one device: for ops that are made of others, whose errors would name those. */
export function checkOperands(op: string, given: Readonly<Record<string, Tensor>>): void {
  checkFloats(op, given);
  const [first, ...others] = Object.entries(given);
  const other = others.find(([, { device }]) => device !== first?.[1].device);
  if (other) throw new StepError(`${op}: '${other[0]}' is on another device`);
}

/** A list where one is due, with an example of it. */
export function checkList(op: string, name: string, list: unknown, example: string): void {
  if (Array.isArray(list)) return;
  throw new ShapeError(op, `${name} must be a list, such as ${example}; got ${describe(list)}`);
}

/** Most arithmetic is for floats, all of one dtype. */
export function checkFloats(op: string, given: Readonly<Record<string, Tensor>>): void {
  checkTensors(op, given);
  meeting(op, given, /^$/, isFloat);
}

/**
 * The dtype in which tensors meet, as in PyTorch: bool gives way to all others, u32 to i32, and both to floats.
 *
 * @throws ShapeError where there is none, or it is not taken.
 */
export function commonType(
  op: string,
  given: Readonly<Record<string, Tensor>>,
  takes: (dtype: DType) => boolean = isDType,
): DType {
  return meeting(op, given, /^bool,|(,[iu]32)+$/g, takes);
}

function meeting(
  op: string,
  given: Readonly<Record<string, Tensor>>,
  gives: RegExp,
  takes: (dtype: DType) => boolean,
): DType {
  const tensors = Object.entries(given);
  // In order: bool, f16, f32, i32, u32.
  const dtypes = [...new Set(tensors.map(([, { dtype }]) => dtype))].sort();
  const dtype = dtypes.join().replace(gives, '') as DType;
  if (isDType(dtype) && takes(dtype)) return dtype;
  const rule = isDType(dtype) ? "floats are needed: cast(x, 'f32')" : 'one dtype is needed: cast one of them';
  const found = tensors.map(([name, { dtype }]) => `${name} is ${dtype}`);
  const shapes = Object.fromEntries(tensors.map(([name, { shape }]) => [name, shape]));
  throw new ShapeError(op, `${rule} (${found.join(', ')})`, shapes);
}

/** A number in the place of a tensor is of the dtype of the others. */
export function checkHeld(op: string, operands: Readonly<Record<string, unknown>>, dtype: DType): void {
  if (isFloat(dtype)) return;
  for (const [name, value] of Object.entries(operands)) {
    if (typeof value !== 'number' || holds[dtype](value)) continue;
    throw new ShapeError(op, `${name} is ${value}, which is no ${dtype}: cast(x, 'f32') meets any number`);
  }
}

/** What comes behind the arguments of an op would be passed over. `undefined` is nothing: an argument that is handed on without a value. */
export function checkNoMore(op: string, more: readonly unknown[], takes: string): void {
  const other = more.find((one) => one !== undefined);
  if (other !== undefined) throw new ShapeError(op, `takes (${takes}) and no more; got ${describe(other)} behind them`);
}

/** A word of several: any other one would be taken for one of them. */
export function checkChoice(op: string, name: string, value: unknown, choices: readonly string[]): void {
  if (choices.some((choice) => choice === value)) return;
  throw new ShapeError(
    op,
    `${name} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}; it is ${describe(value)}`,
  );
}
