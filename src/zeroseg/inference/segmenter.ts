/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device, heard } from '../../gpu/index.ts';
import { noTrace } from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { KeptSteps, readAll, type Step, step } from '../../tensor/run/index.ts';
import { StepError } from '../../tensor/values/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import { checkImage, type Image, type LabelMap, slidingWindows, type WindowBox } from '../image/index.ts';
import type { PatchGrid, Size } from '../pixels/index.ts';
import { pixelSegments } from './assemble.ts';
import type { DividedWindow, Division, NamingRules, SegmentResult } from './division.ts';
import { namePixels, refinedLabels } from './name-pixels.ts';
import { cropPlanes, inferenceSize, joinedPlanes, mirroredRows, padPlanes, resizedPlanes } from './planes.ts';
import { checkOneOf } from './rule-checks.ts';
import { checkNumbers, type SegmentingModel } from './segmenting-model.ts';
import type { TeacherLook } from './teacher-prior.ts';

/** How a photo is divided. Progress counts windows. */
export interface DivideOptions extends WorkOptions<Progress> {
  /** Shorter side of the resized photo. Default: that of the model, or twice the side it was trained at. */
  readonly short?: number | undefined;
  /** Side of the windows. Default: that of the model, or `short`. */
  readonly window?: number | undefined;
  /** Step of the windows. Default: that of the model, or half a window. */
  readonly stride?: number | undefined;
  /** `whole`: a single window of the whole photo. Default `slide`. */
  readonly mode?: 'slide' | 'whole' | undefined;
  /** Of a ZeroSeg whose groups begin at medoids: see `InferenceOptions.groups`. */
  readonly groups?: readonly number[] | undefined;
  /** Looks at the mirrored photo too, and takes the mean of both: twice the time. Default false. */
  readonly flip?: boolean | undefined;
  /** Lets the teacher look at crops of the photo, for {@link NamingRules.teacherPrior}. Default false. */
  readonly teacherPrior?: boolean | undefined;
  /** Of a CLIP that names patches: also their keys, for {@link NamingRules.smooth}. Default false. */
  readonly keys?: boolean | undefined;
}

export interface SegmentOptions extends DivideOptions, NamingRules {}

interface WindowValues {
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Empty of all but models that group. */
  readonly rollout: Float32Array;
  readonly keys?: Float32Array | undefined;
}

/** What decides which step computes a window. */
type FeatureOptions = Pick<DivideOptions, 'keys' | 'groups'>;

type SegmentStep = Step<'image', Readonly<Record<string, Tensor>>>;

/** Sizes of windows whose steps are kept; the photos of one data set need few. */
const KEPT_STEPS = 8;

/** Windows that go through the GPU at once. */
const PASS_WINDOWS = 8;
/**
 * Pixels of these: five windows of 448, so that memory is bounded. On a processor small windows alone gain: six of 32 pixels together took 0.6
 * of the time, two of 128 took 1.15 times as long.
 */
const PASS_PIXELS = { hardware: 2 ** 20, software: 2 ** 13 };

/** A window as it is looked at. */
interface Look {
  readonly box: WindowBox;
  readonly mirrored: boolean;
}

/**
 * Segments photos by words with a trained model (spec §11).
 *
 * ```ts
 * using segmenter = new Segmenter(device, model);
 * const { labels } = await segmenter.segment(photo, vocabulary);
 * ```
 */
export class Segmenter implements Disposable {
  readonly #device: Device;
  readonly #model: SegmentingModel;
  /** Steps by size of window. */
  readonly #steps = new KeptSteps<SegmentStep>(KEPT_STEPS);
  readonly #teacherLook: ((photo: Image) => Promise<TeacherLook>) | undefined;
  #disposed = false;

  /** `look`: how its teacher looks at a photo, for {@link DivideOptions.teacherPrior}. */
  constructor(device: Device, model: SegmentingModel, look?: (photo: Image) => Promise<TeacherLook>) {
    this.#device = device;
    this.#model = model;
    this.#teacherLook = look;
  }

  /** The label map of a photo, at its own size. */
  async segment(photo: Image, vocabulary: Vocabulary, options: SegmentOptions = {}): Promise<SegmentResult> {
    checkImage('Segmenter.segment', photo);
    return this.name(await this.divide(photo, { keys: options.smooth !== undefined, ...options }), vocabulary, options);
  }

