import {
  type Block,
  bytesOf,
  type Declaration,
  type Expression,
  elementOf,
  type FunctionDeclaration,
  isFloat,
  memberOf,
  type Names,
  placeOf,
  type Span,
  type Statement,
  scalar,
  scalarOf,
  strideOf,
  type Type,
  unknown,
  type Variable,
  vec,
  WgslError,
  widthOf,
} from '../wgsl/index.ts';
import { counterOf, isStatic, withoutStatic } from './known.ts';
import { binary, builtIn, floatsOf, noOperations, type Operations } from './operations.ts';
import { type Named, Registers } from './registers.ts';
import type { Site, Stretch } from './sites.ts';

/** A walk through a kernel: what it does where, and what that costs. */
export class Walk {
  readonly sites: Site[] = [];
  readonly blocks: Stretch[] = [];
  readonly scratch: Map<string, number> = new Map();
  readonly measured: Set<string> = new Set();
  readonly returns: { at: number; body: number }[] = [];
  readonly registers: Registers = new Registers();
  readonly #source: string;
  readonly #names: Names;
  readonly #globals: Map<string, Variable>;
  /** Parameters of the functions that were walked. */
  readonly #walked = new Map<string, readonly Named[]>();
  #scopes: Map<string, Named>[] = [];
  #block = 0;
  /** Around the statement: where the function's body begins, and how many loops. */
  #body = 0;
  #loops = 0;

  constructor(source: string, names: Names) {
    this.#source = source;
    this.#names = names;
    this.#globals = new Map(names.module.variables.map((variable) => [variable.name, variable]));
    names.local = (name) => this.#lookUp(name);
  }

