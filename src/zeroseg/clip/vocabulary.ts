import { ArgumentError, type Device, ownValue } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read, type Step, step } from '../../tensor/run/index.ts';
import { lengthOf, type Progress, type WorkOptions } from '../host/index.ts';
import { promptTemplates, type TextTokens } from '../text/index.ts';
import { endPosition } from './towers.ts';

/** Class names and their embeddings in CLIP's space. */
export interface Vocabulary {
  readonly names: readonly string[];
  /** `[K, C]`, one row a name. */
  readonly embeddings: Float32Array;
  /** λ of the teacher: see `ScoringOptions.scale`. */
  readonly scale: number;
  /**
   * Every word by itself, for a CLIP that names patches: `[Q, C]`, and the label that each stands for, 0 for background and c + 1 for the c-th
   * name. Default: the names.
   */
  readonly words?: { readonly embeddings: Float32Array; readonly labels: ArrayLike<number> } | undefined;
}

/** Sets of sentences that class names are put into: see `promptTemplates`. */
export type TemplateSet = keyof typeof promptTemplates;

/** What embeds texts: CLIP's text tower, or GroupViT's. */
export interface TextTower {
  readonly config: {
    /** Width of the joint space. */
    readonly projection: number;
    readonly text: { readonly width: number; readonly vocab: number; readonly context: number };
  };
  /** Rows of token ids, all of one length, as embeddings `[T, L, width]` on the host. */
  embed(rows: readonly ArrayLike<number>[]): Float32Array;
  /** `embedded` `[T, L, width]` with L ≤ context, and the position of each end token, u32 `[T, 1]` → `[T, projection]`. */
  forward(embedded: Tensor, ends: Tensor): Tensor;
}

/** Progress counts texts: a name in a template is one. */
export interface VocabularyOptions extends WorkOptions<Progress> {
  /** Sentences with `{}` where the name goes, or a set of them. Default `full`: the 80 of CLIP's authors. */
  readonly templates?: TemplateSet | readonly string[] | undefined;
  /** Average before the only normalisation (GroupViT), not between two of them. Default false. */
  readonly meanFirst?: boolean | undefined;
  /** λ, the factor on cosines. Default 100. */
  readonly scale?: number | undefined;
  /** Texts that go through the GPU at once. Default 64. */
  readonly batch?: number | undefined;
}

/** Rows of equal length share a recording; lengths are rounded up to a multiple of this, so that there are few. */
const LENGTH_STEP = 4;

/**
 * Embeds class names: every name in every template goes through the text encoder; the features of a name are normalised,
 * averaged, and normalised again (spec §12.3).
 *
 * ```ts
 * const vocabulary = await makeVocabulary(device, clip.text, await Tokenizer.clip(), ['dog', 'sofa']);
 * ```
 */
export async function makeVocabulary(
  device: Device,
  text: TextTower,
  tokens: TextTokens,
  names: readonly string[],
  options: VocabularyOptions = {},
): Promise<Vocabulary> {
  const sentences = templateList(options.templates);
  const texts = names.flatMap((name) => sentences.map((template) => fillTemplate(template, name)));
  const features = await embedTexts(device, text, tokens, texts, options);
  const width = text.config.projection;
  const embeddings = ensemble(features, names.length, sentences.length, width, options.meanFirst ?? false);
  return { names, embeddings, scale: options.scale ?? 100 };
}

/** The sentences of a set. */
export function templateList(templates: VocabularyOptions['templates'] = 'full'): readonly string[] {
  const list = typeof templates === 'string' ? ownValue(promptTemplates, templates) : templates;
  if (!list) {
    const sets = Object.keys(promptTemplates).join(', ');
    throw new ArgumentError(
      `makeVocabulary: templates must be one of ${sets}, or a list of sentences; got '${templates}'`,
    );
  }
  if (list.length === 0) throw new ArgumentError('makeVocabulary: there must be a template; `{}` alone is one');
  return list;
}

/** The template with the name at every `{}`. */
export function fillTemplate(template: string, name: string): string {
  return template.replaceAll('{}', () => name);
}

/** Features `[T, C]` of texts, not normalised. */
export async function embedTexts(
  device: Device,
  text: TextTower,
  tokens: TextTokens,
  texts: readonly string[],
  { batch = 64, signal, onProgress }: Pick<VocabularyOptions, 'batch' | 'signal' | 'onProgress'> = {},
): Promise<Float32Array> {
  const { context, width } = text.config.text;
  const rows = texts.map((one) => tokens.row(one, context));
  const ends = rows.map(endPosition);
  // What follows the end token is never seen (attention is causal), so rows are cut to the longest of their batch.
  const lengths = ends.map((end) => Math.min(context, Math.ceil((end + 1) / LENGTH_STEP) * LENGTH_STEP));
  const order = Array.from(texts.keys()).sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  const size = Math.min(batch, texts.length);
  const dim = text.config.projection;
  const out = new Float32Array(texts.length * dim);
  let run: { readonly length: number; readonly step: Step<'embedded' | 'ends', Tensor> } | undefined;
  try {
    for (let at = 0; at < order.length; at += size) {
      signal?.throwIfAborted();
      const some = order.slice(at, at + size);
      const length = lengths[some.at(-1) as number] as number;
      if (run?.length !== length) {
        run?.step.dispose();
        run = {
          length,
          step: await step(
            device,
            { embedded: [size, length, width], ends: { shape: [size, 1], dtype: 'u32' as const } },
            ({ embedded, ends: places }) => text.forward(embedded, places),
            { name: `clip text ${length}` },
          ),
        };
      }
      // The step takes whole batches: the last text fills what is missing, and its copies are dropped.
      const padded = Array.from({ length: size }, (_, i) => some[Math.min(i, some.length - 1)] as number);
      const values = await read(
        run.step({
          embedded: text.embed(padded.map((i) => (rows[i] as Int32Array).subarray(0, length))),
          ends: Uint32Array.from(padded, (i) => ends[i] as number),
        }),
      );
      some.forEach((i, row) => {
        out.set(values.subarray(row * dim, (row + 1) * dim), i * dim);
      });
      onProgress?.({ done: Math.min(at + size, order.length), total: order.length });
    }
  } finally {
    run?.step.dispose();
  }
  return out;
}

/**
 * One unit vector a name out of the features of its texts `[names · templates, C]`: normalise, mean, normalise; or with
 * `meanFirst` mean, normalise.
 */
export function ensemble(
  features: Float32Array,
  names: number,
  templates: number,
  width: number,
  meanFirst: boolean,
): Float32Array {
  const out = new Float32Array(names * width);
  for (let n = 0; n < names; n++) {
    const mean = new Float64Array(width);
    for (let t = 0; t < templates; t++) {
      const feature = features.subarray((n * templates + t) * width, (n * templates + t + 1) * width);
      const length = meanFirst ? 1 : lengthOf(feature);
      for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (feature[i] as number) / length;
    }
    const length = lengthOf(mean);
    for (let i = 0; i < width; i++) out[n * width + i] = (mean[i] as number) / length;
  }
  return out;
}
