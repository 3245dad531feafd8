import { formatShape, StepError } from '../values/index.ts';
import type { Launch, Loop, Storage, Tensor } from './tensor.ts';

/** When a storage is needed, by the places of launches. */
interface Span {
  first: number;
  last: number;
}

/** The same, and when each range of it is first needed. */
interface SpanInParts extends Span {
  readonly ranges: Map<Storage, number>;
}

export class RecordedLoop implements Loop {
  readonly times: number;
  readonly outer: Loop | undefined;
  readonly runs: number;

  constructor(times: number, outer: Loop | undefined) {
    this.times = times;
    this.outer = outer;
    this.runs = times * (outer?.runs ?? 1);
  }

  admit({ shape }: Tensor, user?: Loop): void {
    for (let one = user; one; one = one.outer) if (one === this) return;
    throw new StepError(
      `scan: a tensor ${formatShape(shape)} of the body is used outside of it, where it has no value of its own; return it from the body, as carry or y`,
    );
  }

  repeats({ loop }: Launch): boolean {
    return outermost(loop) === outermost(this);
  }

  order(launches: readonly Launch[]): Uint32Array {
    return Uint32Array.from(runsOf(launches, 0, launches.length, undefined));
  }

  /** Behind all of the outermost loop. */
  place(launches: readonly Launch[], place: number): number {
    let end = place + 1;
    while (end < launches.length && this.repeats(launches[end] as Launch)) end++;
    return end - 1;
  }

  /** What is alive in a loop stays so in all of it, unless every turn writes it anew before it reads it. */
  extend(launches: readonly Launch[], spans: ReadonlyMap<Storage, SpanInParts>, liveOut: ReadonlySet<Storage>): void {
    /** The places of the first and the last launch of each loop. */
    const places = new Map<Loop, Span>();
    /** What comes to life as a launch writes it, without a look at what was there. */
    const written = new Set<Storage>();
    const loopsOf = new Map<Storage, Set<Loop>>();
    launches.forEach(({ loop, kernel, tensors }, at) => {
      for (let one = loop; one; one = one.outer) {
        const known = places.get(one);
        if (known) known.last = at;
        else places.set(one, { first: at, last: at });
      }
      tensors.forEach(({ storage: { root } }, i) => {
        let loops = loopsOf.get(root);
        if (!loops) {
          loopsOf.set(root, (loops = new Set()));
          if (kernel.bindings[i]?.access === 'write') written.add(root);
        }
        for (let one = loop; one; one = one.outer) loops.add(one);
      });
    });
    for (const [root, loops] of loopsOf) {
      const span = spans.get(root);
      if (!span) continue;
      const { first, last } = span;
      for (const loop of loops) {
        const place = places.get(loop) as Span;
        if (!liveOut.has(root) && written.has(root) && first >= place.first && last <= place.last) continue;
        span.first = Math.min(span.first, place.first);
        span.last = Math.max(span.last, place.last);
        for (const [range, at] of span.ranges) {
          if (at >= place.first && at <= place.last) span.ranges.set(range, place.first);
        }
      }
    }
  }
}

function outermost(loop: Loop | undefined): Loop | undefined {
  let found = loop;
  while (found?.outer) found = found.outer;
  return found;
}

/** The loop directly inside of `outer` (of none: the outermost) that repeats a launch, if any. */
function loopInside(launch: Launch | undefined, outer: Loop | undefined): Loop | undefined {
  let loop = launch?.loop;
  while (loop && loop.outer !== outer) loop = loop.outer;
  return loop;
}

/** The numbers of launches from `from` to `to` as one turn of `outer` runs them. */
function runsOf(launches: readonly Launch[], from: number, to: number, outer: Loop | undefined): number[] {
  const all: number[] = [];
  for (let at = from; at < to; ) {
    const loop = loopInside(launches[at], outer);
    let end = at + 1;
    if (!loop) all.push(at);
    else {
      while (end < to && loopInside(launches[end], outer) === loop) end++;
      const turn = runsOf(launches, at, end, loop);
      for (let k = 0; k < loop.times; k++) for (const i of turn) all.push(i);
    }
    at = end;
  }
  return all;
}
