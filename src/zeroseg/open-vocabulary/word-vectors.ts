/** The vectors of words, read once by a text encoder and kept. */
import type { Device } from '../../gpu/index.ts';
import { fillTemplate, makeVocabulary, type TextTower, templateList, type VocabularyOptions } from '../clip/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import type { TextTokens } from '../text/index.ts';
import type { ModelAndText } from './model-and-text.ts';
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

/** Names whose vectors are kept, so that a photo that is named anew costs no text encoder: 12 MB at a width of 768. */
const KEPT_NAMES = 4096;

/** Makes names into vectors by the text encoder of a pair, which it puts on the GPU with the first of them. */
export class WordVectors {
  readonly #device: Device;
  readonly #opened: ModelAndText;
  readonly #tokens: TextTokens;
  readonly #naming: NamingOptions;
  #text: Promise<TextTower> | undefined;
  /** Vectors by name, for each set of sentences; the name that was used last at the end. */
  readonly #known = new Map<string, Map<string, Float32Array>>();

  constructor(device: Device, opened: ModelAndText, tokens: TextTokens, naming: NamingOptions) {
    this.#device = device;
    this.#opened = opened;
    this.#tokens = tokens;
    this.#naming = naming;
  }

  /** The vectors of names, and the factor on cosines with them. Progress counts texts: each name in each template. */
  async of(
    names: readonly string[],
    work: WorkOptions<Progress>,
  ): Promise<{ vectors: ReadonlyMap<string, Float32Array>; scale: number }> {
    const { config, scale: own } = this.#opened.text;
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
      this.#text ??= this.#opened.text.text(this.#device);
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
    const width = this.#opened.text.config.projection;
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
    const opened = this.#opened;
    const weights = await ('clip' in opened ? opened.clip : opened).weightsHash();
    const { templates, meanFirst = false, tokenizer = 'clip' } = this.#naming;
    const adapter = this.#device.name;
    return weights === '' ? undefined : { weights, templates: templateList(templates), meanFirst, tokenizer, adapter };
  }

  /** Names of which some sentence is longer than the text encoder reads. */
  cut(names: readonly string[]): string[] {
    const { context } = this.#opened.text.config.text;
    const sentences = templateList(this.#naming.templates);
    return names.filter((name) => sentences.some((one) => !this.#tokens.fits(fillTemplate(one, name), context)));
  }

  /** Forgets all vectors, and lets the text encoder go. */
  clear(): void {
    this.#text = undefined;
    this.#known.clear();
  }
}
