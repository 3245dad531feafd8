// Numbers of windows: one for both axes of an image, or one for each.
import { type Shape, ShapeError, shown } from '../../tensor/values/index.ts';

/** One number for both axes of an image, or `[down, across]`. */
export type Pair = number | readonly [down: number, across: number];

type Shapes = Readonly<Record<string, Shape>>;

const ranges = ['whole number, 0 or more', 'whole number above 0'] as const;

/** Both numbers of a pair. @throws ShapeError unless they are whole, and `least` or more. */
export function pairOf(op: string, name: string, value: unknown, least: 0 | 1, shapes: Shapes): [number, number] {
  if (!Array.isArray(value)) {
    checkWhole(op, name, value, least, shapes);
    return [value as number, value as number];
  }
  if (value.length !== 2 || !value.every((one) => isWhole(one, least))) {
    const rule = `the ${name} must be a ${ranges[least]}, or two of them, [down, across]`;
    throw new ShapeError(op, `${rule} ([${value.map(shown).join(', ')}])`, shapes);
  }
  return value as [number, number];
}

export function checkWhole(op: string, name: string, value: unknown, least: 0 | 1, shapes: Shapes): void {
  if (!isWhole(value, least))
    throw new ShapeError(op, `the ${name} must be a ${ranges[least]} (${shown(value)})`, shapes);
}

function isWhole(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least;
}

/** One number for the three axes of a volume, or `[through, down, across]`. */
export type Triple = number | readonly [through: number, down: number, across: number];

/** The three numbers. @throws ShapeError unless they are whole, and `least` or more. */
export function tripleOf(
  op: string,
  name: string,
  value: unknown,
  least: 0 | 1,
  shapes: Shapes,
): [number, number, number] {
  if (!Array.isArray(value)) {
    checkWhole(op, name, value, least, shapes);
    return [value as number, value as number, value as number];
  }
  if (value.length !== 3 || !value.every((one) => isWhole(one, least))) {
    const rule = `the ${name} must be a ${ranges[least]}, or three of them, [through, down, across]`;
    throw new ShapeError(op, `${rule} ([${value.map(shown).join(', ')}])`, shapes);
  }
  return value as [number, number, number];
}

/** In words: one number where both are equal. */
export function inWords([down, across]: readonly [number, number]): string {
  return down === across ? `${down}` : `${down} and ${across}`;
}

/** @throws ShapeError unless windows fit into the padded image, at least one down and across. */
export function checkFit(
  op: string,
  {
    rows,
    cols,
    high,
    wide,
    dilation,
    padding,
  }: Readonly<Record<'rows' | 'cols' | 'high' | 'wide', number>> &
    Readonly<Record<'dilation' | 'padding', readonly [number, number]>>,
  shapes: Shapes,
): void {
  if (rows > 0 && cols > 0) return;
  const dilated = inWords(dilation) === '1' ? '' : `, dilated by ${inWords(dilation)}`;
  const rule = `a window of ${high} × ${wide}${dilated} does not fit, with padding ${inWords(padding)}`;
  throw new ShapeError(op, rule, shapes);
}

/** How many windows of `length` fit along an axis with `around` places more, at both ends together. */
export function windowCount(axis: number, length: number, around: number, stride: number, dilation: number): number {
  return Math.floor((axis + around - dilation * (length - 1) - 1) / stride) + 1;
}
