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
  readonly indices: readonly { readonly at: Span; readonly units: number }[];
  /** Of a variable that is no array: where its name ends. It is made an array of one. */
  readonly single: number | undefined;
}

/** A stretch of code that runs as a whole. */
export interface Stretch {
  readonly ops: Operations;
  /** Where it begins: after its brace. */
  readonly at: number;
  /** Of a loop's body: the statement, and the stretch that it stands in. */
  readonly loop: Span | undefined;
  readonly outer: number | undefined;
}
