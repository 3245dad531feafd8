import { type Random, random } from '../../nn/layers/index.ts';
import { alike, type CaptionedBatch, type CaptionedData } from '../clip/index.ts';
import { clipMean, clipStd, crop, type Image, type Region, resizeImage, toTensor } from '../image/index.ts';
import { plural, type Seen, withArticle, writeCaption } from './caption.ts';
import { between, pick } from './colour.ts';
import type { Scene, SceneMaker } from './scene.ts';
import { fillFrame, frameWords, sentenceFrame } from './sentence-frames.ts';
import { stuffs } from './stuff.ts';

/** How {@link CaptionedScenes} crops, words and alters. Shares are probabilities, in 0..1. */
export interface CaptionedScenesOptions {
  /** Of scenes. */
  readonly seed: number;
  /** Side of the views in pixels. Default 32. */
  readonly side?: number;
  /** Crops out of every scene. Default 2. */
  readonly crops?: number;
  /** Share of captions that name one thing only. Default 0.6. */
  readonly single?: number;
  /** Strength of changes of colour, sharpness and noise. 0 is none. Default 0.6. */
  readonly alter?: number;
}

/** The smallest crop, relative to the scene's side: a cell of the finest grid. */
const smallest = 0.24;
/** Shares of crops that are the whole scene, and that are drawn round one of its objects. */
const whole = 0.15;
const around = 0.45;

/** What a crop shows: names by the share of the crop that they take, the largest first. */
export interface CropContents {
  readonly region: Region;
  readonly names: readonly string[];
}

/**
 * Crops of made-up scenes, of a quarter of their side to all of it, with captions of what is to be seen in the crop: half of
 * them name its main thing only (`a drawing of a kitten`), half tell all. The same for the same seed and number.
 *
 * ```ts
 * const data = new CaptionedScenes([new SceneMaker(atlas, scenePresets.crowded)], { seed: 1 });
 * data.batch(0, 128).captions[0]; // 'two cats on a lawn'
 * ```
 */
export class CaptionedScenes implements CaptionedData {
  readonly #makers: readonly SceneMaker[];
  readonly #options: Required<CaptionedScenesOptions>;
  #pixels = new Float32Array(0);

  /** `makers`: kinds of scenes, taken in turn; all of the same names. */
  constructor(makers: readonly SceneMaker[], options: CaptionedScenesOptions) {
    this.#makers = makers;
    this.#options = { side: 32, crops: 2, single: 0.6, alter: 0.6, ...options };
  }

