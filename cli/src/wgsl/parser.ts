import { WgslError } from './error.ts';
import type {
  Attribute,
  Block,
  Declaration,
  Expression,
  FunctionDeclaration,
  Module,
  Parameter,
  Span,
  Statement,
  Struct,
  TypeName,
  Variable,
} from './syntax.ts';
import { placeOf, type Token, tokenize } from './tokens.ts';

/** What is followed by `<` and arguments, rather than compared. */
const templates = /^(array|vec[234]|mat[234]x[234]|atomic|ptr|bitcast)$/;

/** From weakest to strongest. */
const precedence: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!=', '<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const assignments = ['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>='];

/**
 * The tree of a WGSL module.
 *
 * @throws WgslError with the line and what was expected there.
 */
export function parse(source: string): Module {
  return new Parser(source).module();
}

class Parser {
  readonly #source: string;
  readonly #tokens: Token[];
  #at = 0;
  /** In the arguments of a template, outside of brackets: `>` ends them. */
  #inTemplate = false;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  module(): Module {
    while (/^(enable|requires|diagnostic)$/.test(this.#next.text)) this.#skipTo(';');
    const directivesEnd = this.#next.start;
    const variables: Variable[] = [];
    const constants: Declaration[] = [];
    const aliases = new Map<string, TypeName>();
    const structs = new Map<string, Struct>();
    const functions: FunctionDeclaration[] = [];
    while (this.#next.kind !== 'end') {
      if (this.#accept(';')) continue;
      const start = this.#next.start;
      const attributes = this.#attributes();
      const word = this.#next.text;
      if (word === 'fn') functions.push(this.#function(start, attributes));
      else if (word === 'var') variables.push(this.#variable(start, attributes));
      else if (word === 'const' || word === 'override') constants.push(this.#declaration());
      else if (word === 'const_assert') this.#skipTo(';');
      else if (this.#accept('alias')) {
        const name = this.#name();
        this.#expect('=');
        aliases.set(name, this.#type());
      } else if (this.#accept('struct')) {
        const name = this.#name();
        this.#expect('{');
        structs.set(name, { name, members: this.#parameters('}') });
      } else throw this.#wrong('a declaration');
    }
    return { variables, constants, aliases, structs, functions, directivesEnd };
  }

  get #next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  get #end(): number {
    return (this.#tokens[this.#at - 1] as Token).end;
  }

  #accept(text: string): boolean {
    if (this.#next.text !== text || this.#next.kind === 'end') return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#wrong(`'${text}'`);
  }

  #name(): string {
    if (this.#next.kind !== 'name') throw this.#wrong('a name');
    return (this.#tokens[this.#at++] as Token).text;
  }

  #wrong(expected: string): WgslError {
    const { text, start } = this.#next;
    return new WgslError(`WGSL: expected ${expected}, not '${text}', at ${placeOf(this.#source, start)}`);
  }

  #skipTo(text: string): void {
    while (this.#next.kind !== 'end' && !this.#accept(text)) this.#at++;
  }

  /** Expressions with commas between, up to `close`. */
  #list<T>(close: string, one: () => T): T[] {
    return this.#inside(close === '>', () => this.#listed(close, one));
  }

  #listed<T>(close: string, one: () => T): T[] {
    const all: T[] = [];
    while (!this.#accept(close)) {
      all.push(one());
      if (!this.#accept(',')) {
        if (close === '>') this.#partSign('>=');
        this.#expect(close);
        break;
      }
    }
    return all;
  }

  #inside<T>(template: boolean, read: () => T): T {
    const outer = this.#inTemplate;
    this.#inTemplate = template;
    const made = read();
    this.#inTemplate = outer;
    return made;
  }

  /** Two signs that stand together by chance: `array<f32, 4>= …`. */
  #partSign(both: string): void {
    const { text, start } = this.#next;
    if (text !== both) return;
    const parts = [...text].map((one, i): Token => ({ kind: 'sign', text: one, start: start + i, end: start + i + 1 }));
    this.#tokens.splice(this.#at, 1, ...parts);
  }

  #attributes(): Attribute[] {
    const attributes: Attribute[] = [];
    while (this.#accept('@')) {
      const name = this.#name();
      attributes.push({ name, args: this.#accept('(') ? this.#list(')', () => this.#expression()) : [] });
    }
    return attributes;
  }

  #parameters(close: string): Parameter[] {
    return this.#list(close, () => {
      const { start } = this.#next;
      const attributes = this.#attributes();
      const name = this.#name();
      this.#expect(':');
      const type = this.#type();
      return { name, type, attributes, start, end: this.#end };
    });
  }

  #type(): TypeName {
    const { start } = this.#next;
    const name = this.#name();
    return this.#typeAfter(name, start);
  }

  #typeAfter(name: string, start: number): TypeName {
    const args = templates.test(name) && this.#accept('<') ? this.#list('>', () => this.#expression()) : [];
    return { name, args, start, end: this.#end };
  }

  #variable(start: number, attributes: Attribute[]): Variable {
    this.#expect('var');
    const [space = 'private', access = 'read'] = this.#accept('<') ? this.#list('>', () => this.#name()) : [];
    const name = this.#name();
    const type = this.#accept(':') ? this.#type() : undefined;
    if (this.#accept('=')) this.#expression();
    this.#expect(';');
    return { name, space, access, type, attributes, start, end: this.#end };
  }

  #function(start: number, attributes: Attribute[]): FunctionDeclaration {
    this.#expect('fn');
    const name = this.#name();
    this.#expect('(');
    const parametersStart = this.#end;
    const parameters = this.#parameters(')');
    const parametersEnd = this.#end - 1;
    let returns: TypeName | undefined;
    if (this.#accept('->')) {
      this.#attributes();
      returns = this.#type();
    }
    const body = this.#block();
    return { name, attributes, parameters, parametersStart, parametersEnd, returns, body, start, end: this.#end };
  }

  #block(): Block {
    this.#attributes();
    const { start } = this.#next;
    this.#expect('{');
    const statements: Statement[] = [];
    while (!this.#accept('}')) {
      if (this.#accept(';')) continue;
      if (this.#accept('const_assert')) {
        this.#skipTo(';');
        continue;
      }
      statements.push(this.#statement());
    }
    return { statements, start, end: this.#end };
  }

  #statement(): Statement {
    const { start } = this.#next;
    this.#attributes();
    const { text } = this.#next;
    const spanned = <S extends object>(statement: S): S & Span => ({ ...statement, start, end: this.#end });
    if (text === '{') return spanned({ kind: 'block', body: this.#block() } as const);
    if (text === 'let' || text === 'var' || text === 'const') return this.#declaration();
    if (this.#accept('if')) {
      const test = this.#expression();
      const then = this.#block();
      const otherwise = this.#accept('else') ? this.#statement() : undefined;
      return spanned({ kind: 'if', test, then, otherwise } as const);
    }
    if (this.#accept('for')) {
      this.#expect('(');
      const init = this.#accept(';') ? undefined : this.#statement();
      const test = this.#next.text === ';' ? undefined : this.#expression();
      this.#expect(';');
      const update = this.#next.text === ')' ? undefined : this.#simple(start);
      this.#expect(')');
      return spanned({ kind: 'loop', init, test, update, body: this.#block() } as const);
    }
    if (this.#accept('while')) {
      const test = this.#expression();
      return spanned({ kind: 'loop', init: undefined, test, update: undefined, body: this.#block() } as const);
    }
    if (this.#accept('loop')) {
      return spanned({
        kind: 'loop',
        init: undefined,
        test: undefined,
        update: undefined,
        body: this.#block(),
      } as const);
    }
    if (this.#accept('continuing')) return spanned({ kind: 'block', body: this.#block() } as const);
    if (this.#accept('switch')) return spanned(this.#switch());
    if (text === 'return' || text === 'break' || text === 'continue') {
      const word = text;
      this.#at++;
      this.#accept('if');
      const value = this.#next.text === ';' ? undefined : this.#expression();
      this.#expect(';');
      return spanned({ kind: 'jump', word, value } as const);
    }
    const simple = this.#simple(start);
    this.#expect(';');
    return simple;
  }

  #switch(): { kind: 'switch'; on: Expression; cases: Block[] } {
    const on = this.#expression();
    this.#attributes();
    this.#expect('{');
    const cases: Block[] = [];
    while (!this.#accept('}')) {
      if (!this.#accept('default')) {
        this.#expect('case');
        while (this.#next.text !== ':' && this.#next.text !== '{') {
          if (!this.#accept('default')) this.#expression();
          this.#accept(',');
        }
      }
      this.#accept(':');
      cases.push(this.#block());
    }
    return { kind: 'switch', on, cases };
  }

  /** An assignment or a call, without what ends it. */
  #simple(start: number): Statement {
    if (this.#accept('_')) {
      this.#expect('=');
      const value = this.#expression();
      return { kind: 'assign', op: '=', to: undefined, value, start, end: this.#end };
    }
    const to = this.#unary();
    if (this.#next.text === '>' && this.#tokens[this.#at + 1]?.text === '>=') this.#at++;
    const op = this.#next.text === '>=' ? '>>=' : this.#next.text;
    if (op === '++' || op === '--') {
      this.#at++;
      return { kind: 'assign', op, to, value: undefined, start, end: this.#end };
    }
    if (assignments.includes(op)) {
      this.#at++;
      const value = this.#expression();
      return { kind: 'assign', op, to, value, start, end: this.#end };
    }
    if (to.kind !== 'call') throw this.#wrong('an assignment');
    return { kind: 'expression', value: to, start, end: this.#end };
  }

  #declaration(): Declaration {
    const { start } = this.#next;
    const word = this.#name() as Declaration['word'];
    if (this.#accept('<')) this.#skipTo('>');
    const name = this.#name();
    const type = this.#accept(':') ? this.#type() : undefined;
    const value = this.#accept('=') ? this.#expression() : undefined;
    this.#expect(';');
    return { kind: 'declare', word, name, type, value, start, end: this.#end };
  }

  #expression(): Expression {
    return this.#binary(0);
  }

  #binary(level: number): Expression {
    const ops = precedence[level];
    if (!ops) return this.#unary();
    let left = this.#binary(level + 1);
    for (let op = this.#operator(ops); op !== undefined; op = this.#operator(ops)) {
      const right = this.#binary(level + 1);
      left = { kind: 'binary', op, left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #operator(ops: readonly string[]): string | undefined {
    const { text, end, kind } = this.#next;
    if (kind !== 'sign') return undefined;
    const after = this.#tokens[this.#at + 1];
    const isShift = text === '>' && after?.text === '>' && after.start === end;
    const op = isShift ? '>>' : text;
    if (!ops.includes(op) || (this.#inTemplate && /^([<>]=?|>>|&&|\|\|)$/.test(op))) return undefined;
    this.#at += isShift ? 2 : 1;
    return op;
  }

  #unary(): Expression {
    const { start, text, kind } = this.#next;
    if (kind === 'sign' && /^[-!~*&]$/.test(text)) {
      this.#at++;
      const of = this.#unary();
      return { kind: 'unary', op: text, of, start, end: of.end };
    }
    return this.#postfix(this.#primary());
  }

  #primary(): Expression {
    const { start, text, kind } = this.#next;
    if (this.#accept('(')) {
      const inside = this.#inside(false, () => this.#expression());
      this.#expect(')');
      return { ...inside, start, end: this.#end };
    }
    if (kind === 'number') {
      this.#at++;
      return { kind: 'number', text, start, end: this.#end };
    }
    const name = this.#name();
    const callee = this.#typeAfter(name, start);
    if (this.#accept('(')) {
      const args = this.#list(')', () => this.#expression());
      return { kind: 'call', callee, args, start, end: this.#end };
    }
    // The name of a type, as an argument of another.
    if (callee.args.length > 0) return { kind: 'call', callee, args: [], start, end: this.#end };
    return { kind: 'name', name, start, end: this.#end };
  }

  #postfix(of: Expression): Expression {
    for (let base = of; ; ) {
      if (this.#accept('[')) {
        const at = this.#inside(false, () => this.#expression());
        this.#expect(']');
        base = { kind: 'index', base, at, start: base.start, end: this.#end };
      } else if (this.#accept('.')) {
        base = { kind: 'member', base, name: this.#name(), start: base.start, end: this.#end };
      } else return base;
    }
  }
}
