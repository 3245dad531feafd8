/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { openWeightSource, type WeightSource } from '../checkpoints/index.ts';
import { Teacher, type UnknownName, unknownNames, type Vocabulary } from '../clip/index.ts';
import { type ClipFiles, type ClipSource, openClipFiles } from '../clip-files/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import { checkImage, type Image } from '../image/index.ts';
import {
  checkOneOf,
  checkRefine,
  type DenseClipMode,
  type DivideOptions,
  type Division,
  type NamedSegment,
  type NamingRules,
  namedSegments,
  Segmenter,
  type SegmentingModel,
  type SegmentOptions,
  type SegmentResult,
  teacherLook,
} from '../inference/index.ts';
import { type NamingRule, namingFor } from '../model/index.ts';
import type { TextTokens } from '../text/index.ts';
import { type ClassWords, checkNames, classVector, knownOf, nameOf, wordsOf } from './class-words.ts';
import {
  clipAndText,
  type ModelAndText,
  namingRules,
  type PairOptions,
  pairWithText,
  type ZeroSegAndText,
} from './model-and-text.ts';
import { type NamingOptions, WordVectors } from './word-vectors.ts';

/** Options of {@link OpenVocabulary.name}. */
export interface NameOptions extends NamingRules {
  /**
   * What becomes of names that the CLIP was not taught, where it says what it was taught: `keep` them like the others (they get
   * segments all the same), `omit` them, or `refuse` with a {@link VocabularyError}. Default `keep`.
   */
  readonly unknown?: 'keep' | 'omit' | 'refuse' | undefined;
  /** Of a CLIP that names patches: words that stand for background, `stuffWords` for one. Those that are asked for by name do not. Default: none. */
  readonly background?: readonly string[] | undefined;
}

/** Options of {@link OpenVocabulary.segment}, and their defaults for all calls. */
export type SegmentByNamesOptions = NameOptions & Omit<SegmentOptions, 'signal' | 'onProgress'>;

/** What is being counted: texts that are embedded, or windows of the photo. */
export type SegmentProgress = Progress & { readonly of: 'texts' | 'windows' };

export interface OpenVocabularyResult extends SegmentResult {
  /** What labels mean: `background`, then the names, without those that were omitted. */
  readonly names: readonly string[];
  /** What each window was divided into. */
  readonly segments: readonly NamedSegment[];
  /** Names that the CLIP was not taught, with the nearest that it was; empty for a CLIP that does not say what it was taught. */
  readonly unknown: readonly UnknownName[];
}

/** What {@link openVocabulary} takes. Defaults for segmenting may be among it. */
export interface OpenVocabularyOptions extends Omit<PairOptions, 'clip'>, NamingOptions, SegmentByNamesOptions {
  /** A ZeroSeg, a GroupViT or a SegCLIP: a safetensors file, or one of PyTorch. Default: none, so that the CLIP segments by itself. */
  readonly model?: WeightSource | undefined;
  /** The CLIP that made the features that a ZeroSeg was trained with. The others need none. */
  readonly clip?: ClipSource | ClipFiles | undefined;
  /** Without a model, how the CLIP segments. Default `maskclip`. */
  readonly dense?: DenseClipMode | undefined;
}

/** Crops that a teacher looks at together: half of those of a square photo. */
const TEACHER_BATCH = 31;

/**
 * Opens a model that segments photos by words: ZeroSeg with its CLIP, a GroupViT, or a SegCLIP. The pair must belong together, which is
 * checked. Any words are for CLIPs that read the web; one that was taught few says which (`unknown` of a result). What the model's
 * file recommends (`scoring`, `top`, `threshold`, `scale`, `short`) holds where no option says otherwise.
 *
 * ```ts
 * const model = await openVocabulary(device, { model: student.weights, clip: teacher }); // of '@zeroseg/pretrained'
 * const { labels, names } = await model.segment(photo, ['dog', 'grass']);
 * names[labels.data[0]]; // 'background', 'dog' or 'grass'
 * ```
 *
 * @throws CheckpointError when a file cannot be used, or model and CLIP are not a pair.
 */
