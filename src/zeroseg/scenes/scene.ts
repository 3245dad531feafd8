/**
 * Made-up pictures whose every pixel is known: cut-outs of objects over procedural grounds, with label maps that are
 * exact and captions that name what is there. They teach a small teacher words, and score what a student learnt from it.
 */
import { random } from '../../nn/layers/index.ts';
import type { Image, LabelMap } from '../image/index.ts';
import { type SceneAtlas, SceneError } from './atlas.ts';
import { type Seen, writeCaption } from './caption.ts';
import { between, pick } from './colour.ts';
import { unchanged } from './colour-matrix.ts';
import { CutOut, type Placement } from './cut-out.ts';
import { type Ground, grounds, horizons, paintPlain } from './grounds/grounds.ts';
import type { Canvas } from './grounds/pixels.ts';
import { compose, countPixels, emptyLayer, type Layer } from './layer.ts';
import { drawColours, drawRendering, pixelsOf, type Rendering, redraw } from './rendering.ts';
import {
  chooseClasses,
  chooseNames,
  completeSettings,
  groundNames,
  type SceneOptions,
  type Settings,
} from './scene-options.ts';

/** An object in a scene. */
export interface SceneObject {
  readonly name: string;
  /** Its value in the label map; objects of a class share it. */
  readonly label: number;
  readonly style: string;
  /** How it is drawn, if not as the style does: see {@link SceneOptions.redrawn}. */
  readonly rendering: Rendering;
  /** Its middle, in pixels; it may lie outside of the picture. */
  readonly x: number;
  readonly y: number;
  /** Longer side before it is turned, in pixels. */
  readonly long: number;
  /** Clockwise, in degrees. */
  readonly rotation: number;
  readonly flipped: boolean;
  /** What most of it looks like, if that has a name. */
  readonly colour: string | undefined;
  /** Pixels of it that are visible. */
  readonly pixels: number;
}

/** A picture and all that is known of it. */
export interface Scene {
  readonly image: Image;
  /** 0 where the ground has no name, else 1 + an index into {@link SceneMaker.names}. */
  readonly labels: LabelMap;
  readonly caption: string;
  /** From the back to the front. */
  readonly objects: readonly SceneObject[];
  /** The named grounds that are visible, from top to bottom. */
  readonly grounds: readonly string[];
}

/** Tries to find room for an object before it is left out. */
const TRIES = 12;

/**
 * Makes scenes. Scene `index` of `seed` is the same on every machine, whatever was made before it.
 *
 * Each is painted from the back to the front: named grounds, or one without a name; then objects, later ones over earlier.
 * An object owns the pixels that it covers by half or more; its edges are blended. Of every object at least
 * `visible` of its pixels remain, or it is not there.
 *
 * ```ts
 * const scenes = new SceneMaker(atlas, { ...scenePresets.crowded, classes: 40 });
 * const { image, labels, caption } = scenes.scene(1, 0);
 * caption;                                  // 'a photo of a cat and an umbrella on grass'
 * scenes.names[labels.data[0]! - 1];        // 'grass'
 * ```
 */
export class SceneMaker {
  /** Objects, then grounds: label l from 1 on is `names[l - 1]`; 0 is ground without a name. */
  readonly names: readonly string[];
  /** How many of the names are objects. */
  readonly objectCount: number;
  readonly options: SceneOptions;
  readonly #atlas: SceneAtlas;
  readonly #settings: Settings;
  readonly #styles: readonly string[];
  readonly #grounds: readonly Ground[];
  readonly #horizons: readonly (readonly [Ground, Ground])[];
  readonly #keywords: ReadonlyMap<string, readonly string[]>;
  readonly #cutOuts = new Map<string, CutOut>();
  readonly #layer: Layer;
  readonly #shadow: Layer;
  readonly #lower: Uint8Array;

