/// <reference lib="esnext.disposable" preserve="true" />
/** The output of a trained student for one image: segments, where they are, their names, and how many are in use. */
import type { Device } from '../../gpu/index.ts';
import type { Trace } from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { nearestNames, type PatchGrid } from '../baselines/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import { argmax, entropy } from '../host/index.ts';
import { cellsAlong, type Image, imagenetMean, imagenetStd, PixelError, toTensor } from '../image/index.ts';
import { classAffinity, pixelSegments, type ScoringOptions } from '../inference/index.ts';
import type { ZeroSeg, ZeroSegConfig } from '../model/index.ts';
import type { Scene } from '../scenes/index.ts';
import { segmentsOfMembers } from '../training/index.ts';
/** The output of a student for one image, read from the GPU. */
export interface StudentOutput {
  /** Segments g `[S, C]`, and the image embedding z `[C]`. */
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Each patch's distribution over segments `[S, rows · cols]`. */
  readonly rollout: Float32Array;
  /** The two stages without noise: `[G, rows · cols]` and `[S, G]`; and G. */
  readonly softMaps: readonly [Float32Array, Float32Array];
  readonly groups: number;
  /** Features of the patches out of the encoder, `[rows · cols, dim]`. */
  readonly patches: Float32Array;
  readonly grid: PatchGrid;
}

/** Side in pixels that made-up scenes are drawn at; the drawings hold no more detail. */
const SCENE_SIDE = 128;

/**
 * Side in pixels of the scenes that a student is shown: twice that of its training, as spec §11 says, where this is no more than
 * the 128 pixels that they are drawn at; else that of its training.
 *
 * ```ts
 * sceneSide({ image: 64 }); // 128, and so for a student trained at 128
 * ```
 */
export function sceneSide({ image }: Pick<ZeroSegConfig, 'image'>): number {
  return 2 * image <= SCENE_SIDE ? 2 * image : image;
}

type StudentTensors = Record<'segments' | 'global' | 'rollout' | 'first' | 'second' | 'latent', Tensor>;

/**
 * Inference of a student on square images of one size, without masks and without noise.
 *
 * ```ts
 * using student = await SceneStudent.create(device, model, 128);
 * groupUse(await student.predict(scene.image)).used; // 5
 * ```
 */
export class SceneStudent implements Disposable {
  readonly size: number;
  readonly #model: ZeroSeg;
  readonly #step: Step<'image', StudentTensors>;

  private constructor(model: ZeroSeg, size: number, run: Step<'image', StudentTensors>) {
    this.#model = model;
    this.size = size;
    this.#step = run;
  }

  /** `size`: side of the pictures, a multiple of the model's patch. Default: {@link sceneSide}. */
  static async create(device: Device, model: ZeroSeg, size: number = sceneSide(model.config)): Promise<SceneStudent> {
    const { patch, chans } = model.config;
    if (size % patch !== 0) {
      throw new PixelError(`SceneStudent: size must be a multiple of the student's patches of ${patch}; got ${size}`);
    }
    const run = await step(
      device,
      { image: [1, chans, size, size] },
      ({ image }) => {
        let latent: Tensor | undefined;
        const keep: Trace = (name, t) => {
          if (name === 'latent') latent = t;
        };
        const { segments, global, rollout, softMaps } = model.segment(image, keep);
        const [first, second] = softMaps as [Tensor, Tensor];
        return { segments, global, rollout, first, second, latent: latent as Tensor };
      },
      { name: 'student' },
    );
    return new SceneStudent(model, size, run);
  }