export async function openVocabulary(device: Device, options: OpenVocabularyOptions): Promise<OpenVocabulary> {
  const { model, clip, dense, teacher, settings, ...defaults } = options;
  const [file, source] = await Promise.all([model && openWeightSource(model, 'model'), clip && openClip(clip)]);
  if (!file) {
    if (!source) throw new ArgumentError('openVocabulary: give a model, or a clip to segment by itself');
    return OpenVocabulary.load(device, clipAndText(source, dense ?? 'maskclip'), defaults);
  }
  if (dense) throw new ArgumentError('openVocabulary: dense is how a CLIP segments by itself; leave the model out');
  return OpenVocabulary.load(device, await pairWithText(file, { clip: source, teacher, settings }), defaults);
}

function openClip(clip: ClipSource | ClipFiles): ClipSource | Promise<ClipSource> {
  return 'weightsHash' in clip ? clip : openClipFiles(clip);
}

/** A model, and a text encoder that names its segments. Made by {@link openVocabulary}. */
export class OpenVocabulary<Pair extends ModelAndText = ModelAndText> implements Disposable {
  /** What was opened. */
  readonly opened: Pair;
  readonly model: Awaited<ReturnType<Pair['load']>>;
  /** Segments by vocabularies, for scoring whole data sets. */
  readonly segmenter: Segmenter;
  readonly #device: Device;
  readonly #words: WordVectors;
  /** What the model's file recommends, and what whoever opened it chose. */
  readonly #recommended: NamingRule;
  readonly #chosen: SegmentByNamesOptions;
  #teacher: Promise<Teacher> | undefined;