  constructor(atlas: SceneAtlas, options: SceneOptions = {}) {
    this.#atlas = atlas;
    this.options = options;
    this.#settings = completeSettings(options);
    const classes = chooseClasses(atlas, options.classes);
    this.#styles = chooseNames('styles', options.styles, atlas.styles);
    const named = chooseNames('grounds', options.grounds, groundNames, this.#settings.named > 0 ? 1 : 0);
    this.#grounds = named.map((name) => grounds.find((one) => one.name === name) as Ground);
    const find = (name: string): Ground | undefined => this.#grounds.find((one) => one.name === name);
    this.#horizons = horizons.flatMap(([above, below]) => {
      const [upper, lower] = [find(above), find(below)];
      return upper && lower ? [[upper, lower] as const] : [];
    });
    this.names = [...classes, ...named];
    this.objectCount = classes.length;
    this.#keywords = new Map([
      ...atlas.classes.map(({ name, keywords }) => [name, keywords] as const),
      ...this.#grounds.map(({ name, keywords }) => [name, keywords] as const),
    ]);
    const { size } = this.#settings;
    this.#layer = emptyLayer(size);
    this.#shadow = emptyLayer(size);
    this.#lower = new Uint8Array(size * size * 3);
  }

  /**
   * All that a name of {@link SceneMaker.names} may be called: itself, then its synonyms.
   *
   * ```ts
   * scenes.classPhrases('couch'); // ['couch', 'sofa', 'settee']
   * ```
   */
  classPhrases(name: string): readonly string[] {
    if (!this.names.includes(name)) {
      throw new SceneError(`SceneMaker.classPhrases: name must be one of the ${this.names.length} names; got ${name}`);
    }
    return [name, ...(this.#keywords.get(name) ?? [])];
  }

  /** Scene `index` of `seed`; both are whole numbers from 0. */
  scene(seed: number, index: number): Scene {
    checkWhole('SceneMaker.scene', 'seed', seed);
    checkWhole('SceneMaker.scene', 'index', index);
    const settings = this.#settings;
    const { size } = settings;
    const draw = random(seed, `scene ${index}`);
    const data = new Uint8Array(size * size * 3);
    const Labels = this.names.length < 255 ? Uint8Array : Uint16Array;
    const labels = new Labels(size * size);
    const ground = this.#paintGround(draw, data, labels);

    const [min, max] = settings.objects;
    const wanted = min + Math.floor(draw() * (max - min + 1));
    const objects: PlacedObject[] = [];
    // Which object a pixel belongs to: 1 + its index.
    const owners = new Uint8Array(size * size);
    for (let i = 0; i < wanted; i++) {
      const before = objects.at(-1);
      const repeated = draw() < settings.repeat && before;
      const name = repeated ? before.name : (this.names[Math.floor(draw() * this.objectCount)] as string);
      const style = repeated ? before.style : pick(draw, this.#styles);
      const rendering = repeated ? before.rendering : drawRendering(draw, settings.redrawn);
      const placed = this.#place(draw, { name, style, rendering }, objects, owners);
      if (!placed) continue;
      if (draw() < settings.shadow) this.#darken(draw, placed, data);
      objects.push(placed);
      compose(this.#layer, data, owners, objects.length);
    }
    for (let i = 0; i < owners.length; i++) if (owners[i]! > 0) labels[i] = objects[owners[i]! - 1]!.label;

    const visible = ground.names.filter((name) => labels.includes(this.names.indexOf(name, this.objectCount) + 1));
    const places = ground.names.flatMap((name, i) => (visible.includes(name) ? [ground.places[i] as string] : []));
    const seen = objects.map(
      ({ name, colour, long, x, y }): Seen => ({
        name,
        keywords: this.#keywords.get(name) ?? [],
        colour,
        long: long / size,
        x: x / size,
        y: y / size,
      }),
    );
    const caption = writeCaption(draw, seen, ground.names.length > 0 ? places.reverse() : ground.places, settings);
    return {
      image: { width: size, height: size, data },
      labels: { width: size, height: size, data: labels },
      caption,
      objects: objects.map(({ turn, total: _, ...object }) => ({ ...object, rotation: (turn * 180) / Math.PI })),
      grounds: visible,
    };
  }

  /** Fills picture and label map. */
  #paintGround(
    draw: () => number,
    data: Uint8Array,
    labels: Uint8Array | Uint16Array,
  ): { names: string[]; places: string[] } {
    const { size, named, horizon } = this.#settings;
    const canvas: Canvas = { data, size, from: 0, to: size };
    const [isNamed, isSplit] = [draw() < named, draw() < horizon];
    if (!isNamed) {
      const places = paintPlain(canvas, draw);
      return { names: [], places: draw() < 0.5 ? [pick(draw, places)] : [] };
    }
    const label = (ground: Ground): number => this.objectCount + 1 + this.#grounds.indexOf(ground);
    if (!isSplit || this.#horizons.length === 0) {
      const ground = pick(draw, this.#grounds);
      ground.paint(canvas, draw);
      labels.fill(label(ground));
      return { names: [ground.name], places: [pick(draw, ground.places)] };
    }
    const [upper, lower] = pick(draw, this.#horizons);
    const height = between(draw, 0.3, 0.7) * size;
    const slope = between(draw, -0.12, 0.12);
    const reach = (Math.abs(slope) * size) / 2;
    const first = Math.max(0, Math.floor(height - reach - 1));
    const last = Math.min(size, Math.ceil(height + reach + 1));
    upper.paint({ ...canvas, to: last }, draw);
    lower.paint({ data: this.#lower, size, from: first, to: size }, draw);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const i = y * size + x;
        const isBelow = y + 0.5 > height + slope * (x + 0.5 - size / 2);
        labels[i] = label(isBelow ? lower : upper);
        if (!isBelow) continue;
        for (let c = 0; c < 3; c++) data[i * 3 + c] = this.#lower[i * 3 + c]!;
      }
    }
    return { names: [upper.name, lower.name], places: [pick(draw, upper.places), pick(draw, lower.places)] };
  }

  /** Draws an object into the layer at a place where it and those behind it can be seen; undefined if there is none. */
  #place(
    draw: () => number,
    drawing: Drawing,
    others: readonly PlacedObject[],
    owners: Uint8Array,
  ): PlacedObject | undefined {
    const { size, scale, rotation, tumbled, flip, jitter, visible } = this.#settings;
    const cutOut = this.#cutOut(drawing);
    const colours = drawColours(draw, drawing.rendering, jitter);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const long = between(draw, ...scale) * size;
      const max = draw() < tumbled ? 180 : rotation;
      const turn = (between(draw, -max, max) * Math.PI) / 180;
      const flipped = draw() < flip;
      // Small ones reach over the border by a fifth of their length, large ones stay near the middle.
      const margin = Math.min(0.5 * size, 0.3 * long + 0.05 * size);
      const x = between(draw, margin, size - margin);
      const y = between(draw, margin, size - margin);
      const placement: Placement = { x, y, long, turn, flipped };
      cutOut.draw(placement, colours, this.#layer);
      const { own, covered } = countPixels(this.#layer, owners, others.length);
      const total = cutOut.area * long * long;
      if (own === 0 || own < visible * total) continue;
      if (others.some((other, i) => other.pixels - covered[i + 1]! < Math.max(1, visible * other.total))) continue;
      others.forEach((other, i) => {
        other.pixels -= covered[i + 1]!;
      });
      const label = this.names.indexOf(drawing.name) + 1;
      const colour = cutOut.colourName(colours);
      return { ...drawing, label, ...placement, colour, pixels: own, total };
    }
    return undefined;
  }

  /** A soft shadow, below and to one side, on what is painted so far. */
  #darken(draw: () => number, placement: PlacedObject, data: Uint8Array): void {
    const cutOut = this.#cutOut(placement);
    const { long, turn, flipped } = placement;
    const x = placement.x + between(draw, -0.1, 0.1) * long;
    const y = placement.y + between(draw, 0.03, 0.1) * long;
    const strength = between(draw, 0.2, 0.45) / 255;
    const shadow = this.#shadow;
    cutOut.draw({ x, y, long, turn, flipped }, unchanged, shadow, { softness: 4 });
    const { left, top, right, bottom, size, data: alpha } = shadow;
    for (let py = top; py < bottom; py++) {
      for (let px = left; px < right; px++) {
        const i = py * size + px;
        const light = 1 - strength * alpha[i * 4 + 3]!;
        for (let c = 0; c < 3; c++) data[i * 3 + c] = data[i * 3 + c]! * light;
      }
    }
  }

  #cutOut({ style, name, rendering }: Drawing): CutOut {
    const key = `${pixelsOf(rendering)}/${style}/${name}`;
    let found = this.#cutOuts.get(key);
    if (!found) {
      const { side } = this.#atlas;
      found = new CutOut(redraw(this.#atlas.cutOut(style, name), side, rendering), side);
      this.#cutOuts.set(key, found);
    }
    return found;
  }
}

/** What is drawn, and how. */
interface Drawing {
  readonly name: string;
  readonly style: string;
  readonly rendering: Rendering;
}

/** An object while its scene is made. */
interface PlacedObject extends Placement, Drawing {
  readonly label: number;
  readonly colour: string | undefined;
  pixels: number;
  /** Pixels that it would have uncovered in a picture without borders. */
  readonly total: number;
}

function checkWhole(op: string, argument: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new SceneError(`${op}: ${argument} must be a whole number from 0; got ${value}`);
}
