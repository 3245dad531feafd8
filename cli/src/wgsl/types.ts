import type { Expression, Module, Parameter, TypeName } from './syntax.ts';

export type ScalarName = 'f32' | 'f16' | 'i32' | 'u32' | 'bool';

export type Type =
  | { readonly kind: 'scalar'; readonly name: ScalarName }
  | { readonly kind: 'vec'; readonly count: number; readonly of: ScalarName }
  | { readonly kind: 'mat'; readonly columns: number; readonly rows: number; readonly of: ScalarName }
  /** Without a count: as long as what is bound. */
  | { readonly kind: 'array'; readonly of: Type; readonly count: number | undefined }
  | {
      readonly kind: 'struct';
      readonly name: string;
      readonly members: readonly Member[];
      readonly bytes: number;
      readonly align: number;
    }
  | { readonly kind: 'ptr'; readonly of: Type }
  | { readonly kind: 'unknown' };

export interface Member {
  readonly name: string;
  readonly type: Type;
  readonly offset: number;
  /** As `@builtin(…)` names it. */
  readonly builtin: string | undefined;
}

export const unknown: Type = { kind: 'unknown' };
export const scalar = (name: ScalarName): Type => ({ kind: 'scalar', name });
export const vec = (count: number, of: ScalarName): Type => (count === 1 ? scalar(of) : { kind: 'vec', count, of });

const scalars: Readonly<Record<string, ScalarName>> = { f32: 'f32', f16: 'f16', i32: 'i32', u32: 'u32', bool: 'bool' };
const suffixes: Readonly<Record<string, ScalarName>> = { f: 'f32', h: 'f16', i: 'i32', u: 'u32' };

/** What an element of a type is. */
export function scalarOf(type: Type): ScalarName | undefined {
  if (type.kind === 'scalar') return type.name;
  return type.kind === 'vec' || type.kind === 'mat' ? type.of : undefined;
}

export const isFloat = (type: Type): boolean => /^f/.test(scalarOf(type) ?? '');

/** Components: 4 of a vec4, all of an array. */
export function widthOf(type: Type): number {
  if (type.kind === 'vec') return type.count;
  if (type.kind === 'mat') return type.columns * type.rows;
  if (type.kind === 'array') return (type.count ?? 0) * widthOf(type.of);
  if (type.kind === 'struct') return type.members.reduce((sum, member) => sum + widthOf(member.type), 0);
  return type.kind === 'ptr' ? 0 : 1;
}

const roundUp = (n: number, to: number) => Math.ceil(n / to) * to;

/** Bytes in memory, by WGSL's rules. */
export function bytesOf(type: Type): number {
  if (type.kind === 'scalar') return type.name === 'f16' ? 2 : 4;
  if (type.kind === 'vec') return type.count * bytesOf(scalar(type.of));
  if (type.kind === 'mat')
    return type.columns * roundUp(bytesOf(vec(type.rows, type.of)), alignOf(vec(type.rows, type.of)));
  if (type.kind === 'array') return (type.count ?? 0) * strideOf(type);
  return type.kind === 'struct' ? type.bytes : 4;
}

/** Bytes from one element to the next, of what can be indexed. */
export function strideOf(type: Type): number {
  if (type.kind === 'array') return roundUp(bytesOf(type.of), alignOf(type.of));
  const element = elementOf(type);
  return roundUp(bytesOf(element), alignOf(element));
}

export function elementOf(type: Type): Type {
  if (type.kind === 'array') return type.of;
  if (type.kind === 'vec') return scalar(type.of);
  return type.kind === 'mat' ? vec(type.rows, type.of) : unknown;
}

function alignOf(type: Type): number {
  if (type.kind === 'vec') return (type.count === 3 ? 4 : type.count) * bytesOf(scalar(type.of));
  if (type.kind === 'mat') return alignOf(vec(type.rows, type.of));
  if (type.kind === 'array') return alignOf(type.of);
  return type.kind === 'struct' ? type.align : bytesOf(type);
}

