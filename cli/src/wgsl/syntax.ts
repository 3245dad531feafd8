// WGSL as a tree: as much of the language as compute kernels are written in.

/** Where something stands in the source: from the first character to after the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A type as it is written: `array<vec4<T>, 16>` has two arguments: types, or expressions. */
export interface TypeName extends Span {
  readonly name: string;
  readonly args: readonly Expression[];
}

export type Expression = Span &
  (
    | { readonly kind: 'number'; readonly text: string }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'unary'; readonly op: string; readonly of: Expression }
    | { readonly kind: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression }
    /** Of a function, or a type's constructor. */
    | { readonly kind: 'call'; readonly callee: TypeName; readonly args: readonly Expression[] }
    | { readonly kind: 'index'; readonly base: Expression; readonly at: Expression }
    | { readonly kind: 'member'; readonly base: Expression; readonly name: string }
  );

export interface Block extends Span {
  readonly statements: readonly Statement[];
}

export interface Declaration extends Span {
  readonly kind: 'declare';
  readonly word: 'let' | 'var' | 'const' | 'override';
  readonly name: string;
  readonly type: TypeName | undefined;
  readonly value: Expression | undefined;
}

export type Statement =
  | Declaration
  | (Span &
      (
        | {
            readonly kind: 'assign';
            readonly op: string;
            /** Not there for `_ = …`. */
            readonly to: Expression | undefined;
            /** Not there for `i++`. */
            readonly value: Expression | undefined;
          }
        | { readonly kind: 'expression'; readonly value: Expression }
        | {
            readonly kind: 'if';
            readonly test: Expression;
            readonly then: Block;
            readonly otherwise: Statement | undefined;
          }
        | {
            readonly kind: 'loop';
            readonly init: Statement | undefined;
            readonly test: Expression | undefined;
            readonly update: Statement | undefined;
            readonly body: Block;
          }
        | { readonly kind: 'switch'; readonly on: Expression; readonly cases: readonly Block[] }
        | { readonly kind: 'block'; readonly body: Block }
        /** `break if` too, whose value is its test. */
        | {
            readonly kind: 'jump';
            readonly word: 'return' | 'break' | 'continue';
            readonly value: Expression | undefined;
          }
      ));

export interface Attribute {
  readonly name: string;
  readonly args: readonly Expression[];
}

export interface Variable extends Span {
  readonly name: string;
  readonly space: string;
  readonly access: string;
  readonly type: TypeName | undefined;
  readonly attributes: readonly Attribute[];
}

export interface Parameter extends Span {
  readonly name: string;
  readonly type: TypeName;
  readonly attributes: readonly Attribute[];
}

export interface FunctionDeclaration extends Span {
  readonly name: string;
  readonly attributes: readonly Attribute[];
  readonly parameters: readonly Parameter[];
  /** From after the opening parenthesis to the closing one. */
  readonly parametersStart: number;
  readonly parametersEnd: number;
  readonly returns: TypeName | undefined;
  readonly body: Block;
}

export interface Struct {
  readonly name: string;
  readonly members: readonly Parameter[];
}

export interface Module {
  readonly variables: readonly Variable[];
  readonly constants: readonly Declaration[];
  readonly aliases: ReadonlyMap<string, TypeName>;
  readonly structs: ReadonlyMap<string, Struct>;
  readonly functions: readonly FunctionDeclaration[];
  /** Where the first declaration begins: after `enable` and the like. */
  readonly directivesEnd: number;
}
