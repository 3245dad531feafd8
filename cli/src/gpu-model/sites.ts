import type { Span } from '../wgsl/index.ts';
import type { Operations } from './operations.ts';

/** A place in the source that reads or writes memory. */
export interface Site {
  readonly id: number;
  readonly variable: string;
  readonly space: 'storage' | 'workgroup';
  readonly action: 'load' | 'store' | 'update' | 'atomic';
  /** Bytes of one access. */
  readonly bytes: number;
  /** Accesses one after another, and bytes from each to the next: of an array as a whole, its elements. */
  readonly times: number;
  readonly apart: number;
  /** Bytes into the element: a member, a component. */
  readonly offset: number;
  /** What the trace counts in: bytes. */
  readonly unit: number;
  /** Which the stretches of an analysis it stands in. */
  readonly block: number;
  /** As it is written, and where. */
  readonly text: string;
  readonly line: number;
  /** The index expressions, and how many units each is worth. */
  readonly indices: readonly Index[];
  /** Of a variable that is no array: where its name ends. It is made an array of one. */
  readonly single: number | undefined;
  /** The point that what is accessed is counted from. */
  readonly point: number | undefined;
  /** Where neither an index nor a name can note it: the value that does. */
  readonly through: (Through & { readonly type: string }) | undefined;
}

interface Index {
  readonly at: Span;
  readonly units: number;
}

/** A value that goes to or comes from memory; `op`: there is none, as in `(*p)++`, which is written with this operator and a 1. */
export interface Through extends Span {
  readonly op?: string;
}

/** A place that a pointer points to: kept while the kernel runs, in bytes from where its variable begins, without what is known. */
export interface Point {
  readonly id: number;
  /** Index expressions, and how many bytes each is worth; none where it is a parameter's. */
  readonly indices: readonly { readonly at: Span; readonly bytes: number }[];
  /** As of a {@link Site}. */
  readonly single: number | undefined;
  /** The point that it is counted from. */
  readonly before: number | undefined;
}

/** A call of a function of the kernel's own. */
export interface Call {
  readonly callee: Span;
  readonly name: string;
  /** Points of parameters, and where they are at this call. */
  readonly places: readonly { readonly point: number; readonly from: number | undefined; readonly offset: number }[];
}

/** A place in the source that asks for the length of a buffer. */
export interface Length extends Span {
  readonly variable: string;
  /** Bytes of an element. */
  readonly stride: number;
}

/** A stretch of code that runs as a whole. */
export interface Stretch {
  readonly ops: Operations;
  /** Where it begins: after its brace, or after a statement that some lanes do not come out of. */
  readonly at: number;
  /** Of a loop's body: the statement. */
  readonly loop: Span | undefined;
  /** It is this expression, which not all lanes come to. */
  readonly choice: Span | undefined;
}