/** A member of a struct, or components of a vector: type, and bytes from the beginning. */
export function memberOf(type: Type, name: string): readonly [Type, number] {
  if (type.kind === 'struct') {
    const member = type.members.find((one) => one.name === name);
    return member ? [member.type, member.offset] : [unknown, 0];
  }
  if (type.kind !== 'vec') return [unknown, 0];
  const places = [...name].map((letter) => Math.max('xyzw'.indexOf(letter), 'rgba'.indexOf(letter)));
  return [vec(places.length, type.of), Math.min(...places) * bytesOf(scalar(type.of))];
}

/** As it is written. */
export function textOf(type: Type): string {
  if (type.kind === 'vec') return `vec${type.count}<${type.of}>`;
  if (type.kind === 'mat') return `mat${type.columns}x${type.rows}<${type.of}>`;
  if (type.kind === 'array') return `array<${textOf(type.of)}${type.count === undefined ? '' : `, ${type.count}`}>`;
  if (type.kind === 'scalar' || type.kind === 'struct') return type.name;
  throw new Error(`internal: no value is of the type ${type.kind}`);
}

/** What names of a module mean, with the values that its overrides have in a launch. */
export class Names {
  readonly module: Module;
  /** Constants and overrides. */
  readonly values: ReadonlyMap<string, number>;
  /** What a name means where a function declares it: its value, if that is a constant's. */
  local: ((name: string) => { readonly value: number | undefined } | undefined) | undefined;

  constructor(module: Module, overrides: Readonly<Record<string, number>>) {
    this.module = module;
    const values = new Map<string, number>();
    this.values = values;
    for (const { name, value } of module.constants) {
      const known = overrides[name] ?? (value && this.valueOf(value));
      if (known !== undefined) values.set(name, known);
    }
  }

  /** The value of an expression of numbers, constants and overrides, where it is one. */
  valueOf(expression: Expression): number | undefined {
    if (expression.kind === 'number') {
      const [, hex] = /^(0x[0-9a-f]+)[iu]?$/i.exec(expression.text) ?? [];
      return hex ? Number(hex) : Number.parseFloat(expression.text);
    }
    if (expression.kind === 'name') {
      const local = this.local?.(expression.name);
      return local ? local.value : this.values.get(expression.name);
    }
    if (expression.kind === 'call') return this.#valueOfCall(expression);
    if (expression.kind === 'unary' && expression.op === '-') {
      const value = this.valueOf(expression.of);
      return value === undefined ? undefined : -value;
    }
    if (expression.kind !== 'binary') return undefined;
    const [left, right] = [this.valueOf(expression.left), this.valueOf(expression.right)];
    if (left === undefined || right === undefined) return undefined;
    const whole = (n: number) => (isFloat(this.constantType(expression.left)) ? n : Math.trunc(n));
    const results: Readonly<Record<string, number>> = {
      '+': left + right,
      '-': left - right,
      '*': left * right,
      '/': whole(left / right),
      '%': left % right,
      '<<': left * 2 ** right,
      '>>': Math.floor(left / 2 ** right),
      '&': (left & right) >>> 0,
      '|': (left | right) >>> 0,
      '^': (left ^ right) >>> 0,
    };
    return results[expression.op];
  }

