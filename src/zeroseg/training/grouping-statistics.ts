/** What the head does in training, beside its losses: read from a training pass, without noise. */
import { ArgumentError } from '../../gpu/index.ts';
import { cast } from '../../kernels/elementwise/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { argmaxColumns, entropy } from '../host/index.ts';
import { overlaps } from '../image/index.ts';
import type { Losses, Segmentation } from '../model/index.ts';

/** How the head divides the images of a batch: means over them. */
export interface GroupingStatistics {
  /** Groups of the first stage that hold a patch, and segments in the end; each patch goes where the maps are largest. */
  readonly groupsFirst: number;
  readonly groups: number;
  /** Mean entropy, in nats, of a member's assignment in either stage. 0 is certain; ln G is none at all. */
  readonly entropyFirst: number;
  readonly entropySecond: number;
  /** Fraction of each grid among the views that segments are nearest to: `{ '2x2': 0.6, … }`; empty without local views. */
  readonly nearest: Readonly<Record<string, number>>;
}

/** The tensors that {@link groupingStatistics} wants the values of. */
export type GroupingTensors = { first: Tensor; second: Tensor; nearest?: Tensor };

/** What a pass returns for the statistics: soft maps `[B, G1, N]` and `[B, G2, G1]` in f32, nearest local views u32 `[B, G2]`. */
export function groupingTensors({
  softMaps,
  matchIndex,
}: Pick<Segmentation & Losses, 'softMaps' | 'matchIndex'>): GroupingTensors {
  const [first, second] = softMaps as readonly [Tensor, Tensor];
  const maps: GroupingTensors = { first: cast(first, 'f32'), second: cast(second, 'f32') };
  return matchIndex ? { ...maps, nearest: matchIndex } : maps;
}

/** Values of {@link GroupingTensors}, of as many images as one likes. */
export interface GroupingValues {
  readonly first: ArrayLike<number>;
  readonly second: ArrayLike<number>;
  readonly nearest?: ArrayLike<number> | undefined;
}

export interface GroupingSizes {
  /** Groups of the first stage, and segments. */
  readonly groups: readonly [number, number];
  /** Members of the first stage: patches, and before them the class token where it is one. */
  readonly members: number;
  readonly withCls: boolean;
  readonly grids: readonly number[];
}

/**
 * Where the members of an image end up, by the largest values of the two assignments `[B, G1, N]` and `[B, G2, G1]`: the group of
 * each in the first stage, and its segment. `image` is its number in the batch.
 */
export function segmentsOfMembers(
  { first, second }: Pick<GroupingValues, 'first' | 'second'>,
  [groups, segments]: readonly [number, number],
  members: number,
  image = 0,
): { readonly groupOf: Uint32Array; readonly segmentOf: Uint32Array } {
  const segmentOfGroup = argmaxColumns(second, segments, groups, image * groups * segments);
  const groupOf = argmaxColumns(first, groups, members, image * members * groups);
  return { groupOf, segmentOf: groupOf.map((group) => segmentOfGroup[group]!) };
}

/**
 * Reads the two assignments and the nearest views of batches, the micro-batches of a step.
 *
 * ```ts
 * const sizes = { groups: [2, 1], members: 3, withCls: false, grids: [1, 2] } as const;
 * // Three patches: two of them in the first group for certain, and one that cannot tell.
 * groupingStatistics([{ first: [1, 1, 0.5, 0, 0, 0.5], second: [1, 1], nearest: [3] }], sizes);
 * // { groupsFirst: 1, groups: 1, entropyFirst: 0.231, entropySecond: 0, nearest: { '2x2': 1 } }
 * ```
 */
export function groupingStatistics(
  parts: readonly GroupingValues[],
  { groups, members, withCls, grids }: GroupingSizes,
): GroupingStatistics {
  const [firstGroups, finalGroups] = groups;
  const gridOf = grids.filter((k) => k > 1 && !overlaps(k)).flatMap((k) => new Array<string>(k * k).fill(`${k}x${k}`));
  const nearest = new Map<string, number>();
  const sums = { groupsFirst: 0, groups: 0, entropyFirst: 0, entropySecond: 0 };
  let images = 0;
  let matched = 0;
  for (const { first, second, nearest: views } of parts) {
    const count = second.length / (firstGroups * finalGroups);
    images += count;
    for (let i = 0; i < count; i++) {
      const { groupOf, segmentOf } = segmentsOfMembers({ first, second }, groups, members, i);
      // A class token is nowhere in the image.
      const from = withCls ? 1 : 0;
      sums.groupsFirst += new Set(groupOf.subarray(from)).size;
      sums.groups += new Set(segmentOf.subarray(from)).size;
    }
    sums.entropyFirst += entropy(first) / members;
    sums.entropySecond += entropy(second) / firstGroups;
    for (const view of Array.from(views ?? [])) {
      const grid = gridOf[view];
      if (grid === undefined)
        throw new ArgumentError(`groupingStatistics: view ${view} is none of the ${gridOf.length} local ones`);
      nearest.set(grid, (nearest.get(grid) ?? 0) + 1);
      matched++;
    }
  }
  const mean = (sum: number): number => sum / images;
  return {
    groupsFirst: mean(sums.groupsFirst),
    groups: mean(sums.groups),
    entropyFirst: mean(sums.entropyFirst),
    entropySecond: mean(sums.entropySecond),
    nearest:
      matched === 0 ? {} : Object.fromEntries([...new Set(gridOf)].map((k) => [k, (nearest.get(k) ?? 0) / matched])),
  };
}
