import { sha256 } from '../host/index.ts';

/** Keeps vectors of words from one program to the next. What it cannot load or save is made anew: it never fails. */
export interface WordStore {
  /** The vector that was kept under a key, with so many values; undefined where there is none, or a damaged one. */
  load(key: string, width: number): Promise<Float32Array | undefined>;
  save(key: string, vector: Float32Array): Promise<void>;
}

/** All that the vector of a name depends on, beside the name. */
export interface WordOrigin {
  /** SHA-256 of the text encoder's weights. */
  readonly weights: string;
  readonly templates: readonly string[];
  readonly meanFirst: boolean;
  readonly tokenizer: string;
  /** Adapters differ in the last bits. */
  readonly adapter: string;
}

/** Raised when vectors change that are computed from the same: keys of before are then those of nobody. */
const VERSION = 1;

/** The key of a name: a SHA-256 in hexadecimal. */
export function wordKey(
  { weights, templates, meanFirst, tokenizer, adapter }: WordOrigin,
  name: string,
): Promise<string> {
  const all = JSON.stringify([VERSION, weights, templates, meanFirst, tokenizer, adapter, name]);
  return sha256(new TextEncoder().encode(all));
}
