import type { Expression, Statement } from '../wgsl/index.ts';

// What a compiler knows before a kernel runs.

/** Whether it knows a value; `known`: whether it knows that of a name. */
export function isStatic(of: Expression, known: (name: string) => boolean): boolean {
  if (of.kind === 'number') return true;
  if (of.kind === 'name') return known(of.name);
  if (of.kind === 'binary') return isStatic(of.left, known) && isStatic(of.right, known);
  if (of.kind === 'unary') return isStatic(of.of, known);
  return of.kind === 'call' && of.args.length > 0 && of.args.every((arg) => isStatic(arg, known));
}

/** An index without what is added to it and known: instructions that load and store have room for that. */
export function withoutStatic(of: Expression, known: (part: Expression) => boolean): Expression {
  if (of.kind !== 'binary' || of.op !== '+') return of;
  if (known(of.right)) return withoutStatic(of.left, known);
  return known(of.left) ? withoutStatic(of.right, known) : of;
}

/** The counter of a loop that runs between constants: compilers unroll it, and know the counter in every turn. */
export function counterOf(
  { init, test, update }: Statement & { kind: 'loop' },
  known: (part: Expression) => boolean,
): string | undefined {
  if (init?.kind !== 'declare' || !init.value || test?.kind !== 'binary' || update?.kind !== 'assign') return undefined;
  const parts = [init.value, test.right, ...(update.value ? [update.value] : [])];
  return parts.every(known) ? init.name : undefined;
}