  private constructor(
    device: Device,
    opened: Pair,
    model: Awaited<ReturnType<Pair['load']>>,
    tokens: TextTokens,
    options: NamingOptions & SegmentByNamesOptions,
  ) {
    const { templates: texts, meanFirst: mean, scale: factor, ...recommended } = namingRules(opened);
    const own = given({ templates: texts, meanFirst: mean, scale: factor });
    const { templates, meanFirst, batch, tokenizer, scale, store, ...chosen } = { ...own, ...given(options) };
    this.opened = opened;
    this.#device = device;
    this.#words = new WordVectors(device, opened, tokens, { templates, meanFirst, batch, tokenizer, scale, store });
    this.#recommended = recommended;
    this.#chosen = chosen;
    this.model = model;
    const look = async (photo: Image) => teacherLook(await this.#openTeacher(), photo, opened.text.scale);
    this.segmenter = new Segmenter(device, this.model as SegmentingModel, opened.kind === 'zeroseg' ? look : undefined);
  }

  /** Puts an opened pair on the GPU. The text encoder follows with the first names. */
  static async load<Pair extends ModelAndText>(
    device: Device,
    opened: Pair,
    options: NamingOptions & SegmentByNamesOptions = {},
  ): Promise<OpenVocabulary<Pair>> {
    const tokens = await opened.text.tokens(options.tokenizer);
    const model = (await opened.load(device)) as Awaited<ReturnType<Pair['load']>>;
    return new OpenVocabulary(device, opened, model, tokens, options);
  }

  /**
   * Divides a photo and names each segment by one of the `names`, or as background where a `threshold` is given and no name reaches
   * it. The label map has the photo's size: 0 is background, c + 1 the c-th name. A list in the stead of a name, such as
   * `['sofa', 'couch']`, is one class of several words, called by the first: its vector is their mean.
   */
  async segment(
    photo: Image,
    names: readonly ClassWords[],
    { signal, onProgress, ...options }: SegmentByNamesOptions & WorkOptions<SegmentProgress> = {},
  ): Promise<OpenVocabularyResult> {
    checkImage('OpenVocabulary.segment', photo);
    const follow = (of: SegmentProgress['of']) => (progress: Progress) => onProgress?.({ ...progress, of });
    // Words first: one that is refused costs no look at the photo.
    const { asked, rules } = this.#asked(names, options);
    await this.vocabulary(asked, { signal, onProgress: follow('texts'), background: rules.background });
    const keys = rules.smooth !== undefined;
    const division = await this.divide(photo, { keys, ...options, signal, onProgress: follow('windows') });
    return this.name(division, names, { ...options, signal });
  }

  /** Divides a photo into segments that have no names yet. Progress counts windows. */
  async divide(photo: Image, options: DivideOptions = {}): Promise<Division> {
    return this.segmenter.divide(photo, { ...this.#recommended, ...this.#chosen, ...given(options) });
  }

  /**
   * Names the segments of a photo that was divided before. The GPU computes only the vectors of words that were not asked for yet: with
   * these known, a photo is named anew in milliseconds. Progress counts texts.
   *
   * ```ts
   * const division = await model.divide(photo);
   * const { labels } = await model.name(division, ['dog', 'grass']);
   * const other = await model.name(division, ['dog', 'lawn', 'fence']);
   * ```
   */
  async name(
    division: Division,
    names: readonly ClassWords[],
    { signal, onProgress, ...options }: NameOptions & WorkOptions<Progress> = {},
  ): Promise<OpenVocabularyResult> {
    const { asked, unknown, rules } = this.#asked(names, options);
    const vocabulary = await this.vocabulary(asked, { signal, onProgress, background: rules.background });
    const result = await this.segmenter.name(division, vocabulary, { ...rules, signal });
    const all = ['background', ...vocabulary.names];
    return { ...result, names: all, segments: namedSegments(result.windows, all), unknown };
  }

  /** The names that are to be told apart, those that the CLIP was not taught, and the rules with their defaults. */
  #asked<Rules extends NameOptions>(names: readonly ClassWords[], options: Rules) {
    const chosen = { ...this.#chosen, ...given(options) };
    const suited = namingFor(this.#recommended, chosen.scoring ?? this.#recommended.scoring);
    const { pamr, ...recommended } = suited;
    const { unknown: rule = 'keep', refine: wanted, ...others } = { ...recommended, ...chosen };
    checkOneOf('OpenVocabulary.name: unknown', rule, ['keep', 'omit', 'refuse']);
    checkRefine(wanted);
    const refine = wanted && { ...(recommended.refine || pamr), ...given(wanted) };
    const rules = { ...others, refine };
    const unknown = this.unknownNames(names.flatMap(wordsOf));
    return { asked: rule === 'keep' ? names : knownOf(names, unknown, rule), unknown, rules };
  }

  /**
   * The names as vectors. Names that were asked for before are not embedded again. Progress counts texts: each name in each template.
   */
  async vocabulary(
    names: readonly ClassWords[],
    { background = [], ...work }: WorkOptions<Progress> & Pick<NameOptions, 'background'> = {},
  ): Promise<Vocabulary> {
    checkNames(names);
    const isPatches = (this.model as SegmentingModel).patches !== undefined;
    if (background.length > 0 && !isPatches) {
      throw new ArgumentError(
        'openVocabulary: background words are for a CLIP that names patches; give other models a threshold',
      );
    }
    const asked = names.flatMap(wordsOf);
    const other = [...new Set(background)].filter((word) => !asked.includes(word));
    const { vectors, scale } = await this.#words.of([...other, ...asked], work);
    const width = this.opened.text.config.projection;
    const together = (rows: readonly Float32Array[]) => {
      const all = new Float32Array(rows.length * width);
      for (const [i, row] of rows.entries()) all.set(row, i * width);
      return all;
    };
    const vectorsOf = (words: readonly string[]) => words.map((word) => vectors.get(word) as Float32Array);
    const embeddings = together(names.map((one) => classVector(vectorsOf(wordsOf(one)))));
    const words = isPatches && {
      embeddings: together(vectorsOf([...other, ...asked])),
      labels: [...other.map(() => 0), ...names.flatMap((one, c) => wordsOf(one).map(() => c + 1))],
    };
    return { names: names.map(nameOf), embeddings, scale, ...(words && { words }) };
  }

  /** Which of the names the CLIP was not taught; none for a CLIP that does not say what it was taught. */
  unknownNames(names: readonly string[]): UnknownName[] {
    return unknownNames(this.opened.text.words, names);
  }

  /** Names of which some sentence is longer than the text encoder reads, so that its end is cut off. */
  cutNames(names: readonly string[]): string[] {
    return this.#words.cut(names);
  }

  /** The image encoder of a ZeroSeg's CLIP, put on the GPU when it is first needed. */
  #openTeacher(): Promise<Teacher> {
    const { clip } = this.opened as ZeroSegAndText;
    return (this.#teacher ??= clip
      .vision(this.#device)
      .then((vision) => Teacher.create(this.#device, vision, { batch: TEACHER_BATCH })));
  }

  dispose(): void {
    this.segmenter.dispose();
    void this.#teacher?.then((teacher) => teacher.dispose());
    this.#teacher = undefined;
    this.#words.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Options that were left out do not stand in the way of defaults. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
