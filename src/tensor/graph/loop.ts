import type { Launch, Loop, Storage } from './tensor.ts';

/** When a storage is needed, by the places of launches. */
interface Span {
  first: number;
  last: number;
}

export class RecordedLoop implements Loop {
  readonly times: number;

  constructor(times: number) {
    this.times = times;
  }

  /** Of all loops of a program: the place of the first and the last launch of each. */
  static #places(launches: readonly Launch[]): Map<Loop, Span> {
    const places = new Map<Loop, Span>();
    launches.forEach(({ loop }, at) => {
      if (!loop) return;
      const known = places.get(loop);
      if (known) known.last = at;
      else places.set(loop, { first: at, last: at });
    });
    return places;
  }

  order(launches: readonly Launch[]): Uint32Array {
    const all: number[] = [];
    for (let at = 0; at < launches.length; ) {
      const { loop } = launches[at] as Launch;
      let end = at + 1;
      while (loop && launches[end]?.loop === loop) end++;
      for (let k = 0; k < (loop?.times ?? 1); k++) for (let i = at; i < end; i++) all.push(i);
      at = end;
    }
    return Uint32Array.from(all);
  }

  /** Behind all of the loop. */
  place(launches: readonly Launch[], place: number): number {
    let end = place;
    while (launches[end + 1]?.loop === this) end++;
    return end;
  }

  /** What is alive in a loop stays so in all of it, unless every turn writes it anew before it reads it. */
  extend(launches: readonly Launch[], spans: ReadonlyMap<Storage, Span>, liveOut: ReadonlySet<Storage>): void {
    const places = RecordedLoop.#places(launches);
    const seen = new Set<Storage>();
    launches.forEach((launch, at) => {
      const place = launch.loop && places.get(launch.loop);
      launch.tensors.forEach(({ storage: { root } }, i) => {
        const span = spans.get(root);
        const isFirst = !seen.has(root);
        seen.add(root);
        if (!place || !span) return;
        const isLocal = !liveOut.has(root) && span.first >= place.first && span.last <= place.last;
        if (isLocal && !(isFirst && span.first === at && launch.kernel.bindings[i]?.access !== 'write')) return;
        span.first = Math.min(span.first, place.first);
        span.last = Math.max(span.last, place.last);
      });
    });
  }
}
