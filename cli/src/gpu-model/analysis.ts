import {
  type Block,
  bytesOf,
  type Declaration,
  type Expression,
  elementOf,
  type FunctionDeclaration,
  isFloat,
  type Module,
  memberOf,
  Names,
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
import { binary, builtIn, floatsOf, noOperations, type Operations } from './operations.ts';
import { type Named, Registers } from './registers.ts';
import type { Site, Stretch } from './sites.ts';

/** What can be said of a kernel from its source. */
export interface Analysis {
  readonly module: Module;
  readonly names: Names;
  readonly entry: FunctionDeclaration;
  readonly workgroupSize: readonly [number, number, number];
  readonly sites: readonly Site[];
  readonly blocks: readonly Stretch[];
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Private arrays with places that are known only when it runs, and their bytes. */
  readonly scratch: ReadonlyMap<string, number>;
  /** Arrays whose length the kernel asks for. */
  readonly measured: ReadonlySet<string>;
  /** An estimate: see {@link Registers}. */
  readonly registers: number;
}

/**
 * Reads a WGSL module: where it touches memory, and what it computes between. `overrides`: the constants of its pipeline.
 *
 * @throws WgslError for what is not WGSL, and where a pointer to storage or workgroup memory is passed on, which is not followed.
 */
export function analyse(source: string, module: Module, overrides: Readonly<Record<string, number>>): Analysis {
  const names = new Names(module, overrides);
  const entry = module.functions.find(({ attributes }) => attributes.some(({ name }) => name === 'compute'));
  if (!entry) throw new WgslError('WGSL: there is no @compute function');
  const walk = new Walk(source, names);
  walk.function(entry);
  const size = entry.attributes.find(({ name }) => name === 'workgroup_size')?.args ?? [];
  const [x = 1, y = 1, z = 1] = size.map((one) => names.valueOf(one) ?? 1);
  const shared = module.variables.filter(({ space }) => space === 'workgroup');
  const workgroupBytes = shared.reduce((sum, { type }) => sum + (type ? bytesOf(names.typeNamed(type)) : 0), 0);
  const { sites, blocks, scratch, registers, measured } = walk;
  return {
    ...{ module, names, entry, workgroupSize: [x, y, z], sites, blocks, workgroupBytes, scratch, measured },
    registers: registers.most(entry.name),
  };
}

class Walk {
  readonly sites: Site[] = [];
  readonly blocks: Stretch[] = [];
  readonly scratch: Map<string, number> = new Map();
  readonly measured: Set<string> = new Set();
  readonly registers: Registers = new Registers();
  readonly #source: string;
  readonly #names: Names;
  readonly #globals: Map<string, Variable>;
  readonly #walked = new Set<string>();
  #scopes: Map<string, Named>[] = [];
  #block = 0;
  #statement = 0;

  constructor(source: string, names: Names) {
    this.#source = source;
    this.#names = names;
    this.#globals = new Map(names.module.variables.map((variable) => [variable.name, variable]));
  }

  /** Walks a function once; what it calls is walked where it is called first. */
  function(declared: FunctionDeclaration): void {
    if (this.#walked.has(declared.name)) return;
    this.#walked.add(declared.name);
    const [scopes, block, statement] = [this.#scopes, this.#block, this.#statement];
    this.#scopes = [new Map()];
    const leave = this.registers.enter(declared.name);
    for (const { name, type, start } of declared.parameters)
      this.#declare(name, this.#names.typeNamed(type), start, false);
    this.#blockOf(declared.body);
    leave();
    [this.#scopes, this.#block, this.#statement] = [scopes, block, statement];
  }

  get #ops(): Operations {
    return (this.blocks[this.#block] as Stretch).ops;
  }

  #declare(name: string, type: Type, at: number, isStatic: boolean): void {
    (this.#scopes.at(-1) as Map<string, Named>).set(name, this.registers.declare(name, type, at, isStatic));
  }

  #lookUp(name: string): Named | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** Runs `inside` in a stretch of its own; gives its number. */
  #blockOf({ start, statements }: Block, also: () => void = () => {}): void {
    const outer = this.#block;
    this.#block = this.blocks.push({ ops: noOperations(), at: start + 1 }) - 1;
    also();
    this.#scopes.push(new Map());
    for (const statement of statements) this.#statementOf(statement);
    this.#scopes.pop();
    this.#block = outer;
  }

  #statementOf(statement: Statement): void {
    this.#statement = statement.start;
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
    this.#markUnrolled(statement);
    const header = () => {
      if (test) this.#value(test);
      if (update) this.#statementOf(update);
    };
    this.registers.loop(statement, () => this.#blockOf(body, header));
    this.#scopes.pop();
  }

  #declaration({ name, type, value, start, word }: Declaration): void {
    const of = value ? this.#value(value) : unknown;
    const isStatic = word === 'const' || (word === 'let' && value !== undefined && this.#isStatic(value));
    this.#declare(name, type ? this.#names.typeNamed(type) : of, start, isStatic);
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

  /** A counter that runs between constants: compilers unroll such a loop, and know the counter in every turn. */
  #markUnrolled({ init, test, update }: Statement & { kind: 'loop' }): void {
    if (init?.kind !== 'declare' || !init.value || test?.kind !== 'binary' || update?.kind !== 'assign') return;
    const isKnown = [init.value, test.right, ...(update.value ? [update.value] : [])].every((one) =>
      this.#isStatic(one),
    );
    const symbol = this.#lookUp(init.name);
    if (isKnown && symbol) symbol.isStatic = true;
  }

  /** Whether a compiler knows the value. */
  #isStatic(of: Expression): boolean {
    if (of.kind === 'number') return true;
    if (of.kind === 'name') return this.#lookUp(of.name)?.isStatic ?? this.#names.values.has(of.name);
    if (of.kind === 'binary') return this.#isStatic(of.left) && this.#isStatic(of.right);
    if (of.kind === 'unary') return this.#isStatic(of.of);
    return of.kind === 'call' && of.args.length > 0 && of.args.every((arg) => this.#isStatic(arg));
  }

  /** An index without what is added to it and known before: instructions that load and store have room for that. */
  #withoutStatic(of: Expression): Expression {
    if (of.kind !== 'binary' || of.op !== '+') return of;
    if (this.#isStatic(of.right)) return this.#withoutStatic(of.left);
    return this.#isStatic(of.left) ? this.#withoutStatic(of.right) : of;
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
    const isBuiltIn = /^(atomic|arrayLength$|workgroupUniformLoad$)/.test(callee.name);
    const types = args.map((arg) =>
      arg.kind === 'unary' && arg.op === '&'
        ? this.#address(arg.of, isBuiltIn ? callee.name : undefined)
        : this.#value(arg),
    );
    if (!declared) return builtIn(callee.name, this.#names.typeNamed(callee), types, this.#ops);
    this.function(declared);
    this.registers.call(declared.name, end);
    return declared.returns ? this.#names.typeNamed(declared.returns) : unknown;
  }

  #address(of: Expression, callee: string | undefined): Type {
    const root = rootOf(of);
    const variable = root && !this.#lookUp(root) ? this.#globals.get(root) : undefined;
    const isTraced = variable?.space === 'storage' || variable?.space === 'workgroup';
    if (!isTraced) return this.#access(of, 'update');
    if (callee === 'arrayLength') {
      this.measured.add(variable.name);
      return unknown;
    }
    if (callee === undefined) {
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
    if (base.kind === 'unary' && base.op === '&') base = base.of;
    const symbol = base.kind === 'name' ? this.#lookUp(base.name) : undefined;
    const variable = base.kind === 'name' && !symbol ? this.#globals.get(base.name) : undefined;
    if (symbol) this.registers.use(symbol, of.end);
    let type: Type;
    if (symbol) type = symbol.type;
    else if (variable) type = variable.type ? this.#names.typeNamed(variable.type) : unknown;
    else if (base.kind === 'name') type = this.#names.constantType(base);
    else type = this.#value(base);
    const isTraced = variable?.space === 'storage' || variable?.space === 'workgroup';
    const isArray = type.kind === 'array';
    let offset = 0;
    const dynamic: { at: Expression; bytes: number }[] = [];
    for (const one of steps) {
      if (one.kind === 'member') {
        const [next, bytes] = memberOf(type, one.name);
        [type, offset] = [next, offset + bytes];
      } else {
        this.#value(this.#withoutStatic(one.at));
        dynamic.push({ at: one.at, bytes: strideOf(type) });
        type = elementOf(type);
      }
    }
    if (variable && isTraced && type.kind !== 'array' && type !== unknown) {
      this.#site(variable, of, action, type, offset, dynamic);
    } else if (isArray && dynamic.some(({ at }) => !this.#isStatic(at)) && variable?.space !== 'uniform') {
      this.#ops.scratch += action === 'update' ? 2 : 1;
      const array = symbol?.type ?? (variable?.type ? this.#names.typeNamed(variable.type) : unknown);
      this.scratch.set((base as Expression & { kind: 'name' }).name, bytesOf(array));
      if (symbol) symbol.inScratch = true;
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
      whole: dynamic.length === 0 ? of : undefined,
      statement: this.#statement,
    });
  }
}

function rootOf(of: Expression): string | undefined {
  if (of.kind === 'name') return of.name;
  return of.kind === 'index' || of.kind === 'member' ? rootOf(of.base) : undefined;
}
