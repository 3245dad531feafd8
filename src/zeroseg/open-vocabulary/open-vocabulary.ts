/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device, shownValue } from '../../gpu/index.ts';
import { openWeightSource, type WeightSource } from '../checkpoints/index.ts';
import {
  describeUnknown,
  fillTemplate,
  makeVocabulary,
  Teacher,
  type TextTower,
  templateList,
  type UnknownName,
  unknownNames,
  type Vocabulary,
  VocabularyError,
  type VocabularyOptions,
} from '../clip/index.ts';
import { type ClipFiles, type ClipSource, openClipFiles } from '../clip-files/index.ts';
import { firstRepeated, type Progress, type WorkOptions } from '../host/index.ts';
import { checkImage, type Image } from '../image/index.ts';
import {
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
import { type ClassWords, classVector, nameOf, wordsOf } from './class-words.ts';
import {
  clipAndText,
  type ModelAndText,
  namingRules,
  type PairOptions,
  pairWithText,
  type ZeroSegAndText,
} from './model-and-text.ts';
import { type WordOrigin, type WordStore, wordKey } from './word-store.ts';

/** How names are made into vectors. */
export interface NamingOptions extends Pick<VocabularyOptions, 'templates' | 'meanFirst' | 'batch'> {
  /** `hash`: words by their hash, which mean nothing, for text towers whose tokenizer is not known. Default `clip`. */
  readonly tokenizer?: 'clip' | 'hash' | undefined;
  /** λ, the factor on cosines. Default: what the model's file recommends, else that of the CLIP. */
  readonly scale?: number | undefined;
  /** Where vectors of names are kept from one program to the next. Default: nowhere. */
  readonly store?: WordStore | undefined;
}

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

/** What a label map of 16 bits can tell apart, less the background. */
const MAX_NAMES = 65_535;

/** Names whose vectors are kept, so that a photo that is named anew costs no text encoder: 12 MB at a width of 768. */
const KEPT_NAMES = 4096;

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
  readonly #tokens: TextTokens;
  readonly #naming: NamingOptions;
  /** What the model's file recommends, and what whoever opened it chose. */
  readonly #recommended: NamingRule;
  readonly #chosen: SegmentByNamesOptions;
  #text: Promise<TextTower> | undefined;
  #teacher: Promise<Teacher> | undefined;
  /** Vectors by name, for each set of sentences; the name that was used last at the end. */
  readonly #known = new Map<string, Map<string, Float32Array>>();

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
    this.#tokens = tokens;
    this.#naming = { templates, meanFirst, batch, tokenizer, scale, store };
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
    const { vectors, scale } = await this.#wordVectors([...other, ...asked], work);
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

  async #wordVectors(
    names: readonly string[],
    work: WorkOptions<Progress>,
  ): Promise<{ vectors: ReadonlyMap<string, Float32Array>; scale: number }> {
    const { config, scale: own } = this.opened.text;
    const { templates, meanFirst, batch, scale = own } = this.#naming;
    const key = JSON.stringify(templateList(templates));
    const known = this.#known.get(key) ?? new Map<string, Float32Array>();
    this.#known.set(key, known);
    const missing = names.filter((name) => !known.has(name));
    const rows = new Map(names.map((name) => [name, known.get(name)]));
    const width = config.projection;
    await this.#loadKept(missing, rows);
    const unread = missing.filter((name) => !rows.get(name));
    if (unread.length > 0) {
      this.#text ??= this.opened.text.text(this.#device);
      const options = { templates, meanFirst, batch, scale, ...work };
      const { embeddings } = await makeVocabulary(this.#device, await this.#text, this.#tokens, unread, options);
      for (const [i, name] of unread.entries()) rows.set(name, embeddings.slice(i * width, (i + 1) * width));
      await this.#keep(unread, rows);
    }
    const vectors = new Map<string, Float32Array>();
    for (const name of names) {
      const row = rows.get(name) as Float32Array;
      vectors.set(name, row);
      known.delete(name);
      known.set(name, row);
    }
    for (const name of known.keys()) {
      if (known.size <= KEPT_NAMES) break;
      known.delete(name);
    }
    return { vectors, scale };
  }

  /** Fills in the vectors that earlier programs kept. */
  async #loadKept(names: readonly string[], rows: Map<string, Float32Array | undefined>): Promise<void> {
    const { store } = this.#naming;
    const origin = store && (await this.#origin());
    if (!origin) return;
    const width = this.opened.text.config.projection;
    await Promise.all(names.map(async (name) => rows.set(name, await store.load(await wordKey(origin, name), width))));
  }

  async #keep(names: readonly string[], rows: ReadonlyMap<string, Float32Array | undefined>): Promise<void> {
    const { store } = this.#naming;
    const origin = store && (await this.#origin());
    if (!origin) return;
    await Promise.all(
      names.map(async (name) => store.save(await wordKey(origin, name), rows.get(name) as Float32Array)),
    );
  }

  /** Undefined where the text encoder cannot be told from another. */
  async #origin(): Promise<WordOrigin | undefined> {
    const opened: ModelAndText = this.opened;
    const weights = await ('clip' in opened ? opened.clip : opened).weightsHash();
    const { templates, meanFirst = false, tokenizer = 'clip' } = this.#naming;
    const adapter = this.#device.name;
    return weights === '' ? undefined : { weights, templates: templateList(templates), meanFirst, tokenizer, adapter };
  }

  /** Which of the names the CLIP was not taught; none for a CLIP that does not say what it was taught. */
  unknownNames(names: readonly string[]): UnknownName[] {
    return unknownNames(this.opened.text.words, names);
  }

  /** Names of which some sentence is longer than the text encoder reads, so that its end is cut off. */
  cutNames(names: readonly string[]): string[] {
    const { context } = this.opened.text.config.text;
    const sentences = templateList(this.#naming.templates);
    return names.filter((name) => sentences.some((one) => !this.#tokens.fits(fillTemplate(one, name), context)));
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
    this.#text = undefined;
    this.#known.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Options that were left out do not stand in the way of defaults. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/**
 * The classes without the unknown words; a class whose name is unknown is called by the first word that is left. @throws VocabularyError when
 * there are unknown words and they are refused, or no other.
 */
function knownOf(
  names: readonly ClassWords[],
  unknown: readonly UnknownName[],
  rule: 'omit' | 'refuse',
): readonly ClassWords[] {
  if (unknown.length === 0) return names;
  const left = new Set(unknown.map(({ name }) => name));
  const known = names.map((one) => wordsOf(one).filter((word) => !left.has(word))).filter((words) => words.length > 0);
  if (rule === 'refuse' || known.length === 0) {
    throw new VocabularyError(unknown, `openVocabulary: the CLIP was not taught ${describeUnknown(unknown)}`);
  }
  return known;
}

function checkNames(names: readonly ClassWords[]): void {
  const words = names.flatMap((one) => (Array.isArray(one) && one.length === 0 ? [''] : wordsOf(one)));
  const strange = words.find((word) => typeof word !== 'string' || word.trim() === '');
  if (names.length === 0 || strange !== undefined) {
    const got = names.length === 0 ? 'none' : shownValue(strange);
    throw new ArgumentError(`openVocabulary: names must be words, such as 'dog', 'wet grass'; got ${got}`);
  }
  const repeated = firstRepeated(words);
  if (repeated !== undefined)
    throw new ArgumentError(`openVocabulary: names must differ; "${repeated}" is there twice`);
  if (names.length > MAX_NAMES) {
    throw new ArgumentError(`openVocabulary: at most ${MAX_NAMES} names fit a label map; got ${names.length}`);
  }
}
