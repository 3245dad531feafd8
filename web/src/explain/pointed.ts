/** What is pointed at, in any of the figures, and what belongs to it in all the others. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { grouped, subject } from './state.ts';

export interface Pointed {
  readonly what: 'patch' | 'group' | 'segment' | 'view';
  readonly number: number;
}

export const pointed: Signal<Pointed | undefined> = signal(undefined);

export function pointAt(what: Pointed['what'], number: number): void {
  const { value } = pointed;
  if (value?.what !== what || value.number !== number) pointed.value = { what, number };
}

export function pointAway(): void {
  pointed.value = undefined;
}

/** Numbers that are marked. */
export interface Marked {
  readonly patches: ReadonlySet<number>;
  readonly groups: ReadonlySet<number>;
  readonly segments: ReadonlySet<number>;
  readonly views: ReadonlySet<number>;
}

export const marked: ReadonlySignal<Marked | undefined> = computed(() => {
  const [{ value: at }, { value: picture }, { value: found }] = [pointed, subject, grouped];
  if (!at || !picture) return undefined;
  const { what, number } = at;
  const groupOf = found?.groupOf ?? new Int16Array();
  const segmentOf = found?.segmentOf ?? new Int16Array();
  const nearest = found?.nearest ?? new Int16Array();
  const numbers = (from: ArrayLike<number>, wanted: (value: number) => boolean): Set<number> => {
    const all = new Set<number>();
    for (let at = 0; at < from.length; at++) if (wanted(from[at]!)) all.add(at);
    return all;
  };
  const known = (value: number | undefined): Set<number> => new Set(value === undefined || value < 0 ? [] : [value]);
  const segmentsOf = (groups: ReadonlySet<number>) =>
    new Set([...groups].map((group) => found!.segmentOfGroup[group]!));
  const viewsOf = (segments: ReadonlySet<number>) =>
    new Set([...segments].map((segment) => nearest[segment]!).filter((view) => view >= 0));
  switch (what) {
    case 'patch': {
      const groups = known(groupOf[number]);
      const segments = segmentsOf(groups);
      return { patches: new Set([number]), groups, segments, views: viewsOf(segments) };
    }
    case 'group': {
      const groups = new Set([number]);
      const segments = found ? segmentsOf(groups) : new Set<number>();
      return { patches: numbers(groupOf, (group) => group === number), groups, segments, views: viewsOf(segments) };
    }
    case 'segment': {
      const segments = new Set([number]);
      const patches = numbers(segmentOf, (segment) => segment === number);
      return {
        patches,
        groups: new Set([...patches].map((patch) => groupOf[patch]!)),
        segments,
        views: viewsOf(segments),
      };
    }
    case 'view': {
      const segments = numbers(nearest, (view) => view === number);
      const patches = patchesIn(picture.boxes[number] ?? [0, 0, 0, 0], picture.patch, picture.cols);
      const groups = numbers(found?.segmentOfGroup ?? [], (segment) => segments.has(segment));
      return { patches, groups, segments, views: new Set([number]) };
    }
  }
});

/** Patches of which the middle lies in a box of the square. */
function patchesIn([left, top, right, bottom]: Subject['boxes'][number], patch: number, cols: number): Set<number> {
  const all = new Set<number>();
  for (let at = 0; at < cols * cols; at++) {
    const [x, y] = [((at % cols) + 0.5) * patch, (Math.floor(at / cols) + 0.5) * patch];
    if (x >= left && x < right && y >= top && y < bottom) all.add(at);
  }
  return all;
}

type Subject = NonNullable<typeof subject.value>;
