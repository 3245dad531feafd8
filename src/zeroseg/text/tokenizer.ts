import { ArgumentError, parseJson, shownValue } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
import {
  alphabet,
  byteSymbols,
  checkId,
  checkIds,
  number,
  parseMerge,
  record,
  resolve,
  type Vocabulary,
  wordEnd,
} from './bpe-vocabulary.ts';
import { PairMerges } from './pair-merges.ts';
import { cleanText } from './text-cleaning.ts';

const startText = '<|startoftext|>';
const endText = '<|endoftext|>';

// CLIP cuts its list of 262,144 merges to those that fill 49,408 ids: 512 bytes, these, and two special tokens.
const mergesUsed = 48_894;

// Text of users could fill memory with words; a data set's class names come to some thousand.
const cachedWords = 20_000;
const longestCached = 64;

/** Tokens that a text encoder may read at once. */
const longestContext = 2 ** 20;

/**
 * The pieces that are merged apart from each other; a digit is always one. The text is lower case, so CLIP's "ignoring
 * case" adds only the long s, which folds to s. (The `i` flag would do more in JavaScript: U+0345, a mark, folds to a
 * letter and would become one.)
 */
const pieces =
  /<\|startoftext\|>|<\|endoftext\|>|'[sſ]|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

/**
 * CLIP's byte-pair encoding: text to the ids that the text encoder was trained with.
 *
 * ```ts
 * const tokenizer = await Tokenizer.clip();
 * tokenizer.encode('a photo of a dog.'); // [320, 1125, 539, 320, 1929, 269]
 * tokenizer.row('a photo of a dog.'); // Int32Array(77): 49406, 320, ..., 269, 49407, 0, 0, ...
 * ```
 *
 * Text is cleaned first ({@link cleanText}), so case, white space and HTML entities do not matter.
 *
 * Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units" (2016); as in openai/CLIP,
 * simple_tokenizer.py.
 */
export class Tokenizer {
  /** The id in front of every row. */
  readonly start: number;
  /** The id after the text. The text encoder reads its result there. */
  readonly end: number;
  /** One more than the largest id: the rows that a token embedding must have. */
  readonly size: number;

  readonly #file: string;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #merges: Uint32Array;
  readonly #pairs: PairMerges;
  readonly #unknown: number | undefined;
  readonly #symbols: string[] = [];
  readonly #words = new Map<string, readonly number[]>();
  /** Ids of single bytes within a word, as they were first needed. */
  readonly #bytes: number[] = [];

  private constructor({ file, ids, merges, unknown }: Vocabulary) {
    this.#file = file;
    this.#ids = ids;
    this.#merges = merges;

    for (const [symbol, id] of ids) {
      const other = this.#symbols[id];
      if (other !== undefined) {
        throw new CheckpointError(file, `the symbols "${other}" and "${symbol}" have the same id, ${id}`);
      }
      this.#symbols[id] = symbol;
    }
    this.size = this.#symbols.length;
    this.start = this.#special(startText);
    this.end = this.#special(endText);
    if (this.end !== this.size - 1) {
      throw new CheckpointError(
        file,
        `"${endText}" must have the largest id, since the text encoder reads its result at the first largest id; ` +
          `its id is ${this.end}, that of "${this.#symbols.at(-1)}" is ${this.size - 1}`,
      );
    }
    // Where the end token stands for the unknown too (as CLIP's own file says), an unknown symbol would end the text.
    const stand = unknown === undefined ? undefined : ids.get(unknown);
    this.#unknown = stand === this.end ? undefined : stand;
    this.#pairs = new PairMerges(merges, this.size);
  }

