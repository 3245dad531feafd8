import {
  type Block,
  type Declaration,
  type Expression,
  type FunctionDeclaration,
  isFloat,
  type Span,
  type Statement,
  scalar,
  type Type,
  unknown,
  vec,
  WgslError,
  widthOf,
} from '../wgsl/index.ts';
import { Accesses, isTraced } from './accesses.ts';
import { mayLeave } from './jumps.ts';
import { counterOf } from './known.ts';
import { binary, builtIn, floatsOf, instructionsOf, noOperations, type Operations } from './operations.ts';
import type { Named, Place } from './registers.ts';
import { isVariable } from './scopes.ts';
import type { Call, Stretch } from './sites.ts';

/** Instructions to the right of `&&` up to which compilers compute them for all lanes, instead of a jump. */
const CHEAP = 4;

/** A walk through a kernel: what it does where, and what that costs. */
export class Walk extends Accesses {
  readonly calls: Call[] = [];
  /** Parameters of the functions that were walked. */
  readonly #walked = new Map<string, readonly Named[]>();

  /** Walks a function once; what it calls is walked where it is called first. `targets`: what its parameters point into. */
  function(declared: FunctionDeclaration, targets: readonly Named['target'][] = []): readonly Named[] {
    const walked = this.#walked.get(declared.name);
    if (walked) return walked;
    const outer = this.block;
    const leave = this.scopes.enter(declared.name);
    const parameters = declared.parameters.map(({ name, type, start }, i) => {
      const symbol = this.scopes.declare(name, this.names.typeNamed(type), start, false);
      const target = targets[i];
      symbol.target = target;
      if (target && isVariable(target) && isTraced(target)) {
        symbol.place = { point: this.points.length, offset: 0 };
        this.points.push({ id: this.points.length, indices: [], single: undefined, before: undefined });
      }
      return symbol;
    });
    this.#walked.set(declared.name, parameters);
    this.#blockOf(declared.body);
    leave();
    this.block = outer;
    return parameters;
  }

