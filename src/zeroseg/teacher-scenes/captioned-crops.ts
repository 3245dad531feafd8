/** Images with captions to train a teacher on: crops of made-up scenes. */
import { type Random, random } from '../../nn/layers/index.ts';
import { type CaptionedBatch, type CaptionedData, equalCaptions } from '../clip-training/index.ts';
import { crop, resizeImage } from '../image/index.ts';
import {
  fillFrame,
  frameWords,
  grounds,
  pick,
  plural,
  type Scene,
  type SceneMaker,
  sentenceFrame,
  withArticle,
  writeCaption,
} from '../scenes/index.ts';
import { type CropContents, cropContents, drawRegion, seenIn } from './crops.ts';
import { type Augmentation, augmentedPixels, drawAugmentation } from './view-augmentation.ts';

/** How {@link CaptionedScenes} crops, words and alters. Fractions are probabilities, in 0..1. */
export interface CaptionedScenesOptions {
  /** Of scenes. */
  readonly seed: number;
  /** Side of the views in pixels. Default 32. */
  readonly side?: number;
  /** Crops out of every scene. Default 2. */
  readonly crops?: number;
  /** Fraction of captions that name one thing only. Default 0.6. */
  readonly single?: number;
  /** Strength of changes of colour, sharpness and noise. 0 is none. Default 0.6. */
  readonly alter?: number;
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
        const augmentation = drawAugmentation(draw, alter);
        const { caption, thing } = this.#caption(draw, maker, scene, contents, augmentation);
        const view = resizeImage(crop(scene.image, contents.region), side, side, 'bicubic');
        const at = captions.length * length;
        augmentedPixels(view, augmentation, draw, this.#pixels.subarray(at, at + length));
        captions.push(caption);
        said.push(thing);
        shown.push(contents.names);
      }
    }
    return { pixels: this.#pixels, captions, falseNegatives: falseNegatives(captions, said, shown) };
  }

  /** Texts that between them have every word that captions are made of. */
  texts(): string[] {
    const maker = this.#makers[0] as SceneMaker;
    const phrases = maker.names.flatMap((name) => maker.classPhrases(name));
    const forms = phrases.flatMap((phrase) => [phrase, withArticle(phrase), plural(phrase)]);
    const places = grounds.filter(({ name }) => maker.names.includes(name)).flatMap((ground) => ground.places);
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
    { qualities, isTrueColour }: Augmentation,
  ): { caption: string; thing: string | undefined } {
    if (names.length === 0) return { caption: pick(draw, plainCaptions), thing: undefined };
    const { synonyms = 0.35, details = 0.4 } = maker.options;
    if (draw() < this.#options.single) {
      const name = drawThing(draw, maker, names);
      const phrases = maker.classPhrases(name);
      const word = phrases.length > 1 && draw() < synonyms ? pick(draw, phrases.slice(1)) : name;
      const frame = sentenceFrame(draw, draw() < 0.5 ? qualities : []);
      return { caption: fillFrame(frame, word), thing: name };
    }
    const seen = seenIn(maker, scene, names, region, isTrueColour);
    const places = names.flatMap((name) => {
      const ground = grounds.find((one) => one.name === name);
      return ground ? [pick(draw, ground.places)] : [];
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

/** Fraction of the captions of one thing that name an object, of crops that show objects and ground. */
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
 * Pairs that must not count as negatives, `[B, B]`: where the captions are equal, and where text j names a single thing that
 * image i shows as well.
 */
function falseNegatives(
  captions: readonly string[],
  said: readonly (string | undefined)[],
  shown: readonly (readonly string[])[],
): Float32Array {
  const out = equalCaptions(captions);
  const count = captions.length;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const thing = said[j];
      if (i !== j && thing !== undefined && shown[i]?.includes(thing)) out[i * count + j] = 1;
    }
  }
  return out;
}
