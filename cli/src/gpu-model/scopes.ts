import type { Expression, Names, Type, Variable } from '../wgsl/index.ts';
import { isStatic } from './known.ts';
import { type Named, Registers } from './registers.ts';

/** What the names of a kernel mean where a walk is. */
export class Scopes {
  readonly registers: Registers = new Registers();
  readonly #names: Names;
  readonly #globals: ReadonlyMap<string, Variable>;
  #scopes: Map<string, Named>[] = [];

  constructor(names: Names) {
    this.#names = names;
    this.#globals = new Map(names.module.variables.map((variable) => [variable.name, variable]));
    names.local = (name) => this.lookUp(name);
  }

  /** Begins a function, which sees no names of its caller; gives what ends it. */
  enter(name: string): () => void {
    const outer = this.#scopes;
    this.#scopes = [new Map()];
    const leave = this.registers.enter(name);
    return () => {
      leave();
      this.#scopes = outer;
    };
  }

  /** Names that `inside` declares end with it. */
  within(inside: () => void): void {
    this.#scopes.push(new Map());
    inside();
    this.#scopes.pop();
  }

  declare(name: string, type: Type, at: number, isStatic: boolean, value?: number): Named {
    const symbol = this.registers.declare(name, type, at, isStatic, value);
    (this.#scopes.at(-1) as Map<string, Named>).set(name, symbol);
    return symbol;
  }

  lookUp(name: string): Named | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** A variable of the module, unless a function's name hides it. */
  global(name: string): Variable | undefined {
    return this.lookUp(name) ? undefined : this.#globals.get(name);
  }

  /** Whether a compiler knows the value. */
  isStatic(of: Expression): boolean {
    return isStatic(of, (name) => this.lookUp(name)?.isStatic ?? this.#names.values.has(name));
  }

  /** What a pointer points into: `&a`, `&a[i]`, or one with a name. */
  targetOf(of: Expression): Named['target'] {
    const isAddress = of.kind === 'unary' && of.op === '&';
    const root = isAddress ? rootOf(of.of) : of.kind === 'name' ? of.name : undefined;
    if (root === undefined) return undefined;
    const symbol = this.lookUp(root);
    return symbol?.target ?? (isAddress ? (symbol ?? this.#globals.get(root)) : undefined);
  }
}

export const isVariable = (of: Named | Variable): of is Variable => 'space' in of;

/** The name at the beginning of `x`, `x[i].y`, `(*x)[i]`. */
export function rootOf(of: Expression): string | undefined {
  if (of.kind === 'name') return of.name;
  if (of.kind === 'unary' && of.op === '*') return rootOf(of.of);
  return of.kind === 'index' || of.kind === 'member' ? rootOf(of.base) : undefined;
}
