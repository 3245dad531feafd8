/** Settings as JSON, read key by key, so that none is passed over. */
import { CheckpointError } from '../../nn/safetensors/index.ts';

/** A size that settings claim, and the key that does. */
export interface Claim {
  readonly key: string;
  readonly value: number;
}

export type Json = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a key may say: any value, one of a list (null is among them), or none but what the function takes. */
export type Rule = 'any' | readonly unknown[] | ((value: unknown) => boolean);

/** Goes through all keys of an object: each must be read by somebody, or have a rule that its value keeps. */
export class Section {
  readonly #json: Json;
  readonly #where: string;
  readonly #file: string;
  readonly #read = new Set<string>();

  constructor(json: unknown, where: string, file: string) {
    if (!isObject(json ?? {}))
      throw new CheckpointError(file, `'${where}' must be an object; got ${JSON.stringify(json)}`);
    this.#json = (json ?? {}) as Json;
    this.#where = where;
    this.#file = file;
  }

  path(key: string): string {
    return this.#where ? `${this.#where}.${key}` : key;
  }

  refuse(key: string, reason: string): never {
    throw new CheckpointError(
      this.#file,
      `'${this.path(key)}' is ${JSON.stringify(this.#json[key])?.slice(0, 100) ?? 'not given'}; ${reason}`,
    );
  }

  /** The value; null is none. */
  get(key: string): unknown {
    this.#read.add(key);
    return Object.hasOwn(this.#json, key) ? (this.#json[key] ?? undefined) : undefined;
  }

  number(key: string, isRight: (value: number) => boolean, words: string): number | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isFinite(value) && isRight(value)) return value;
    return this.refuse(key, `it must be ${words}`);
  }

  size(key: string): number | undefined {
    return this.number(key, (value) => Number.isInteger(value) && value > 0, 'a whole number above 0');
  }

  claim(key: string): Claim | undefined {
    const value = this.size(key);
    return value === undefined ? undefined : { key: this.path(key), value };
  }

  /** A side, or two equal ones. */
  side(key: string): Claim | undefined {
    const value = this.get(key);
    if (!Array.isArray(value)) return this.claim(key);
    const [a, ...rest] = value;
    if (rest.some((b) => b !== a) || !Number.isInteger(a) || a < 1) this.refuse(key, 'it must be square');
    return { key: this.path(key), value: a };
  }

  rgb(key: string): [number, number, number] | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length === 3 && value.every((v) => typeof v === 'number' && Number.isFinite(v))) {
      return value as [number, number, number];
    }
    return this.refuse(key, 'it must be three numbers');
  }

  /** What is left must keep `rules`; a key without one is refused. */
  finish(rules: Readonly<Record<string, Rule>>): void {
    for (const [key, value] of Object.entries(this.#json)) {
      if (this.#read.has(key)) continue;
      const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
      if (rule === undefined) {
        this.refuse(key, 'this key is not known, and may change what the model computes; take it out if it does not');
      }
      if (rule === 'any' || value === null) continue;
      const isRight = typeof rule === 'function' ? rule(value) : (rule as readonly unknown[]).includes(value);
      if (!isRight) {
        const allowed =
          typeof rule === 'function' ? [] : (rule as readonly unknown[]).map((one) => JSON.stringify(one));
        const words =
          allowed.length > 0 ? `only ${allowed.join(' or ')} is computed here` : 'this is not computed here';
        this.refuse(key, words);
      }
    }
  }
}

/** No value, in all the ways that JSON has. */
export const isEmpty = (value: unknown): boolean =>
  value === '' ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);

/** Keys that transformers writes into every configuration, and that change no number here. */
export const generic: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    (
      'model_type architectures transformers_version _name_or_path name_or_path _commit_hash auto_map torch_dtype dtype use_bfloat16 ' +
      'tf_legacy_loss torchscript return_dict use_return_dict output_hidden_states output_attentions use_cache gradient_checkpointing ' +
      'initializer_range initializer_factor logit_scale_init_value dropout attention_dropout hidden_dropout projection_dim ' +
      'tie_word_embeddings tie_encoder_decoder is_encoder_decoder chunk_size_feed_forward cross_attention_hidden_size ' +
      'finetuning_task id2label label2id num_labels problem_type task_specific_params tokenizer_class prefix bos_token_id ' +
      'pad_token_id eos_token_id sep_token_id decoder_start_token_id max_length min_length do_sample early_stopping num_beams num_beam_groups ' +
      'diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size ' +
      'encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores return_dict_in_generate forced_bos_token_id ' +
      'forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens ' +
      'attn_implementation _attn_implementation _attn_implementation_internal _attn_implementation_autoset _num_labels ' +
      'transformers.js_config'
    )
      .split(' ')
      .map((key): [string, Rule] => [key, 'any']),
  ),
  pruned_heads: isEmpty,
  quantization_config: isEmpty,
  is_decoder: [false],
  add_cross_attention: [false],
};

/** Mean and deviation of pixels, by the names that they have there. */
export function constants(
  section: Section,
  mean: string,
  std: string,
): { mean?: [number, number, number]; std?: [number, number, number] } {
  const [m, s] = [section.rgb(mean), section.rgb(std)];
  if (s?.some((value) => value <= 0)) section.refuse(std, 'deviations are above 0');
  return { ...(m && { mean: m }), ...(s && { std: s }) };
}

/** Without what is not claimed. */
export function present<K extends string>(
  claims: Readonly<Partial<Record<K, Claim | undefined>>>,
): Partial<Record<K, Claim>> {
  return Object.fromEntries(Object.entries(claims).filter(([, claim]) => claim !== undefined)) as Partial<
    Record<K, Claim>
  >;
}
