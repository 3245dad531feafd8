// WGSL as a tree with types: as much of the language as compute kernels are written in. Nothing here knows what it is read for.

export { WgslError } from './error.ts';
export { parse } from './parser.ts';
export type {
  Block,
  Declaration,
  Expression,
  FunctionDeclaration,
  Module,
  Parameter,
  Span,
  Statement,
  Variable,
} from './syntax.ts';
export { placeOf } from './tokens.ts';
export {
  bytesOf,
  elementOf,
  isFloat,
  memberOf,
  Names,
  scalar,
  scalarOf,
  strideOf,
  type Type,
  textOf,
  unknown,
  vec,
  widthOf,
} from './types.ts';