  /** Conversions, and what bounds sizes. */
  #valueOfCall({ callee, args }: Expression & { kind: 'call' }): number | undefined {
    const values = args.map((arg) => this.valueOf(arg));
    if (values.length === 0 || !values.every((value) => value !== undefined)) return undefined;
    if (values.length === 1 && scalars[callee.name]) return values[0];
    if (callee.name === 'min') return Math.min(...values);
    return callee.name === 'max' ? Math.max(...values) : undefined;
  }

  /** The type of a number, or of a constant. */
  constantType(expression: Expression): Type {
    if (expression.kind === 'number') {
      const suffix = /^0x/i.test(expression.text) ? /[iu]$/ : /[iufh]$/;
      const [end] = suffix.exec(expression.text) ?? [];
      return scalar(end ? (suffixes[end] as ScalarName) : /[.eE]/.test(expression.text) ? 'f32' : 'i32');
    }
    if (expression.kind === 'name') {
      const constant = this.module.constants.find(({ name }) => name === expression.name);
      if (constant?.type) return this.typeNamed(constant.type);
      return constant?.value ? this.constantType(constant.value) : unknown;
    }
    if (expression.kind === 'call') {
      const first = expression.args[0];
      return this.madeBy(expression.callee, first && this.constantType(first), expression.args.length);
    }
    if (expression.kind === 'binary') return this.constantType(expression.left);
    return expression.kind === 'unary' ? this.constantType(expression.of) : unknown;
  }

  /** What `callee(first, …)` of so many arguments makes: without arguments of its own, `array` and `vec4` are of what they hold. */
  madeBy(callee: TypeName, first: Type | undefined, count: number): Type {
    if (callee.args.length === 0 && first !== undefined) {
      if (callee.name === 'array') return { kind: 'array', of: first, count };
      const [, wide] = /^vec([234])$/.exec(callee.name) ?? [];
      if (wide) return vec(Number(wide), scalarOf(first) ?? 'f32');
    }
    return this.typeNamed(callee);
  }

  /** The type that a name means; unknown where it is a function's. */
  typeNamed({ name, args }: TypeName): Type {
    const plain = scalars[name];
    if (plain) return scalar(plain);
    const alias = this.module.aliases.get(name);
    if (alias) return this.typeNamed(alias);
    const struct = this.module.structs.get(name);
    if (struct) return this.#struct(name, struct.members);
    const [, count, suffix] = /^vec([234])([iufh]?)$/.exec(name) ?? [];
    if (count) return vec(Number(count), suffix ? (suffixes[suffix] as ScalarName) : this.#scalarArgument(args[0]));
    const [, columns, rows, of] = /^mat([234])x([234])([fh]?)$/.exec(name) ?? [];
    if (columns) {
      const element = of ? (suffixes[of] as ScalarName) : this.#scalarArgument(args[0]);
      return { kind: 'mat', columns: Number(columns), rows: Number(rows), of: element };
    }
    if (name === 'array' && args[0]) {
      return { kind: 'array', of: this.#argument(args[0]), count: args[1] && this.valueOf(args[1]) };
    }
    if (name === 'ptr' && args[1]) return { kind: 'ptr', of: this.#argument(args[1]) };
    return (name === 'atomic' || name === 'bitcast') && args[0] ? this.#argument(args[0]) : unknown;
  }

  #scalarArgument(arg: Expression | undefined): ScalarName {
    return (arg && scalarOf(this.#argument(arg))) ?? 'f32';
  }

  #argument(arg: Expression): Type {
    if (arg.kind === 'name') return this.typeNamed({ ...arg, args: [] });
    return arg.kind === 'call' ? this.typeNamed(arg.callee) : unknown;
  }

  #struct(own: string, members: readonly Parameter[]): Type {
    let bytes = 0;
    let align = 1;
    const placed = members.map(({ name, type: named, attributes }): Member => {
      const [builtin] = attributes.find((one) => one.name === 'builtin')?.args ?? [];
      const type = this.typeNamed(named);
      const told = (attribute: string) => {
        const [value] = attributes.find((one) => one.name === attribute)?.args ?? [];
        return value && this.valueOf(value);
      };
      const own = told('align') ?? alignOf(type);
      const offset = roundUp(bytes, own);
      bytes = offset + (told('size') ?? bytesOf(type));
      align = Math.max(align, own);
      return { name, type, offset, builtin: builtin?.kind === 'name' ? builtin.name : undefined };
    });
    return { kind: 'struct', name: own, members: placed, bytes: roundUp(bytes, align), align };
  }
}
