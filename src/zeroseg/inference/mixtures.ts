/** Overlapping windows: which of their segments lie over a pixel, and what these score together. */
import { argmax } from '../host/index.ts';
import type { WindowBox } from '../image/index.ts';

/** Shares `[S, rows, cols]` of patches that belong to S segments; those of a patch come to 1. */
export interface SoftAssignment {
  readonly rows: number;
  readonly cols: number;
  readonly shares: Float32Array;
}

/** What was found in one window. */
export interface WindowResult {
  readonly box: WindowBox;
  /** Segment of each pixel of the window. */
  readonly segmentOf: Uint8Array | Uint16Array;
  /** `[S, 1 + K]`, background first. */
  readonly scores: Float32Array;
  /** `[S, K]` */
  readonly affinity: Float32Array;
  /** Of models that group. */
  readonly assignment?: SoftAssignment | undefined;
}

interface Mixture {
  /** Sums over the segments, of the wanted columns. */
  readonly sums: Float32Array;
  readonly segments: number;
  averages?: Float32Array;
  best?: number;
}

/**
 * Mixtures of segments. Pixels under the same segments of the same windows have the same scores, and there are far fewer such
 * mixtures than pixels: so scores are summed and compared once for each mixture.
 */
export class Mixtures {
  readonly #windows: readonly WindowResult[];
  readonly #width: number;
  readonly #names: number;
  readonly #columns: readonly number[];
  /** Number of each window's first segment, among those of all windows. */
  readonly #first: readonly number[];
  readonly #segments: number;
  readonly #mixtures: Mixture[];
  /** A mixture and one more segment → the mixture of both. */
  readonly #joined = new Map<number, number>();

  /** Of windows over an image of some width; `columns` of their scores are wanted (0 is background). */
  constructor(windows: readonly WindowResult[], width: number, names: number, columns: readonly number[]) {
    this.#windows = windows;
    this.#width = width;
    this.#names = names;
    this.#columns = columns;
    let segments = 0;
    this.#first = windows.map(({ scores }) => {
      const first = segments;
      segments += scores.length / (names + 1);
      return first;
    });
    this.#segments = segments;
    this.#mixtures = [{ sums: new Float32Array(columns.length), segments: 0 }];
  }

  /** The mixture of each pixel of a row, by its number. */
  row(y: number): Uint32Array {
    const row = new Uint32Array(this.#width);
    for (const [window, { box, segmentOf }] of this.#windows.entries()) {
      const [y1, x1, y2, x2] = box;
      if (y < y1 || y >= y2) continue;
      const from = (y - y1) * (x2 - x1) - x1;
      for (let x = x1; x < x2; x++) row[x] = this.#join(row[x]!, window, segmentOf[from + x]!);
    }
    return row;
  }

  /** Scores of a mixture, averaged over its segments: those of the wanted columns. */
  averages(mixture: number): Float32Array {
    const found = this.#mixtures[mixture] as Mixture;
    found.averages ??= found.sums.map((sum) => sum / found.segments);
    return found.averages;
  }

  /** Which of the wanted columns scores most. */
  best(mixture: number): number {
    const found = this.#mixtures[mixture] as Mixture;
    found.best ??= argmax(this.averages(mixture));
    return found.best;
  }

  #join(mixture: number, window: number, segment: number): number {
    const key = mixture * this.#segments + (this.#first[window] as number) + segment;
    const known = this.#joined.get(key);
    if (known !== undefined) return known;
    const { sums, segments } = this.#mixtures[mixture] as Mixture;
    const { scores } = this.#windows[window] as WindowResult;
    const from = segment * (this.#names + 1);
    const joined = sums.map((sum, k) => sum + scores[from + (this.#columns[k] as number)]!);
    this.#joined.set(key, this.#mixtures.length);
    return this.#mixtures.push({ sums: joined, segments: segments + 1 }) - 1;
  }
}