  batch(number: number, pairs: number): CaptionedBatch {
    const { seed, side, crops, alter } = this.#options;
    const length = 3 * side * side;
    if (this.#pixels.length !== pairs * length) this.#pixels = new Float32Array(pairs * length);
    const scenes = Math.ceil(pairs / crops);
    const captions: string[] = [];
    const said: (string | undefined)[] = [];
    const shown: (readonly string[])[] = [];
    for (let s = 0; s < scenes; s++) {
      const index = number * scenes + s;
      const maker = this.#makers[index % this.#makers.length] as SceneMaker;
      const scene = maker.scene(seed, index);
      const draw = random(seed, `crops ${index}`);
      for (let c = 0; c < crops && captions.length < pairs; c++) {
        const contents = cropContents(maker, scene, drawRegion(draw, scene));
        const look = drawLook(draw, alter);
        const { caption, thing } = this.#caption(draw, maker, scene, contents, look);
        const view = resizeImage(crop(scene.image, contents.region), side, side, 'bicubic');
        const at = captions.length * length;
        paintLook(view, look, draw, this.#pixels.subarray(at, at + length));
        captions.push(caption);
        said.push(thing);
        shown.push(contents.names);
      }
    }
    return { pixels: this.#pixels, captions, alike: trueElsewhere(captions, said, shown) };
  }

  /** Texts that between them have every word that captions are made of. */
  texts(): string[] {
    const maker = this.#makers[0] as SceneMaker;
    const phrases = maker.names.flatMap((name) => maker.classPhrases(name));
    const forms = phrases.flatMap((phrase) => [phrase, withArticle(phrase), plural(phrase)]);
    const places = stuffs.filter(({ name }) => maker.names.includes(name)).flatMap((stuff) => stuff.places);
    // The sentences of scenes' captions have no list of words; so many scenes use them all.
    const captions = Array.from({ length: SAMPLED }, (_, i) => {
      const one = this.#makers[i % this.#makers.length] as SceneMaker;
      return one.scene(this.#options.seed, i).caption;
    });
    return [...forms, ...places, ...frameWords(), ...plainCaptions, 'a picture taken', ...captions];
  }

  #caption(
    draw: Random,
    maker: SceneMaker,
    scene: Scene,
    { names, region }: CropContents,
    look: Look,
  ): { caption: string; thing: string | undefined } {
    if (names.length === 0) return { caption: pick(draw, plainCaptions), thing: undefined };
    const { synonyms = 0.35, details = 0.4 } = maker.options;
    if (draw() < this.#options.single) {
      const name = drawThing(draw, maker, names);
      const phrases = maker.classPhrases(name);
      const word = phrases.length > 1 && draw() < synonyms ? pick(draw, phrases.slice(1)) : name;
      const frame = sentenceFrame(draw, draw() < 0.5 ? look.qualities : []);
      return { caption: fillFrame(frame, word), thing: name };
    }
    const seen = seenIn(maker, scene, names, region, look.isTrueColour);
    const places = names.flatMap((name) => {
      const stuff = stuffs.find((one) => one.name === name);
      return stuff ? [pick(draw, stuff.places)] : [];
    });
    return { caption: writeCaption(draw, seen, places, { synonyms, details }), thing: undefined };
  }
}

/**
 * The thing that a caption of one thing names: an object where there is one, nearly always. The largest would be ground as a
 * rule, and the names of things would seldom be learnt.
 */
function drawThing(draw: Random, maker: SceneMaker, names: readonly string[]): string {
  const objects = names.filter((name) => maker.names.indexOf(name) < maker.objectCount);
  const ground = names.filter((name) => !objects.includes(name));
  const isObject = ground.length === 0 || (objects.length > 0 && draw() < OBJECTS_FIRST);
  return pick(draw, isObject ? objects : ground);
}

/** Share of the captions of one thing that name an object, of crops that show objects and ground. */
const OBJECTS_FIRST = 0.8;

/** Scenes whose captions are read for their words. */
const SAMPLED = 1500;

const plainCaptions = [
  'a plain background',
  'an empty picture',
  'nothing but a plain background',
  'an empty background',
];

/**
 * What a square crop shows, by the exact labels: an object with a fifth of its pixels or 8 % of the crop, stuff with 15 % of the
 * crop.
 */
export function cropContents(maker: SceneMaker, { labels, image }: Scene, region: Region): CropContents {
  const counts = new Uint32Array(maker.names.length + 1);
  const totals = new Uint32Array(maker.names.length + 1);
  for (let i = 0; i < labels.data.length; i++) {
    const label = labels.data[i] as number;
    totals[label]!++;
    const [x, y] = [i % image.width, Math.floor(i / image.width)];
    const isInside = x >= region.x && x < region.x + region.width && y >= region.y && y < region.y + region.height;
    if (isInside) counts[label]!++;
  }
  const area = region.width * region.height;
  const found: { name: string; count: number }[] = [];
  maker.names.forEach((name, i) => {
    const count = counts[i + 1] as number;
    const isObject = i < maker.objectCount;
    // A fifth of a thing that is a dot in this crop is not to be seen.
    const isSeen = isObject
      ? count >= 0.08 * area || (count >= 0.2 * (totals[i + 1] as number) && count >= 0.03 * area)
      : count >= 0.15 * area;
    if (isSeen && count > 0) found.push({ name, count });
  });
  return { region, names: found.sort((a, b) => b.count - a.count).map(({ name }) => name) };
}

/** A square crop: all of the scene; one thing with some of what is round it; or any part from a quarter of a side on. */
function drawRegion(draw: Random, { image, objects }: Scene): Region {
  const size = image.width;
  const choice = draw();
  if (choice < whole) return { x: 0, y: 0, width: size, height: size };
  const object = choice < whole + around ? objects[Math.floor(draw() * objects.length)] : undefined;
  const wanted = object ? object.long * between(draw, 0.75, 1.6) : size * between(draw, smallest, 0.9);
  const side = Math.max(4, Math.round(Math.min(size, Math.max(smallest * size, wanted))));
  const place = (middle: number | undefined) => {
    const at = middle === undefined ? draw() * (size - side) : middle + side * between(draw, -0.7, -0.3);
    return Math.round(Math.max(0, Math.min(size - side, at)));
  };
  return { x: place(object?.x), y: place(object?.y), width: side, height: side };
}

/** The objects of a crop as a caption sees them: their places and sizes are relative to the crop. */
function seenIn(
  maker: SceneMaker,
  { objects }: Scene,
  names: readonly string[],
  { x: left, y: top, width: side }: Region,
  isTrueColour: boolean,
): Seen[] {
  return names.flatMap((name) => {
    const all = objects.filter((object) => object.name === name);
    const inside = all.filter(({ x, y }) => x >= left && y >= top && x < left + side && y < top + side);
    return (inside.length > 0 ? inside : all.slice(0, 1)).map(({ x, y, long, colour }) => ({
      name,
      keywords: maker.classPhrases(name).slice(1),
      colour: isTrueColour ? colour : undefined,
      long: long / side,
      x: (x - left) / side,
      y: (y - top) / side,
    }));
  });
}

/**
 * Which pairs are no wrong answers, `[B, B]`: where the captions are equal, and where text j names a single thing that image i
 * shows as well.
 */
function trueElsewhere(
  captions: readonly string[],
  said: readonly (string | undefined)[],
  shown: readonly (readonly string[])[],
): Float32Array {
  const out = alike(captions);
  const count = captions.length;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const thing = said[j];
      if (i !== j && thing !== undefined && shown[i]?.includes(thing)) out[i * count + j] = 1;
    }
  }
  return out;
}

/** How a view is altered: so that the teacher knows things in drawings of other styles. */
interface Look {
  /** Rows of a matrix of red, green, blue and a constant, on values in 0..1. */
  readonly colours: readonly number[];
  /** Weight of the neighbours on either side: 0 is sharp. */
  readonly blur: number;
  /** Deviation of the noise. */
  readonly noise: number;
  /** Adjectives of such a picture. */
  readonly qualities: readonly string[];
  /** Whether things have their colours still. */
  readonly isTrueColour: boolean;
}

function drawLook(draw: Random, strength: number): Look {
  const around = (reach: number) => (2 * draw() - 1) * reach * strength;
  const chance = (share: number) => draw() < share * strength;
  const gain = 2 ** around(0.5);
  const contrast = 2 ** around(0.5);
  const tints = [1 + around(0.12), 1 + around(0.12), 1 + around(0.12)];
  const isGrey = chance(0.08);
  const isTurned = chance(0.12);
  const isInverted = chance(0.02);
  const saturation = isGrey ? 0 : 2 ** around(0.8);
  const turn = isTurned ? draw() * 2 * Math.PI : around(0.25);
  const [cos, sin] = [Math.cos(turn) * saturation, Math.sin(turn) * saturation];
  const factor = gain * contrast * (isInverted ? -1 : 1);
  // Turned about grey, as in SVG's feColorMatrix, around the middle of the range.
  const light = [0.213, 0.715, 0.072];
  const sines = [-0.213, -0.715, 0.928, 0.143, 0.14, -0.283, -0.787, 0.715, 0.072];
  const colours = Array.from({ length: 12 }, (_, at) => {
    const [row, column] = [Math.floor(at / 4), at % 4];
    if (column === 3) return 0.5 - 0.5 * (tints[row] as number) * contrast * (isInverted ? -1 : 1);
    const own = row === column ? 1 : 0;
    const turned =
      (light[column] as number) + cos * (own - (light[column] as number)) + sin * (sines[row * 3 + column] as number);
    return (tints[row] as number) * factor * turned;
  });
  const [isBlurred, isNoisy] = [chance(0.15), chance(0.2)];
  const blur = isBlurred ? 0.1 + 0.23 * draw() : 0;
  const noise = isNoisy ? 0.08 * draw() : 0;
  const qualities = [
    ...(isGrey ? ['black and white'] : []),
    ...(gain < 0.8 ? ['dark'] : gain > 1.25 ? ['bright'] : []),
    ...(blur > 0.2 ? ['blurry', 'low resolution'] : []),
    ...(noise > 0.05 ? ['pixelated', 'jpeg corrupted'] : []),
  ];
  return { colours, blur, noise, qualities, isTrueColour: !(isGrey || isTurned || isInverted) };
}

/** The altered view, normalised as CLIP wants it, into `target` `[3, side, side]`. */
function paintLook(view: Image, { colours, blur, noise }: Look, draw: Random, target: Float32Array): void {
  const { width: side, data } = view;
  const pixels = side * side;
  for (let c = 0; c < 3; c++) {
    const [r, g, b, shift] = colours.slice(c * 4, c * 4 + 4) as [number, number, number, number];
    for (let i = 0; i < pixels; i++) {
      const value = (r * data[i * 3]! + g * data[i * 3 + 1]! + b * data[i * 3 + 2]!) / 255 + shift;
      target[c * pixels + i] = Math.max(0, Math.min(1, value));
    }
    const plane = target.subarray(c * pixels, (c + 1) * pixels);
    if (blur > 0) {
      smooth(plane, side, 1, side, blur);
      smooth(plane, side, side, 1, blur);
    }
    for (let i = 0; i < pixels; i++) {
      const value = plane[i]! + (noise > 0 ? noise * 1.7 * (2 * draw() - 1) : 0);
      plane[i] = (Math.max(0, Math.min(1, value)) - clipMean[c]!) / clipStd[c]!;
    }
  }
}

/** Mixes every value with those before and after it, `step` apart, in lines that begin `line` apart. */
function smooth(plane: Float32Array, side: number, step: number, line: number, weight: number): void {
  for (let row = 0; row < side; row++) {
    let before = plane[row * line]!;
    for (let i = 0; i < side; i++) {
      const at = row * line + i * step;
      const value = plane[at]!;
      const after = i + 1 < side ? plane[at + step]! : value;
      plane[at] = value + weight * (before + after - 2 * value);
      before = value;
    }
  }
}

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

/** Shares of crops. */
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
    const score = Float64Array.from({ length: names }, (_, n) => {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += features[i * width + c]! * embeddings[n * width + c]!;
      return sum;
    });
    const best = (list: Float64Array) => list.indexOf(Math.max(...list));
    if (shown.includes(best(score))) right++;
    const objects = shown.filter((n) => n < objectCount);
    if (objects.length === 0) return;
    withObject++;
    if (objects.includes(best(score.subarray(0, objectCount)))) rightObjects++;
  });
  return { present: right / present.length, objects: withObject > 0 ? rightObjects / withObject : Number.NaN };
}
