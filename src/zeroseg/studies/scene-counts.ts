/** What is counted on scenes, and how processes that share them bring it together: each counts a scene of every round, and the first adds. */
import type { ProcessGroup } from '../../nn/distributed/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { SegmentationScore } from '../evaluation/index.ts';
import { StatisticsCollector } from './student-output.ts';

/** What is counted, of a scene or of many. */
export interface SceneCounts {
  /** By method. */
  readonly scores: ReadonlyMap<string, SegmentationScore>;
  readonly students: ReadonlyMap<string, StudentCounts>;
}

/** How a student uses its segments. */
interface StudentCounts {
  readonly statistics: StatisticsCollector;
  /** For each grid the sum of fractions over scenes: see `nearestGrids`. */
  readonly nearest: Float64Array;
}

export interface Counted {
  readonly methods: readonly string[];
  readonly students: readonly string[];
  readonly vocabulary: Vocabulary;
  /** The first names of the vocabulary that are those of objects. */
  readonly objects: number;
  readonly grids: number;
}

export function noCounts({ methods, students, vocabulary, objects, grids }: Counted): SceneCounts {
  const classes = vocabulary.names.length + 1;
  return {
    // Ground without a name does not count.
    scores: new Map(methods.map((method) => [method, new SegmentationScore(classes, 0)])),
    students: new Map(
      students.map((name) => [
        name,
        { statistics: new StatisticsCollector(vocabulary, objects), nearest: new Float64Array(grids) },
      ]),
    ),
  };
}

/** Adds the counts of a scene. */
export function addCounts(sum: SceneCounts, scene: SceneCounts): void {
  for (const [method, score] of sum.scores) score.merge(scene.scores.get(method) as SegmentationScore);
  for (const [name, { statistics, nearest }] of sum.students) {
    const own = scene.students.get(name) as StudentCounts;
    statistics.merge(own.statistics);
    own.nearest.forEach((fraction, g) => {
      nearest[g]! += fraction;
    });
  }
}

/** The counts of all processes of a group, in their order. */
export async function gatherCounts(group: ProcessGroup, own: SceneCounts, counted: Counted): Promise<SceneCounts[]> {
  const images = [...own.scores.values()].map((score) => score.images);
  const sent = Float64Array.from([...images, ...numbersOf(own).flatMap((part) => [...part])]);
  const { buffer } = (await group.allGather(new Uint8Array(sent.buffer))).slice();
  return Array.from({ length: group.size }, (_, rank) => {
    const counts = noCounts(counted);
    const numbers = new Float64Array(buffer, rank * sent.byteLength, sent.length);
    let at = 0;
    for (const score of counts.scores.values()) score.images = numbers[at++]!;
    for (const part of numbersOf(counts)) {
      part.set(numbers.subarray(at, at + part.length));
      at += part.length;
    }
    return counts;
  });
}

/** All numbers but those of images, in an order that is the same in all processes. */
function numbersOf({ scores, students }: SceneCounts): Float64Array[] {
  return [
    ...[...scores.values()].flatMap(({ intersection, predicted, labelled }) => [intersection, predicted, labelled]),
    ...[...students.values()].flatMap(({ statistics, nearest }) => [statistics.sums, nearest]),
  ];
}