  /** From here on, what is counted is of a stretch of its own. */
  #begin(at: number, around: Partial<Pick<Stretch, 'loop' | 'choice'>> = {}): void {
    const { loop, choice } = around;
    this.block = this.blocks.push({ ops: noOperations(), at, loop, choice }) - 1;
  }

  /** Walks a block; `also`: what runs with it, before it. */
  #blockOf({ start, statements }: Block, also: () => void = () => {}, loop?: Span): void {
    const outer = this.block;
    this.#begin(start + 1, { loop });
    also();
    this.scopes.within(() => {
      for (const [i, statement] of statements.entries()) {
        this.#statementOf(statement);
        // Lanes that left do not come to what follows.
        if (i + 1 < statements.length && mayLeave(statement)) this.#begin(statement.end);
      }
    });
    this.block = outer;
  }

  /** Walks an expression that lanes come to only by a choice: to the right of `&&` and `||`, or in the test of an `else if`. */
  #chosen(of: Expression): Type {
    if (this.scopes.isStatic(of)) return this.value(of);
    const outer = this.block;
    this.#begin(of.start, { choice: of });
    const own = this.block;
    const type = this.value(of);
    this.block = outer;
    const { ops } = this.blocks[own] as Stretch;
    const isAlone = own === this.blocks.length - 1 && !this.sites.some(({ block }) => block === own);
    if (isAlone && instructionsOf(ops) <= CHEAP) {
      this.blocks.pop();
      for (const [name, count] of Object.entries(ops) as [keyof Operations, number][]) this.ops[name] += count;
    }
    return type;
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
        this.value(statement.value);
        break;
      case 'jump':
        if (statement.value) this.value(statement.value);
        break;
      case 'block':
        this.#blockOf(statement.body);
        break;
      case 'switch':
        this.value(statement.on);
        for (const one of statement.cases) this.#blockOf(one);
        break;
      case 'if':
        this.value(statement.test);
        this.#branches(statement);
        break;
      case 'loop':
        this.#loop(statement);
    }
  }

  /** Of an `if` whose test was walked. */
  #branches({ then, otherwise }: Statement & { kind: 'if' }): void {
    this.#blockOf(then);
    if (otherwise?.kind !== 'if') {
      if (otherwise) this.#statementOf(otherwise);
      return;
    }
    this.#chosen(otherwise.test);
    this.#branches(otherwise);
  }

  #loop(statement: Statement & { kind: 'loop' }): void {
    this.scopes.within(() => this.#turns(statement));
  }

  #turns(statement: Statement & { kind: 'loop' }): void {
    const { init, test, update, body } = statement;
    if (init) this.#statementOf(init);
    const counter = counterOf(statement, (one) => this.scopes.isStatic(one));
    const symbol = counter === undefined ? undefined : this.scopes.lookUp(counter);
    if (symbol) symbol.isStatic = true;
    const header = () => {
      if (test) this.value(test);
      if (update) this.#statementOf(update);
    };
    this.registers.loop(statement, () => this.#blockOf(body, header, statement));
  }

  #declaration({ name, type, value, start, word }: Declaration): void {
    const pointed = value && isAddress(value) ? this.#pointed(value) : undefined;
    const of = pointed?.type ?? (value ? this.value(value) : unknown);
    const isStatic = word === 'const' || (word === 'let' && value !== undefined && this.scopes.isStatic(value));
    const known = word === 'const' && value ? this.names.valueOf(value) : undefined;
    const symbol = this.scopes.declare(name, type ? this.names.typeNamed(type) : of, start, isStatic, known);
    if (!value) return;
    const { target, place } = pointed ?? this.#pointed(value);
    Object.assign(symbol, { target, place });
  }

  #assignment({ op, to, value, end }: Statement & { kind: 'assign' }): void {
    const product = value?.kind === 'binary' && value.op === '*' && (op === '+=' || op === '-=');
    const from = value ? this.value(value, product) : scalar('i32');
    if (!to) return;
    const one = { start: to.end, end, op: `${op[0]}=` };
    const of = this.access(to, op === '=' ? 'store' : 'update', value ?? one);
    if (op === '=' || this.scopes.isStatic(to)) return;
    const known = {
      fused: false,
      fuses: product,
      leftIsNumber: false,
      rightValue: value && this.names.valueOf(value),
    };
    binary(op === '++' || op === '--' ? '+' : op.slice(0, -1), of, from, this.ops, known);
  }

  /** Counts what an expression costs; gives its type. `fused`: it is a product that a sum around it takes in. */
  protected value(of: Expression, fused = false): Type {
    if (of.kind === 'number') return this.names.constantType(of);
    if (of.kind === 'name' || of.kind === 'index' || of.kind === 'member') return this.access(of, 'load');
    if (of.kind === 'unary') {
      if (of.op === '&') return this.address(of.of).type;
      if (of.op === '*') return this.access(of, 'load');
      const type = this.value(of.of);
      if (of.of.kind !== 'number') this.ops[isFloat(type) ? floatsOf(type) : 'integers'] += widthOf(type);
      return of.op === '!' ? vec(widthOf(type), 'bool') : type;
    }
    if (of.kind === 'call') return this.#call(of);
    const isSum = of.op === '+' || of.op === '-';
    const product = isSum ? [of.right, of.left].find((one) => one.kind === 'binary' && one.op === '*') : undefined;
    const left = this.value(of.left, of.left === product);
    const isChoice = of.op === '&&' || of.op === '||';
    const right = isChoice ? this.#chosen(of.right) : this.value(of.right, of.right === product);
    // What is known before it runs costs nothing.
    if (this.scopes.isStatic(of)) return widthOf(right) > widthOf(left) ? right : left;
    return binary(of.op, left, right, this.ops, {
      fused,
      fuses: product !== undefined,
      leftIsNumber: of.left.kind === 'number',
      rightValue: this.names.valueOf(of.right),
    });
  }

  #call(of: Expression & { kind: 'call' }): Type {
    const { callee, args } = of;
    const declared = this.names.module.functions.find(({ name }) => name === callee.name);
    if (declared) return this.#ownCall(of, declared);
    const [first] = args;
    if (first && callee.name === 'arrayLength') this.length(first, of);
    const types = args.map((arg, i) => {
      const isMemory = i === 0 && /^(atomic|workgroupUniformLoad$)/.test(callee.name);
      if (isMemory) return this.#atomic(of, arg);
      return callee.name === 'arrayLength' ? unknown : this.value(arg);
    });
    return builtIn(callee.name, this.names.madeBy(callee, types[0], types.length), types, this.ops);
  }

  /** What a built-in function does with what its first argument points to. */
  #atomic(call: Expression & { kind: 'call' }, pointer: Expression): Type {
    const { name } = call.callee;
    const isLoad = name === 'workgroupUniformLoad' || name === 'atomicLoad';
    const action = isLoad ? 'load' : name === 'atomicStore' ? 'store' : 'atomic';
    const { start, end } = isLoad ? call : (call.args.at(-1) as Expression);
    const to: Expression =
      pointer.kind === 'unary' && pointer.op === '&'
        ? pointer.of
        : { kind: 'unary', op: '*', of: pointer, start: pointer.start, end: pointer.end };
    return this.access(to, action, { start, end });
  }

  #ownCall({ callee, args, end }: Expression & { kind: 'call' }, declared: FunctionDeclaration): Type {
    const own = args.map((arg) => this.#pointed(arg));
    for (const arg of args) if (!isAddress(arg)) this.value(arg);
    const parameters = this.function(
      declared,
      own.map(({ target }) => target),
    );
    const places: Call['places'][number][] = [];
    for (const [i, { target, inScratch, name, place }] of parameters.entries()) {
      const { target: given, place: at } = own[i] as Pointed;
      if (given === undefined) continue;
      if (place?.point !== undefined) places.push({ point: place.point, from: at?.point, offset: at?.offset ?? 0 });
      if (given === target) continue;
      if (isVariable(given) && isTraced(given)) {
        const words = `takes ${given.name} as ${name}, and elsewhere something else; pass the index instead`;
        throw new WgslError(`WGSL: ${declared.name} ${words}`);
      }
      if (inScratch) this.keepInMemory(given);
    }
    this.registers.call(declared.name, end);
    this.calls.push({ callee, name: declared.name, places });
    return declared.returns ? this.names.typeNamed(declared.returns) : unknown;
  }

  /** What an expression points to, if it is a pointer. */
  #pointed(of: Expression): Pointed {
    const target = this.scopes.targetOf(of);
    if (isAddress(of)) return { target, ...this.address(of.of) };
    const symbol = of.kind === 'name' ? this.scopes.lookUp(of.name) : undefined;
    return { target, place: symbol?.place };
  }
}

interface Pointed {
  readonly target: Named['target'];
  readonly place: Place | undefined;
  /** Of an address. */
  readonly type?: Type;
}

const isAddress = (of: Expression): of is Expression & { kind: 'unary' } => of.kind === 'unary' && of.op === '&';