  /** Walks a function once; what it calls is walked where it is called first. `targets`: what its parameters point into. */
  function(declared: FunctionDeclaration, targets: readonly Named['target'][] = []): readonly Named[] {
    const walked = this.#walked.get(declared.name);
    if (walked) return walked;
    const outer = [this.#scopes, this.#block, this.#body, this.#loops] as const;
    [this.#scopes, this.#body, this.#loops] = [[new Map()], declared.body.start + 1, 0];
    const leave = this.registers.enter(declared.name);
    const parameters = declared.parameters.map(({ name, type, start }, i) => {
      const symbol = this.#declare(name, this.#names.typeNamed(type), start, false);
      symbol.target = targets[i];
      return symbol;
    });
    this.#walked.set(declared.name, parameters);
    this.#blockOf(declared.body);
    leave();
    [this.#scopes, this.#block, this.#body, this.#loops] = outer;
    return parameters;
  }

  get #ops(): Operations {
    return (this.blocks[this.#block] as Stretch).ops;
  }

  #declare(name: string, type: Type, at: number, isStatic: boolean, value?: number): Named {
    const symbol = this.registers.declare(name, type, at, isStatic, value);
    (this.#scopes.at(-1) as Map<string, Named>).set(name, symbol);
    return symbol;
  }

  #lookUp(name: string): Named | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** Runs `inside` in a stretch of its own; gives its number. */
  #blockOf({ start, statements }: Block, also: () => void = () => {}, loop?: Span): void {
    const outer = this.#block;
    this.#block = this.blocks.push({ ops: noOperations(), at: start + 1, loop, outer: loop && outer }) - 1;
    also();
    this.#scopes.push(new Map());
    for (const statement of statements) this.#statementOf(statement);
    this.#scopes.pop();
    this.#block = outer;
  }

  #statementOf(statement: Statement): void {
    switch (statement.kind) {
      case 'declare':
        this.#declaration(statement);
        break;
      case 'assign':
        this.#assignment(statement);
        break;
      case 'expression':
        this.#value(statement.value);
        break;
      case 'jump':
        if (this.#loops > 0 && this.#source.startsWith('return', statement.start)) {
          this.returns.push({ at: statement.start, body: this.#body });
        }
        if (statement.value) this.#value(statement.value);
        break;
      case 'block':
        this.#blockOf(statement.body);
        break;
      case 'switch':
        this.#value(statement.on);
        for (const one of statement.cases) this.#blockOf(one);
        break;
      case 'if':
        this.#value(statement.test);
        this.#blockOf(statement.then);
        if (statement.otherwise) this.#statementOf(statement.otherwise);
        break;
      case 'loop':
        this.#loop(statement);
    }
  }

  #loop(statement: Statement & { kind: 'loop' }): void {
    const { init, test, update, body } = statement;
    this.#scopes.push(new Map());
    if (init) this.#statementOf(init);
    const counter = counterOf(statement, (one) => this.#isStatic(one));
    const symbol = counter === undefined ? undefined : this.#lookUp(counter);
    if (symbol) symbol.isStatic = true;
    const header = () => {
      if (test) this.#value(test);
      if (update) this.#statementOf(update);
    };
    this.#loops++;
    this.registers.loop(statement, () => this.#blockOf(body, header, statement));
    this.#loops--;
    this.#scopes.pop();
  }

  #declaration({ name, type, value, start, word }: Declaration): void {
    const of = value ? this.#value(value) : unknown;
    const isStatic = word === 'const' || (word === 'let' && value !== undefined && this.#isStatic(value));
    const known = word === 'const' && value ? this.#names.valueOf(value) : undefined;
    const symbol = this.#declare(name, type ? this.#names.typeNamed(type) : of, start, isStatic, known);
    symbol.target = value && this.#targetOf(value);
  }

  #assignment({ op, to, value }: Statement & { kind: 'assign' }): void {
    const product = value?.kind === 'binary' && value.op === '*' && (op === '+=' || op === '-=');
    const from = value ? this.#value(value, product) : scalar('i32');
    if (!to) return;
    const of = this.#access(to, op === '=' ? 'store' : 'update');
    if (op === '=' || this.#isStatic(to)) return;
    const known = {
      fused: false,
      fuses: product,
      leftIsNumber: false,
      rightValue: value && this.#names.valueOf(value),
    };
    binary(op === '++' || op === '--' ? '+' : op.slice(0, -1), of, from, this.#ops, known);
  }

  /** Whether a compiler knows the value. */
  #isStatic(of: Expression): boolean {
    return isStatic(of, (name) => this.#lookUp(name)?.isStatic ?? this.#names.values.has(name));
  }

  /** Counts what an expression costs; gives its type. `fused`: it is a product that a sum around it takes in. */
  #value(of: Expression, fused = false): Type {
    if (of.kind === 'number') return this.#names.constantType(of);
    if (of.kind === 'name' || of.kind === 'index' || of.kind === 'member') return this.#access(of, 'load');
    if (of.kind === 'unary') {
      if (of.op === '&') return this.#address(of.of, undefined);
      const type = this.#value(of.of);
      if (of.op !== '*' && of.of.kind !== 'number')
        this.#ops[isFloat(type) ? floatsOf(type) : 'integers'] += widthOf(type);
      return of.op === '!' ? vec(widthOf(type), 'bool') : type;
    }
    if (of.kind === 'call') return this.#call(of);
    const isSum = of.op === '+' || of.op === '-';
    const product = isSum ? [of.right, of.left].find((one) => one.kind === 'binary' && one.op === '*') : undefined;
    const left = this.#value(of.left, of.left === product);
    const right = this.#value(of.right, of.right === product);
    // What is known before it runs costs nothing.
    if (this.#isStatic(of)) return widthOf(right) > widthOf(left) ? right : left;
    return binary(of.op, left, right, this.#ops, {
      fused,
      fuses: product !== undefined,
      leftIsNumber: of.left.kind === 'number',
      rightValue: this.#names.valueOf(of.right),
    });
  }

  #call({ callee, args, end }: Expression & { kind: 'call' }): Type {
    const declared = this.#names.module.functions.find(({ name }) => name === callee.name);
    const isBuiltIn = !declared && /^(atomic|arrayLength$|workgroupUniformLoad$)/.test(callee.name);
    const types = args.map((arg) =>
      arg.kind === 'unary' && arg.op === '&'
        ? this.#address(arg.of, isBuiltIn ? callee.name : undefined)
        : this.#value(arg),
    );
    if (!declared) return builtIn(callee.name, this.#names.madeBy(callee, types[0], types.length), types, this.#ops);
    const targets = args.map((arg) => this.#targetOf(arg));
    for (const [i, { target, inScratch, name }] of this.function(declared, targets).entries()) {
      const own = targets[i];
      if (own === undefined || own === target) continue;
      if (isVariable(own) && isTraced(own)) {
        throw new WgslError(
          `WGSL: ${declared.name} takes ${own.name} as ${name}, and elsewhere something else; pass the index instead`,
        );
      }
      if (inScratch) this.#keepInMemory(own);
    }
    this.registers.call(declared.name, end);
    return declared.returns ? this.#names.typeNamed(declared.returns) : unknown;
  }

  #address(of: Expression, callee: string | undefined): Type {
    const root = rootOf(of);
    const symbol = root === undefined ? undefined : this.#lookUp(root);
    const variable = symbol ? symbol.target : root && this.#globals.get(root);
    if (!variable || !isVariable(variable) || !isTraced(variable))
      return { kind: 'ptr', of: this.#access(of, 'update') };
    if (callee === 'arrayLength') {
      this.measured.add(variable.name);
      return unknown;
    }
    if (callee === undefined) {
      const type = variable.type ? this.#names.typeNamed(variable.type) : unknown;
      if (of.kind === 'name' && type.kind === 'array') {
        this.measured.add(variable.name);
        return { kind: 'ptr', of: type };
      }
      throw new WgslError(
        `WGSL: '&${this.#text(of)}' at ${placeOf(this.#source, of.start)} is passed on; pass the index instead`,
      );
    }
    const action =
      callee === 'workgroupUniformLoad' || callee === 'atomicLoad'
        ? 'load'
        : callee === 'atomicStore'
          ? 'store'
          : 'atomic';
    return this.#access(of, action);
  }

  /** What a pointer points into: `&a`, `&a[i]`, or one with a name. */
  #targetOf(of: Expression): Named['target'] {
    const isAddress = of.kind === 'unary' && of.op === '&';
    const root = isAddress ? rootOf(of.of) : of.kind === 'name' ? of.name : undefined;
    if (root === undefined) return undefined;
    const symbol = this.#lookUp(root);
    return symbol?.target ?? (isAddress ? (symbol ?? this.#globals.get(root)) : undefined);
  }

  /** An array with an index that is known only when it runs. */
  #keepInMemory(of: Named | Variable): void {
    const type = isVariable(of) ? of.type && this.#names.typeNamed(of.type) : of.type;
    this.scratch.set(of.name, type ? bytesOf(type) : 0);
    if (!isVariable(of)) of.inScratch = true;
  }

  #text({ start, end }: Span): string {
    return this.#source.slice(start, end);
  }

  /** `x`, `x[i]`, `x[i].y`, and so on: gives the type of the value. */
  #access(of: Expression, action: Site['action']): Type {
    const steps: (Expression & { kind: 'index' | 'member' })[] = [];
    let base = of;
    while (base.kind === 'index' || base.kind === 'member') {
      steps.unshift(base);
      base = base.base;
    }
    const isPointed = base.kind === 'unary' && base.op === '*';
    if (base.kind === 'unary' && /[&*]/.test(base.op)) base = base.of;
    const symbol = base.kind === 'name' ? this.#lookUp(base.name) : undefined;
    const target = symbol?.target;
    const variable =
      target && isVariable(target)
        ? target
        : base.kind === 'name' && !symbol
          ? this.#globals.get(base.name)
          : undefined;
    if (symbol) this.registers.use(symbol, of.end);
    if (target && !isVariable(target)) this.registers.use(target, of.end);
    let type: Type;
    if (symbol) type = symbol.type;
    else if (variable) type = variable.type ? this.#names.typeNamed(variable.type) : unknown;
    else if (base.kind === 'name') type = this.#names.constantType(base);
    else type = this.#value(base);
    // Members and elements of what a pointer points to can be had without the star.
    if (type.kind === 'ptr' && (isPointed || steps.length > 0)) type = type.of;
    const whole = type;
    let offset = 0;
    const dynamic: { at: Expression; bytes: number }[] = [];
    for (const one of steps) {
      if (one.kind === 'member') {
        const [next, bytes] = memberOf(type, one.name);
        [type, offset] = [next, offset + bytes];
      } else {
        this.#value(withoutStatic(one.at, (part) => this.#isStatic(part)));
        dynamic.push({ at: one.at, bytes: strideOf(type) });
        type = elementOf(type);
      }
    }
    if (variable && isTraced(variable)) {
      const single = whole.kind === 'array' ? undefined : base.end;
      if (type.kind !== 'array' && type.kind !== 'ptr' && type !== unknown)
        this.#site(variable, of, action, type, offset, dynamic, single);
    } else if (
      whole.kind === 'array' &&
      dynamic.some(({ at }) => !this.#isStatic(at)) &&
      variable?.space !== 'uniform'
    ) {
      this.#ops.scratch += action === 'update' ? 2 : 1;
      if (symbol) symbol.inScratch = true;
      const root = target ?? symbol ?? variable;
      if (root) this.#keepInMemory(root);
      else if (base.kind === 'name') this.scratch.set(base.name, bytesOf(whole));
    }
    return type;
  }

  #site(
    { name, space }: Variable,
    of: Expression,
    action: Site['action'],
    type: Type,
    offset: number,
    dynamic: readonly { readonly at: Expression; readonly bytes: number }[],
    single: number | undefined,
  ): void {
    const unit = bytesOf(scalar(scalarOf(type) ?? 'u32'));
    // Addresses of 64 bits; those of workgroup memory are small, and kept as bytes from turn to turn.
    if (space === 'storage') this.#ops.integers++;
    this.sites.push({
      ...{
        id: this.sites.length,
        variable: name,
        space: space as Site['space'],
        action,
        bytes: bytesOf(type),
        offset,
        unit,
      },
      ...{ block: this.#block, text: this.#text(of), line: this.#source.slice(0, of.start).split('\n').length },
      indices: dynamic.map(({ at, bytes }) => ({ at, units: bytes / unit })),
      single,
    });
  }
}

const isVariable = (of: Named | Variable): of is Variable => 'space' in of;
const isTraced = ({ space }: Variable): boolean => space === 'storage' || space === 'workgroup';

function rootOf(of: Expression): string | undefined {
  if (of.kind === 'name') return of.name;
  if (of.kind === 'unary' && of.op === '*') return rootOf(of.of);
  return of.kind === 'index' || of.kind === 'member' ? rootOf(of.base) : undefined;
}