  async predict(image: Image): Promise<StudentOutput> {
    const { size } = this;
    if (image.width !== size || image.height !== size) {
      throw new PixelError(
        `SceneStudent.predict: the picture must be ${size} x ${size}; got ${image.width} x ${image.height}`,
      );
    }
    const found = this.#step({ image: toTensor(image, imagenetMean, imagenetStd) });
    const [segments, global, rollout, first, second, latent] = (await readAll([
      found.segments,
      found.global,
      found.rollout,
      found.first,
      found.second,
      found.latent,
    ])) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    const { patch, dim, seg_use_cls, output_groups } = this.#model.config;
    const side = size / patch;
    const withoutCls = seg_use_cls ? dropFirst(first, side * side + 1) : first;
    return {
      segments,
      global,
      rollout,
      softMaps: [withoutCls, second],
      groups: output_groups[0] as number,
      // The class token is the first row.
      patches: latent.subarray(dim),
      grid: { rows: side, cols: side, height: size, width: size },
    };
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Rows of `length` without their first value. */
function dropFirst(rows: Float32Array, length: number): Float32Array {
  return rows.filter((_, at) => at % length !== 0);
}

/** How a student divides a picture. */
export interface GroupUse {
  /** The final segment of each patch, by the largest of either stage (hard, without noise). */
  readonly segmentOf: Uint32Array;
  /** How many segments have a patch. */
  readonly used: number;
  /** Mean entropy, in nats, of a patch's distribution over segments; and of each stage's assignment. 0 is certain. */
  readonly entropy: number;
  readonly stages: readonly [number, number];
}

/** Reads the two assignments of a {@link StudentOutput}. */
export function groupUse({
  rollout,
  softMaps,
  groups,
}: Pick<StudentOutput, 'rollout' | 'softMaps' | 'groups'>): GroupUse {
  const [first, second] = softMaps;
  const patches = first.length / groups;
  const finals = second.length / groups;
  const { segmentOf } = segmentsOfMembers({ first, second }, [groups, finals], patches);
  const entropyOf = (map: Float32Array, rows: number): number => entropy(map) / (map.length / rows);
  return {
    segmentOf,
    used: new Set(segmentOf).size,
    entropy: entropyOf(rollout, finals),
    stages: [entropyOf(first, groups), entropyOf(second, finals)],
  };
}

/** The nearest view of each segment by mean absolute difference, as in the matching loss: `segments` `[S, C]`, `views` `[V, C]`. */
export function nearestViews(segments: Float32Array, views: Float32Array, width: number): number[] {
  return Array.from({ length: segments.length / width }, (_, s) => {
    const near = Float64Array.from({ length: views.length / width }, (_, v) => {
      let sum = 0;
      for (let i = 0; i < width; i++) sum -= Math.abs(segments[s * width + i]! - views[v * width + i]!);
      return sum;
    });
    return argmax(near);
  });
}

/**
 * For each grid the fraction of segments whose nearest view is of it. Only segments that have patches, the `used` ones, count.
 * `views` are those of `grids`, in their order.
 */
export function nearestGrids(
  segments: Float32Array,
  views: Float32Array,
  width: number,
  grids: readonly number[],
  used: Iterable<number>,
): number[] {
  const gridOf = grids.flatMap((k, g) => new Array<number>(cellsAlong(k) ** 2).fill(g));
  const nearest = nearestViews(segments, views, width);
  const counts = grids.map(() => 0);
  const those = [...new Set(used)];
  for (const s of those) counts[gridOf[nearest[s]!]!]!++;
  return counts.map((count) => (those.length === 0 ? 0 : count / those.length));
}

/** What a student calls its segments, and where they are. */
export interface StudentNames {
  /** Of each segment: 1 + the index of its best name, and what that scores. */
  readonly labelOf: readonly number[];
  readonly scoreOf: readonly number[];
  /** The segment of each pixel. */
  readonly segmentOf: Uint8Array;
}

/** Names a student's segments (spec §11.3). */
export function studentNames(
  { segments, global, rollout, grid }: StudentOutput,
  { names, embeddings, scale }: Vocabulary,
  { scoring, top }: Omit<ScoringOptions, 'scale'>,
): StudentNames {
  const affinity = classAffinity(segments, global, embeddings, { scale, top, scoring });
  const best = Array.from({ length: segments.length / global.length }, (_, s) => {
    const scores = affinity.subarray(s * names.length, (s + 1) * names.length);
    const at = argmax(scores);
    return { label: 1 + at, score: scores[at] as number };
  });
  const { rows, cols, height, width } = grid;
  return {
    labelOf: best.map(({ label }) => label),
    scoreOf: best.map(({ score }) => score),
    segmentOf: pixelSegments(rollout, rows, cols, height, width),
  };
}

/**
 * The label of each pixel as a student says: that of its segment, 1 + the index of a name; 0, background, where the segment's best name
 * scores less than `threshold`. Without one, every segment has a name.
 */
export function studentLabels(
  view: StudentOutput,
  vocabulary: Vocabulary,
  { threshold, ...options }: Omit<ScoringOptions, 'scale'> & { readonly threshold?: number | undefined },
): Uint16Array {
  const { segmentOf, labelOf, scoreOf } = studentNames(view, vocabulary, options);
  const of = threshold === undefined ? labelOf : labelOf.map((label, s) => (scoreOf[s]! < threshold ? 0 : label));
  return Uint16Array.from(segmentOf, (segment) => of[segment]!);
}

/** How a student uses its segments, beside the labels it gives; means over scenes. */
export interface StudentStatistics {
  /** Segments in use, and things there are to be told apart: labels in the picture. */
  readonly groupsUsed: number;
  readonly things: number;
  /** See {@link GroupUse}. */
  readonly entropy: { readonly rollout: number; readonly first: number; readonly second: number };
  /** Fraction of scenes with objects in which the object that z is nearest to is there. */
  readonly namesPresent: number | null;
}

/** What is summed over scenes. */
const summed = ['scenes', 'used', 'things', 'rollout', 'first', 'second', 'withObjects', 'present'] as const;

/** Collects {@link StudentStatistics}: the first `objects` names of the vocabulary are those of objects. */
export class StatisticsCollector {
  /** Over the scenes so far: numbers that another collector of the same vocabulary may be given. */
  readonly sums: Float64Array = new Float64Array(summed.length);
  readonly #vocabulary: Vocabulary;
  readonly #objects: number;

  constructor(vocabulary: Vocabulary, objects: number) {
    this.#vocabulary = vocabulary;
    this.#objects = objects;
  }

  add({ labels: { data } }: Scene, view: StudentOutput): GroupUse {
    const width = view.global.length;
    const use = groupUse(view);
    const [first, second] = use.stages;
    const labels = new Set(Array.from(data));
    this.#count({ scenes: 1, used: use.used, things: labels.size, rollout: use.entropy, first, second });
    if (Array.from({ length: this.#objects }, (_, i) => i + 1).some((label) => labels.has(label))) {
      const names = this.#vocabulary.embeddings.subarray(0, this.#objects * width);
      const [nearest = 0] = nearestNames(view.global, names, width);
      this.#count({ withObjects: 1, present: labels.has(nearest + 1) ? 1 : 0 });
    }
    return use;
  }

  /** Adds the sums of another. */
  merge({ sums }: Pick<StatisticsCollector, 'sums'>): void {
    sums.forEach((value, i) => {
      this.sums[i]! += value;
    });
  }

  means(): StudentStatistics {
    const sum = (name: (typeof summed)[number]): number => this.sums[summed.indexOf(name)]!;
    const mean = (name: (typeof summed)[number]): number => (sum('scenes') === 0 ? 0 : sum(name) / sum('scenes'));
    return {
      groupsUsed: mean('used'),
      things: mean('things'),
      entropy: { rollout: mean('rollout'), first: mean('first'), second: mean('second') },
      namesPresent: sum('withObjects') === 0 ? null : sum('present') / sum('withObjects'),
    };
  }

  #count(values: Readonly<Partial<Record<(typeof summed)[number], number>>>): void {
    summed.forEach((name, i) => {
      this.sums[i]! += values[name] ?? 0;
    });
  }
}
