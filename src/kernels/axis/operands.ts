import { Tensor } from '../../tensor/graph/index.ts';
import { describe, ShapeError } from '../../tensor/values/index.ts';
/** Numbers that come as something else, or not at all, would become 0. */
export function checkNumber(op: string, name: string, value: unknown, withTensor?: string): void {
  if (typeof value === 'number') return;
  const remedy = value instanceof Tensor && withTensor ? `; for a tensor use ${withTensor}(a, b)` : '';
  throw new ShapeError(op, `${name} must be a number; it is ${describe(value)}${remedy}`);
}

/** What stands for a tensor and is none, with what to do instead. */
export function checkTensors(op: string, given: Readonly<Record<string, unknown>>, remedy: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value instanceof Tensor) continue;
    throw new ShapeError(op, `${name} must be a tensor; it is ${describe(value)}${remedy ? `; ${remedy}` : ''}`);
  }
}

/** Arithmetic is for floats, all of one dtype. */
export function checkFloats(op: string, given: Readonly<Record<string, Tensor>>): void {
  const dtypes = new Set(Object.values(given).map(({ dtype }) => dtype));
  const rule = dtypes.has('u32')
    ? 'u32 holds indices and bits, and has no arithmetic'
    : dtypes.size > 1 && 'one dtype is needed: cast one of them';
  if (!rule) return;
  const found = Object.entries(given).map(([name, { dtype }]) => `${name} is ${dtype}`);
  const shapes = Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape]));
  throw new ShapeError(op, `${rule} (${found.join(', ')})`, shapes);
}

/** Options come by name: a number in their place, or a name that is none, would be passed over. */
export function checkOptions(op: string, options: unknown, names: readonly string[]): void {
  const rule = `options come by name: { ${names.join(', ')} }`;
  if (typeof options !== 'object' || options === null || options instanceof Tensor || Array.isArray(options)) {
    throw new ShapeError(op, `${rule}; got ${describe(options)}`);
  }
  const other = Object.keys(options).find((name) => !names.includes(name));
  if (other !== undefined) throw new ShapeError(op, `${rule}; there is no '${other}'`);
}

/** A word of several: any other one would be taken for one of them. */
export function checkChoice(op: string, name: string, value: unknown, choices: readonly string[]): void {
  if (choices.some((choice) => choice === value)) return;
  throw new ShapeError(
    op,
    `${name} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}; it is ${describe(value)}`,
  );
}
