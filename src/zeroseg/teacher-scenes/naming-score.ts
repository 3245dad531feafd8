/** Crops of scenes with what they show, and how well features of them are named. */
import { random } from '../../nn/layers/index.ts';
import { dot } from '../host/index.ts';
import { clipMean, clipStd, crop, resizeImage, toTensor } from '../image/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import { cropContents, drawRegion } from './crops.ts';

/** Crops of scenes to test a teacher on, unaltered. */
export interface SceneCrops {
  /** Normalised, `[n, 3, side, side]`. */
  readonly pixels: Float32Array;
  /** What each shows, as indices into the maker's names. */
  readonly present: readonly (readonly number[])[];
}

/** `count` crops of scenes of `seed` that show something with a name, one of each scene, the makers taken in turn. */
export function sceneCrops(makers: readonly SceneMaker[], seed: number, count: number, side = 32): SceneCrops {
  const length = 3 * side * side;
  const pixels = new Float32Array(count * length);
  const present: number[][] = [];
  for (let index = 0; present.length < count; index++) {
    const maker = makers[index % makers.length] as SceneMaker;
    const scene = maker.scene(seed, index);
    const region = drawRegion(random(seed, `crops ${index}`), scene);
    const { names } = cropContents(maker, scene, region);
    if (names.length === 0) continue;
    const view = resizeImage(crop(scene.image, region), side, side, 'bicubic');
    toTensor(view, clipMean, clipStd, pixels, present.length * length);
    present.push(names.map((name) => maker.names.indexOf(name)));
  }
  return { pixels, present };
}

/** Fractions of crops. */
export interface NamingScore {
  /** Whose nearest name of all is that of something they show. */
  readonly present: number;
  /** Of those that show an object: whose nearest name of objects is that of one they show. */
  readonly objects: number;
}

/** How well features `[n, C]` of {@link sceneCrops} are named by unit vectors `[names, C]`, the first `objectCount` of objects. */
export function namingScore(
  { present }: SceneCrops,
  features: Float32Array,
  embeddings: Float32Array,
  objectCount: number,
): NamingScore {
  const width = features.length / present.length;
  const names = embeddings.length / width;
  let [right, rightObjects, withObject] = [0, 0, 0];
  present.forEach((shown, i) => {
    const score = Float64Array.from({ length: names }, (_, n) =>
      dot(features, embeddings, width, i * width, n * width),
    );
    const best = (list: Float64Array) => list.indexOf(Math.max(...list));
    if (shown.includes(best(score))) right++;
    const objects = shown.filter((n) => n < objectCount);
    if (objects.length === 0) return;
    withObject++;
    if (objects.includes(best(score.subarray(0, objectCount)))) rightObjects++;
  });
  return { present: right / present.length, objects: withObject > 0 ? rightObjects / withObject : Number.NaN };
}
