import { decode } from 'fast-png';
import { ZeroSegError } from '../../gpu/index.ts';
import { firstRepeated } from '../host/index.ts';
import { inspectPng } from '../image/index.ts';

/** Options, an atlas or a name that scenes cannot be made of. */
export class SceneError extends ZeroSegError {
  override readonly name = 'SceneError';
  readonly code = 'scene';
}

/** A kind of object. */
export interface SceneClass {
  readonly name: string;
  readonly group: string;
  /** Other words for it, none of which names another class. */
  readonly keywords: readonly string[];
}

/** `atlas.json`: what the cells of `atlas.png` are. */
interface AtlasIndex {
  readonly format: 'zeroseg-atlas';
  readonly version: 1;
  readonly side: number;
  readonly columns: number;
  readonly styles: readonly string[];
  readonly classes: readonly SceneClass[];
}

/**
 * Cut-outs of objects on transparent ground: every class in every style, in square cells of one PNG, row by row, all
 * classes of the first style, then those of the second. `scripts/build-atlas.mjs` makes atlases; `loadAtlas` of
 * `@zeroseg/core/node` reads the one that the package brings.
 *
 * ```ts
 * const atlas = SceneAtlas.parse(png, index); // Uint8Array and parsed JSON, from wherever
 * atlas.cutOut('noto', 'dog');                // RGBA, side * side * 4
 * ```
 */
export class SceneAtlas {
  readonly side: number;
  /** In an order of their own: the first forty look unlike each other. */
  readonly classes: readonly SceneClass[];
  readonly styles: readonly string[];
  readonly #columns: number;
  readonly #pixels: Uint8Array;
  readonly #width: number;
  readonly #places: ReadonlyMap<string, number>;

  private constructor({ side, columns, styles, classes }: AtlasIndex, pixels: Uint8Array, width: number) {
    this.side = side;
    this.classes = classes;
    this.styles = styles;
    this.#columns = columns;
    this.#pixels = pixels;
    this.#width = width;
    this.#places = new Map(classes.map(({ name }, i) => [name, i]));
  }

  /** Reads an atlas: the bytes of `atlas.png`, and `atlas.json` as an object. Throws {@link SceneError}. */
  static parse(png: Uint8Array, index: unknown): SceneAtlas {
    const known = checkIndex(index);
    const { width, height, pixels } = decodeRgba(png);
    const { side, columns, styles, classes } = known;
    const rows = Math.ceil((styles.length * classes.length) / columns);
    if (width !== columns * side || height !== rows * side) {
      throw new SceneError(
        `SceneAtlas.parse: ${styles.length} styles of ${classes.length} classes in ${columns} columns of ${side} pixels need a PNG of ${columns * side} x ${rows * side}; got ${width} x ${height}`,
      );
    }
    return new SceneAtlas(known, pixels, width);
  }

  /** RGBA `[side, side, 4]` of a class as drawn in a style, transparency not multiplied in. */
  cutOut(style: string, name: string): Uint8Array {
    const drawn = this.styles.indexOf(style);
    if (drawn < 0) {
      throw new SceneError(`SceneAtlas.cutOut: style must be one of ${this.styles.join(', ')}; got ${style}`);
    }
    const place = this.#places.get(name);
    if (place === undefined) {
      throw new SceneError(
        `SceneAtlas.cutOut: name must be one of the atlas' ${this.classes.length} classes; got ${name}`,
      );
    }
    const cell = drawn * this.classes.length + place;
    const left = (cell % this.#columns) * this.side;
    const top = Math.floor(cell / this.#columns) * this.side;
    const out = new Uint8Array(this.side * this.side * 4);
    for (let y = 0; y < this.side; y++) {
      const from = ((top + y) * this.#width + left) * 4;
      out.set(this.#pixels.subarray(from, from + this.side * 4), y * this.side * 4);
    }
    return out;
  }
}

function checkIndex(index: unknown): AtlasIndex {
  const { format, version, side, columns, styles, classes } = (index ?? {}) as Partial<
    Record<keyof AtlasIndex, unknown>
  >;
  if (format !== 'zeroseg-atlas' || version !== 1) {
    throw new SceneError('SceneAtlas.parse: index must be an atlas.json of scripts/build-atlas.mjs, version 1');
  }
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
  const isList = (value: unknown, is: (one: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
  const isClass = (value: unknown): boolean => {
    const { name, group, keywords } = (value ?? {}) as Partial<Record<keyof SceneClass, unknown>>;
    return isText(name) && isText(group) && isList(keywords, isText);
  };
  const filled = isList(styles, isText) && isList(classes, isClass);
  if (!isCount(side) || !isCount(columns) || !filled || [styles, classes].some((list) => (list as []).length === 0)) {
    throw new SceneError('SceneAtlas.parse: index must give side, columns, styles and classes; atlas.json is damaged');
  }
  const names = (classes as readonly SceneClass[]).map(({ name }) => name);
  const twice = firstRepeated(names);
  if (twice !== undefined) throw new SceneError(`SceneAtlas.parse: the class ${twice} is in the index twice`);
  return index as AtlasIndex;
}

function decodeRgba(png: Uint8Array): { width: number; height: number; pixels: Uint8Array } {
  let decoded: ReturnType<typeof decode>;
  try {
    decoded = decode(inspectPng(png).needed, { checkCrc: true });
  } catch (error) {
    throw new SceneError(`SceneAtlas.parse: png is damaged or none (${(error as Error).message})`, { cause: error });
  }
  const { width, height, channels, depth, data, palette } = decoded;
  if (depth !== 8 || (channels !== 4 && !palette)) {
    throw new SceneError(`SceneAtlas.parse: png must be 8-bit RGBA or have a palette; got ${channels} x ${depth} bits`);
  }
  if (!palette) return { width, height, pixels: Uint8Array.from(data) };
  const pixels = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [red = 0, green = 0, blue = 0, alpha = 255] = palette[data[i]!] ?? [];
    pixels[i * 4] = red;
    pixels[i * 4 + 1] = green;
    pixels[i * 4 + 2] = blue;
    pixels[i * 4 + 3] = alpha;
  }
  return { width, height, pixels };
}
