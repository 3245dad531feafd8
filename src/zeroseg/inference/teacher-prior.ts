/** What the teacher sees in large crops of a photo: which names are likely to be there at all. */
import type { Teacher, Vocabulary } from '../clip/index.ts';
import { dot, softmax, unitRows } from '../host/index.ts';
import { crop, type Image, resizeImage, slidingWindows, toTensor } from '../image/index.ts';

/** Squares that are looked at, in sides of the photo's shorter side, and the weight of what they say. */
const sizes = [
  { side: 3 / 8, step: 1 / 8, power: 1 },
  { side: 1 / 2, step: 1 / 8, power: 0.2 },
  { side: 1, step: 1 / 2, power: 0.1 },
] as const;

/** What is added to probabilities, so that no name is left out altogether. */
const LEAST = 0.01;

/** Features of a photo's crops by the teacher. */
export interface TeacherLook {
  /** `[n, C]`, of one size after the other. */
  readonly features: Float32Array;
  /** Crops of each size. */
  readonly counts: readonly number[];
  /** The teacher's own factor on cosines, whatever factor its student is named by. */
  readonly scale: number;
}

/** Lets the teacher look at a photo: 62 crops of a square one. `scale`: its factor on cosines. */
export async function teacherLook(teacher: Teacher, photo: Image, scale: number): Promise<TeacherLook> {
  const { size, mean, std } = teacher.pixels;
  const short = Math.min(photo.width, photo.height);
  const regions = sizes.map(({ side, step }) => {
    const length = Math.max(1, Math.round(side * short));
    const stride = Math.max(1, Math.round(step * short));
    const boxes = slidingWindows(photo.height, photo.width, length, stride);
    return boxes.map(([y, x]) => ({ x, y, width: length, height: length }));
  });
  const each = 3 * size * size;
  const all = regions.flat();
  const views = new Float32Array(all.length * each);
  for (const [i, region] of all.entries()) {
    views.set(toTensor(resizeImage(crop(photo, region), size, size, 'bicubic'), mean, std), i * each);
  }
  return { features: await teacher.features(views), counts: regions.map(({ length }) => length), scale };
}

/**
 * Factors on the columns of scores, background first: f_c = Π over sizes of (p_c + 0.01)^power, over that of the best name, p_c being the
 * largest probability that any crop of the size gives to name c, by a softmax over all names. That of the background is 1.
 */
export function teacherFactors(
  { features, counts, scale }: TeacherLook,
  { names, embeddings }: Pick<Vocabulary, 'names' | 'embeddings'>,
): Float32Array {
  const width = embeddings.length / names.length;
  const [crops, words] = [unitRows(features, width), unitRows(embeddings, width)];
  const factors = new Float64Array(names.length).fill(1);
  let row = 0;
  for (const [i, { power }] of sizes.entries()) {
    const best = new Float64Array(names.length);
    for (const end = row + (counts[i] ?? 0); row < end; row++) {
      const cosines = Float64Array.from(names, (_, c) => dot(crops, words, width, row * width, c * width));
      for (const [c, p] of softmax(cosines, scale).entries()) best[c] = Math.max(best[c]!, p);
    }
    for (const [c, p] of best.entries()) factors[c]! *= (p + LEAST) ** power;
  }
  const largest = Math.max(...factors);
  return Float32Array.from({ length: 1 + names.length }, (_, at) => (at === 0 ? 1 : factors[at - 1]! / largest));
}
