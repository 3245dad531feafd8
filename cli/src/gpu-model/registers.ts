import type { Span, Type, Variable } from '../wgsl/index.ts';
import { registersOf } from './operations.ts';

/** A name that a function declares. */
export interface Named {
  readonly name: string;
  readonly type: Type;
  /** Known to a compiler: takes no register. */
  isStatic: boolean;
  /** Of a constant. */
  readonly value: number | undefined;
  /** An array that lies in memory. */
  inScratch: boolean;
  /** What a pointer points into. */
  target: Named | Variable | undefined;
  /** Where in there, if that is memory that others see. */
  place: Place | undefined;
  /** From where to where its value is needed. */
  readonly from: number;
  to: number;
}

/** Bytes from where a variable begins: those of a point of the analysis, if there is one, and those that are known. */
export interface Place {
  readonly point: number | undefined;
  readonly offset: number;
}

/** Addresses, loop counters, and values on the way that have no name. */
const WITHOUT_A_NAME = 10;

/**
 * How many registers of 4 bytes a thread may need: the most values with a name that are alive at once, each from its declaration
 * to its last use (to the end of a loop that uses it from outside), plus {@link WITHOUT_A_NAME}. What a function needs is added
 * where it is called. A compiler may need fewer, as it computes late, or more, as it loads early.
 */
export class Registers {
  readonly #functions = new Map<string, { symbols: Named[]; calls: { name: string; at: number }[] }>();
  #current: { symbols: Named[]; calls: { name: string; at: number }[] } = { symbols: [], calls: [] };
  #loops: Span[] = [];

  /** Begins a function; gives what ends it. */
  enter(name: string): () => void {
    const [outer, loops] = [this.#current, this.#loops];
    this.#current = { symbols: [], calls: [] };
    this.#loops = [];
    this.#functions.set(name, this.#current);
    return () => {
      this.#current = outer;
      this.#loops = loops;
    };
  }

  declare(name: string, type: Type, at: number, isStatic: boolean, value?: number): Named {
    const unknown = { inScratch: false, target: undefined, place: undefined };
    const symbol: Named = { name, type, isStatic, value, ...unknown, from: at, to: at };
    this.#current.symbols.push(symbol);
    return symbol;
  }

  use(symbol: Named, at: number): void {
    const around = this.#loops.find(({ start }) => start > symbol.from);
    symbol.to = Math.max(symbol.to, around?.end ?? at);
  }

  loop(span: Span, inside: () => void): void {
    this.#loops.push(span);
    inside();
    this.#loops.pop();
  }

  call(name: string, at: number): void {
    this.#current.calls.push({ name, at });
  }

  /** Of a function and what it calls. */
  most(name: string): number {
    return WITHOUT_A_NAME + this.#most(name);
  }

  #most(name: string): number {
    const { symbols, calls } = this.#functions.get(name) ?? { symbols: [], calls: [] };
    const held = symbols.filter(({ isStatic, inScratch }) => !isStatic && !inScratch);
    const at = (place: number) =>
      held.reduce((sum, { from, to, type }) => sum + (from <= place && place < to ? registersOf(type) : 0), 0);
    const places = held.map(({ from }) => at(from));
    return Math.max(0, ...places, ...calls.map((call) => at(call.at) + this.#most(call.name)));
  }
}