  /**
   * The tokenizer of every CLIP and GroupViT: 49,408 ids. Its merges are part of this package, in a module that is
   * loaded on the first call (203 kB).
   */
  static clip(): Promise<Tokenizer> {
    return (clip ??= Tokenizer.#load().catch((error: unknown) => {
      clip = undefined; // a page that was offline may try again
      throw error;
    }));
  }

  static async #load(): Promise<Tokenizer> {
    const [{ clipMerges }, { inflateSync }] = await Promise.all([import('./clip-merges.ts'), import('fflate')]);
    const columns = inflateSync(Uint8Array.from(atob(clipMerges), (letter) => letter.charCodeAt(0)));
    const count = columns.length / 4;
    const symbols = byteSymbols();
    const merges = new Uint32Array(3 * count);
    for (let rank = 0; rank < count; rank++) {
      const left = columns[rank]! + 256 * columns[count + rank]!;
      const right = columns[2 * count + rank]! + 256 * columns[3 * count + rank]!;
      merges.set([left, right, symbols.length], 3 * rank);
      symbols.push(symbols[left]! + symbols[right]!);
    }
    return new Tokenizer({ file: 'clip-merges', ids: number([...symbols, startText, endText]), merges });
  }

  /**
   * From the text of a merge list: a checkpoint folder's `merges.txt`, or OpenAI's `bpe_simple_vocab_16e6.txt`. One merge
   * a line, two symbols with a space between; a first line with `#version` is skipped, and what follows CLIP's 48,894
   * merges.
   *
   * @param text The list.
   * @param vocabulary Ids by symbol (`vocab.json`). Without it they are CLIP's: 256 bytes, 256 bytes that end a word,
   *   the merges in their order, start, end.
   * @throws {CheckpointError} if a line is no merge, or a merge and the vocabulary do not agree.
   */
  static fromMerges(text: string, vocabulary?: Readonly<Record<string, number>>): Tokenizer {
    const file = 'merges.txt';
    const lines = text.replace(/\r/g, '').split('\n');
    const first = lines[0]!.includes('#version') ? 1 : 0;
    const merges: [string, string][] = [];
    for (const [i, line] of lines.slice(first, first + mergesUsed).entries()) {
      if (line !== '') merges.push(parseMerge(line, `line ${first + i + 1}`, file));
    }
    const joined = merges.map(([left, right]) => left + right);
    const ids = vocabulary ? checkIds(vocabulary, file) : number([...byteSymbols(), ...joined, startText, endText]);
    return new Tokenizer({ file, ids, merges: resolve(merges, ids, file) });
  }

  /**
   * From Hugging Face's `tokenizer.json`, as text or parsed: the vocabulary, the merges (`"a b"` or `["a", "b"]`) and
   * the added tokens. Normalizer and pre-tokenizer are not read: they are CLIP's.
   *
   * @throws {CheckpointError} if it is no tokenizer of CLIP's kind, or if merges and vocabulary do not agree.
   */
  static fromTokenizerJson(json: string | object): Tokenizer {
    const file = 'tokenizer.json';
    let root: unknown = json;
    if (typeof json === 'string') {
      try {
        root = parseJson(json);
      } catch (cause) {
        throw new CheckpointError(file, 'the text is no JSON', { cause });
      }
    }
    const { model, added_tokens: added = [] } = record(root);
    const { type = 'BPE', vocab, merges, unk_token: unknown, end_of_word_suffix: suffix = wordEnd } = record(model);
    if (type !== 'BPE' || suffix !== wordEnd) {
      throw new CheckpointError(
        file,
        `the model must be byte-pair encoding (BPE) with the word end "${wordEnd}", as CLIP's; got ` +
          `${shownValue(type)} with ${shownValue(suffix)}`,
      );
    }
    if (!Array.isArray(merges)) throw new CheckpointError(file, 'model.merges must be a list');
    const ids = checkIds(vocab, file);
    for (const token of Array.isArray(added) ? added : []) {
      const { content, id } = record(token);
      if (typeof content === 'string') ids.set(content, checkId(content, id, file));
    }
    const pairs = merges.map((merge: unknown, i) => parseMerge(merge, `merge ${i}`, file));
    return new Tokenizer({
      file,
      ids,
      merges: resolve(pairs, ids, file),
      unknown: typeof unknown === 'string' ? unknown : undefined,
    });
  }

  /**
   * The ids of a text, without start and end.
   *
   * @throws {CheckpointError} if the vocabulary lacks a byte of the text (CLIP's has all 256).
   */
  encode(text: string): number[] {
    const out: number[] = [];
    for (const [piece] of cleanText(text).matchAll(pieces)) {
      if (piece === startText) out.push(this.start);
      else if (piece === endText) out.push(this.end);
      else for (const id of this.#word(piece)) out.push(id);
    }
    return out;
  }

  /**
   * The input of the text encoder: start, the ids of the text, end, zeros up to `context` ids. A text that is too long
   * is cut, and its last id is the end; {@link fits} tells.
   */
  row(text: string, context = 77): Int32Array<ArrayBuffer> {
    if (!Number.isInteger(context) || context < 2 || context > longestContext) {
      throw new ArgumentError(
        `row: the context must be an integer of 2 or more, for start and end, up to ${longestContext}; got ${context}`,
      );
    }
    const ids = this.encode(text).slice(0, context - 2);
    const row = new Int32Array(context);
    row.set([this.start, ...ids, this.end]);
    return row;
  }

  /** Whether {@link row} keeps the whole text. */
  fits(text: string, context = 77): boolean {
    return this.encode(text).length + 2 <= context;
  }

  /**
   * The text of ids or of a row: without the start token, up to the end token. Cleaning and the spaces between words
   * and signs cannot be undone: `a dog.` comes back as `a dog .`.
   *
   * @throws {ArgumentError} if an id is not in the vocabulary.
   */
  decode(ids: Iterable<number>): string {
    const bytes: number[] = [];
    for (const id of ids) {
      if (id === this.start) continue;
      if (id === this.end) break;
      const symbol = this.#symbols[id];
      if (symbol === undefined) {
        throw new ArgumentError(`decode: ids must be in the vocabulary of ${this.size}; got ${id}`);
      }
      const isLast = symbol.endsWith(wordEnd);
      for (const letter of isLast ? symbol.slice(0, -wordEnd.length) : symbol) {
        bytes.push(alphabet.indexOf(letter));
      }
      if (isLast) bytes.push(0x20);
    }
    // Not fatal: the ids of a cut row may end within a character.
    return new TextDecoder().decode(Uint8Array.from(bytes)).trimEnd();
  }

  /** The merges as text, in the form of `merges.txt`. */
  mergesText(): string {
    const lines = ['#version: 0.2'];
    for (let i = 0; i < this.#merges.length; i += 3) {
      lines.push(`${this.#symbols[this.#merges[i]!]} ${this.#symbols[this.#merges[i + 1]!]}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #special(symbol: string): number {
    const id = this.#ids.get(symbol);
    if (id === undefined) throw new CheckpointError(this.#file, `the vocabulary must have the token "${symbol}"`);
    return id;
  }

  #word(piece: string): readonly number[] {
    let ids = this.#words.get(piece);
    if (!ids) {
      ids = this.#merge(piece);
      if (piece.length > longestCached) return ids;
      if (this.#words.size >= cachedWords) this.#words.clear();
      this.#words.set(piece, ids);
    }
    return ids;
  }

  #merge(piece: string): number[] {
    const bytes = new TextEncoder().encode(piece);
    const ids = new Int32Array(bytes.length);
    for (const [i, byte] of bytes.entries()) ids[i] = this.#byte(byte, i === bytes.length - 1, piece);
    return this.#pairs.merge(ids);
  }

  #byte(byte: number, isLast: boolean, piece: string): number {
    const known = isLast ? undefined : this.#bytes[byte];
    if (known !== undefined) return known;
    const symbol = alphabet[byte]! + (isLast ? wordEnd : '');
    const id = this.#ids.get(symbol) ?? this.#unknown;
    if (id === undefined) {
      const word = shownValue(piece, 40);
      throw new CheckpointError(this.#file, `the vocabulary has no symbol "${symbol}", which ${word} needs`);
    }
    if (!isLast) this.#bytes[byte] = id;
    return id;
  }
}

let clip: Promise<Tokenizer> | undefined;