  /** Names what a photo was divided into: as {@link nameSegments}, and by patches or refined, on the GPU. */
  name(
    division: Division,
    vocabulary: Vocabulary,
    { signal, ...rules }: NamingRules & Pick<WorkOptions<never>, 'signal'> = {},
  ): Promise<SegmentResult> {
    return namePixels(this.#device, division, vocabulary, rules, signal);
  }

  /** The classes of {@link refinedLabels} by windows that were named otherwise, by another threshold say. */
  refine(
    division: Division,
    windows: SegmentResult['windows'],
    names: number,
    isBackground: boolean,
    rules: Pick<NamingRules, 'refine' | 'size' | 'assignment'>,
  ): Promise<LabelMap> {
    return refinedLabels(this.#device, division, windows, names, isBackground, rules);
  }

  /** Segments without names, which {@link nameSegments} gives them. */
  async divide(photo: Image, options: DivideOptions = {}): Promise<Division> {
    checkImage('Segmenter.divide', photo);
    checkDivideOptions(options);
    const { patch } = this.#model.config;
    const { cell = 1, pixels } = this.#model;
    const min = Math.max(patch, cell);
    const short = this.#side(options);
    if (short < min) {
      const what = min === patch ? 'a patch' : 'a crop';
      throw new ArgumentError(
        `Segmenter.divide: short must be at least ${min} pixels, ${what} of the model; got ${short}`,
      );
    }
    const [w, h] = inferenceSize(photo, short);
    // Whole cells; a very thin photo is widened to one patch.
    const whole = (side: number) => Math.max(Math.round(side / cell) * cell, min);
    const resized = { width: whole(w), height: whole(h) };
    const planes = resizedPlanes(photo, resized.width, resized.height, pixels);
    if (!options.teacherPrior) return this.dividePlanes(planes, resized, photo, options);
    if (!this.#teacherLook) {
      throw new ArgumentError('Segmenter.divide: teacherPrior is for a ZeroSeg with its teacher; leave it out');
    }
    const look = await this.#teacherLook(photo);
    return { ...(await this.dividePlanes(planes, resized, photo, options)), look };
  }

  #side({ short }: DivideOptions): number {
    return short ?? this.#model.short ?? 2 * this.#model.config.image;
  }

  /** As {@link divide}, from an already resized and normalised image `[3, height, width]` of a photo of some size. */
  async dividePlanes(
    pixels: Float32Array,
    resized: Division['resized'],
    photo: Division['resized'],
    options: DivideOptions = {},
  ): Promise<Division> {
    // Windows begin at pixels or, of a model of cells, at cells: then these are what a division is made of.
    const { cell = 1, patches } = this.#model;
    const { width, height } = resized;
    const [rows, cols] = [height / cell, width / cell];
    const side = Math.max(1, Math.floor(this.#window(options) / cell));
    const stride = this.#stride(options, side);
    const boxes: WindowBox[] =
      options.mode === 'whole' ? [[0, 0, rows, cols]] : slidingWindows(rows, cols, side, stride);
    const looks = boxes.flatMap((box) =>
      (options.flip ? [false, true] : [false]).map((mirrored) => ({ box, mirrored })),
    );
    const passes = this.#passes(looks);
    const issue = (some: readonly Look[] | undefined): Promise<readonly WindowValues[]> | undefined => {
      if (!some) return undefined;
      const images = some.map(({ box, mirrored }) => {
        const place = box.map((at) => cell * at) as WindowBox;
        return { planes: cropPlanes(pixels, width, height, place), mirrored };
      });
      const [y1, x1, y2, x2] = (some[0] as Look).box;
      return heard(this.#look(images, cell * (y2 - y1), cell * (x2 - x1), options));
    };
    const windows: DividedWindow[] = [];
    let next = issue(passes[0]);
    for (const i of passes.keys()) {
      const current = next as Promise<readonly WindowValues[]>;
      // The GPU has the next windows to work on while these are read and their pixels are divided.
      next = issue(passes[i + 1]);
      for (const values of await current) {
        options.signal?.throwIfAborted();
        // The last pass is filled up with windows that are there already.
        const look = looks[windows.length];
        if (!look) break;
        windows.push(this.#divided(look.box, values));
        options.onProgress?.({ done: windows.length, total: looks.length });
      }
    }
    const {
      box: [y1, x1, y2, x2],
    } = windows[0] as DividedWindow;
    const window = { width: x2 - x1, height: y2 - y1 };
    return {
      width: photo.width,
      height: photo.height,
      resized: { width: cols, height: rows },
      windows,
      planes: { width, height, data: pixels },
      ...(patches && {
        patches: { window, grid: this.#grid(window), direct: patches.direct && options.mode === 'whole' },
      }),
    };
  }

  /** Windows, all of one size, in parts of one length: a length is a step. The last part ends with copies of the last window. */
  #passes(looks: readonly Look[]): (readonly Look[])[] {
    const [y1, x1, y2, x2] = (looks[0] as Look).box;
    const { cell = 1 } = this.#model;
    const pixels = PASS_PIXELS[this.#device.isSoftware ? 'software' : 'hardware'];
    const most = Math.max(1, Math.min(PASS_WINDOWS, Math.floor(pixels / ((y2 - y1) * (x2 - x1)))));
    const count = cell === 1 ? Math.ceil(looks.length / most) : looks.length;
    const each = Math.ceil(looks.length / count);
    return Array.from({ length: Math.ceil(looks.length / each) }, (_, pass) =>
      Array.from({ length: each }, (_, i) => looks[Math.min(pass * each + i, looks.length - 1)] as Look),
    );
  }

  /** Side of the windows. */
  #window(options: DivideOptions): number {
    const side = options.window ?? this.#model.window ?? this.#side(options);
    const { patch } = this.#model.config;
    if (side < patch) {
      throw new ArgumentError(
        `Segmenter.divide: window must be at least ${patch} pixels, a patch of the model; got ${side}`,
      );
    }
    return side;
  }

  /** Step of the windows, in cells: no longer than they are, so that a smaller window has none of the model's. */
  #stride({ stride = this.#model.stride }: DivideOptions, side: number): number {
    const { cell = 1 } = this.#model;
    return stride === undefined ? Math.ceil(side / 2) : Math.max(1, Math.floor(stride / cell));
  }

  /** Where the patches of a window lie. What fills no patch at the right and bottom is lost to all but models that pad, and stretched over. */
  #grid({ width, height }: Size): PatchGrid {
    const { patch } = this.#model.config;
    if (!this.#model.patches?.pad) {
      return { rows: Math.floor(height / patch), cols: Math.floor(width / patch), width, height, top: 0, left: 0 };
    }
    const [rows, cols] = [Math.ceil(height / patch), Math.ceil(width / patch)];
    const [top, left] = [Math.floor((rows * patch - height) / 2), Math.floor((cols * patch - width) / 2)];
    return { rows, cols, width: cols * patch, height: rows * patch, top, left };
  }

  /** What is found in windows; of mirrored ones, back in its place. */
  async #look(
    images: readonly { readonly planes: Float32Array; readonly mirrored: boolean }[],
    height: number,
    width: number,
    options: FeatureOptions,
  ): Promise<readonly WindowValues[]> {
    const { patches, cell, config } = this.#model;
    const grid = patches?.pad ? this.#grid({ width, height }) : undefined;
    const seen = grid ?? { width, height };
    const shown = images.map(({ planes, mirrored }) => {
      const whole = grid ? padPlanes(planes, width, height, grid) : planes;
      return mirrored ? mirroredRows(whole, seen.width) : whole;
    });
    const values = await this.#pass(shown, seen.height, seen.width, options);
    const columns = grid?.cols ?? Math.floor(width / (cell ?? config.patch));
    return values.map((found, i) => (images[i]?.mirrored ? mirroredBack(found, columns) : found));
  }

  #divided(box: WindowBox, { segments, global, rollout, keys }: WindowValues): DividedWindow {
    const [y1, x1, y2, x2] = box;
    if (this.#model.patches) {
      const grid = this.#grid({ width: x2 - x1, height: y2 - y1 });
      return { box, segmentOf: patchOf(grid, x2 - x1, y2 - y1), segments, global, keys };
    }
    if (rollout.length === 0) {
      const segmentOf = Uint16Array.from({ length: (y2 - y1) * (x2 - x1) }, (_, at) => at);
      return { box, segmentOf, segments, global };
    }
    const { patch } = this.#model.config;
    const [rows, cols] = [Math.floor((y2 - y1) / patch), Math.floor((x2 - x1) / patch)];
    const segmentOf = pixelSegments(rollout, rows, cols, y2 - y1, x2 - x1);
    return { box, segmentOf, segments, global, assignment: { rows, cols, shares: rollout } };
  }

  /** Segments `[S, C]`, image embedding `[C]` and roll-out `[S, rows, cols]` (empty of a model of cells) of a normalised image `[3, H, W]`. */
  async features(
    image: Float32Array,
    height: number,
    width: number,
    options: FeatureOptions = {},
  ): Promise<WindowValues> {
    const [values] = await this.#pass([image], height, width, options);
    return values as WindowValues;
  }

  /** As {@link features}, of several images. */
  async #pass(
    images: readonly Float32Array[],
    height: number,
    width: number,
    options: FeatureOptions,
  ): Promise<readonly WindowValues[]> {
    const { keys: wantsKeys, groups } = options;
    if (groups && this.#model.config.assign_start === undefined) {
      throw new ArgumentError(
        'Segmenter.divide: groups are for a ZeroSeg whose groups begin at medoids; leave them out',
      );
    }
    if (this.#disposed) throw new StepError('segmenter: it was disposed; make another');
    const count = images.length;
    const key = `${count === 1 ? '' : `${count}×`}${height}×${width}${wantsKeys ? ' with keys' : ''}${groups ? `, groups ${groups.join(', ')}` : ''}`;
    const make = (): Promise<SegmentStep> => this.#record(key, [count, height, width], options);
    return this.#steps.use(key, make, async (run) => {
      const found = Object.entries(run({ image: joinedPlanes(images) }));
      const values = await readAll(found.map(([, t]) => t));
      return images.map((_, at) => {
        const own = (all: Float32Array) => all.slice((at * all.length) / count, ((at + 1) * all.length) / count);
        const byName = Object.fromEntries(
          found.map(([name], i) => [name, own(values[i] as Float32Array)]),
        ) as unknown as WindowValues;
        checkNumbers(byName);
        return { ...byName, rollout: byName.rollout ?? new Float32Array(0) };
      });
    });
  }

  #record(
    key: string,
    [count, height, width]: readonly [number, number, number],
    { keys: wantsKeys, groups }: FeatureOptions,
  ): Promise<SegmentStep> {
    return step(
      this.#device,
      { image: [count, this.#model.config.chans, height, width] },
      ({ image }) => {
        const { segments, global, rollout, keys } = this.#model.segment(image, noTrace, { groups });
        return { segments, global, ...(rollout && { rollout }), ...(wantsKeys && keys && { keys }) };
      },
      { name: `segment ${key}` },
    );
  }

  /** What is being segmented fails. */
  dispose(): void {
    this.#disposed = true;
    this.#steps.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What was found in a mirrored window, in its places: segments either have places of their own, or are places. */
function mirroredBack(found: WindowValues, columns: number): WindowValues {
  if (found.rollout.length > 0) return { ...found, rollout: mirroredRows(found.rollout, columns) };
  const channels = found.global.length;
  const segments = mirroredRows(found.segments, columns, channels);
  const places = segments.length / channels;
  return { ...found, segments, keys: found.keys && mirroredRows(found.keys, columns, found.keys.length / places) };
}

/** @throws ArgumentError for ways to divide a photo that there are none of. */
function checkDivideOptions({ mode, flip, teacherPrior, keys }: DivideOptions): void {
  checkOneOf('Segmenter.divide: mode', mode, ['slide', 'whole']);
  for (const [name, flag] of Object.entries({ flip, teacherPrior, keys })) {
    checkOneOf(`Segmenter.divide: ${name}`, flag, [true, false]);
  }
}

/** The patch under each pixel of a window. */
function patchOf(grid: PatchGrid, width: number, height: number): Uint16Array {
  const out = new Uint16Array(width * height);
  const place = (at: number, side: number, count: number) =>
    Math.min(Math.floor(((at + 0.5) * count) / side), count - 1);
  for (let y = 0; y < height; y++) {
    const row = place(grid.top + y, grid.height, grid.rows) * grid.cols;
    for (let x = 0; x < width; x++) out[y * width + x] = row + place(grid.left + x, grid.width, grid.cols);
  }
  return out;
}
