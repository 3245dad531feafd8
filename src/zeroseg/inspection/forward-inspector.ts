/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, type Device } from '../../gpu/index.ts';
import { randomGumbel, randomUniform } from '../../kernels/elementwise/index.ts';
import { sharedWeights, type Trace } from '../../nn/layers/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { KeptSteps, readAll, type Step, step } from '../../tensor/run/index.ts';
import { viewCount } from '../image/index.ts';
import { keepCount, lossTerms, patchCount, resolveConfig, ZeroSeg, type ZeroSegConfig } from '../model/index.ts';

/** The first half of a training pass over one image: N patches, of which n are kept. */
export interface MaskedImage {
  /** Normalised pixels `[C, image, image]`, as they were given. */
  readonly image: Float32Array;
  readonly maskRatio: number;
  /** The kept patches in the order in which the encoder sees them `[n]`, and the place of every patch in the shuffled order `[N]`. */
  readonly idsKeep: Uint32Array;
  readonly idsRestore: Uint32Array;
  /** 1 where a patch is hidden `[N]`. */
  readonly mask: Float32Array;
  /** Kept patches as they enter the encoder's blocks `[n, dim]`. */
  readonly tokens: Float32Array;
  /** As they leave the encoder `[1 + n, dim]`, the class token first. */
  readonly latent: Float32Array;
  /** Predicted pixels of all patches `[N, patch²·C]`; undefined where nothing is hidden: the decoder is then not asked. */
  readonly pred: Float32Array | undefined;
}

/** What one grouping block did: M members, G groups. */
export interface GroupStage {
  readonly groups: number;
  readonly members: number;
  /** Before noise and temperature `[G, M]`. */
  readonly logits: Float32Array;
  /** `softmax over the groups of (logits + noise) / tau` `[G, M]`. */
  readonly soft: Float32Array;
  /** What groups were formed by `[G, M]`: 0 or 1 if hard, else `soft`. */
  readonly assign: Float32Array;
}

/** The second half of a training pass over one image: S segments, V views of which L are local. */
export interface GroupedImage {
  readonly stages: readonly GroupStage[];
  /** In CLIP's space: segments `[S, clip_dim]`, and the whole image `[clip_dim]`. */
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** L1 distance of each segment to each local view `[S, L]`, and the nearest of them `[S]`; empty without local views. */
  readonly distance: Float32Array;
  readonly nearest: Uint32Array;
  /** Terms of the loss by name, not weighted, and their weighted sum. */
  readonly terms: Readonly<Record<string, number>>;
  readonly total: number;
}

/** How the head groups. Left out: as the model's configuration says. */
export interface GroupSettings {
  readonly tau?: number | undefined;
  readonly hard?: boolean | undefined;
  /** Grids of the views. */
  readonly grids?: readonly number[] | undefined;
}

/** Random numbers of a pass. */
export interface PassNoise {
  /** Uniform `[N]`: the patches with the smallest values are kept. */
  readonly maskNoise: Float32Array;
  /** Gumbel noise of the grouping blocks, `[G, M]` each. */
  readonly noises: readonly Float32Array[];
}

type Tensors = Readonly<Record<string, Tensor>>;
type Values = Readonly<Record<string, Float32Array | Uint32Array>>;
type MaskedStep = Step<'image' | 'maskNoise', Tensors>;
type GroupedStep = Step<string, Tensors>;

/** Steps that are kept for each half: as many settings as somebody moves a slider over and back. */
const KEPT = 12;

/**
 * A training pass of a model over one image, read back with what lies between: which patches are hidden, tokens, predicted pixels,
 * assignments of both stages, segments, distances to the teacher's views, losses. The values are those of {@link ZeroSeg.forward} for
 * the same noise; the two halves are run apart, so that other views or another temperature do not look at the image again.
 *
 * Ratio, temperature, hardness and grids may be others than the model was trained with: it keeps its weights.
 *
 * ```ts
 * using inspector = new ForwardInspector(device, model);
 * const { maskNoise, noises } = await inspector.noise(new Uint32Array([seed, 0]), 0.6);
 * const seen = await inspector.see(image, maskNoise, 0.6);
 * const { stages, segments } = await inspector.group(seen, views, noises, { tau: 0.5 });
 * ```
 */
export class ForwardInspector implements Disposable {
  readonly model: ZeroSeg;
  readonly #device: Device;
  readonly #masked = new KeptSteps<MaskedStep>(KEPT);
  readonly #grouped = new KeptSteps<GroupedStep>(KEPT);

  constructor(device: Device, model: ZeroSeg) {
    this.#device = device;
    this.model = model;
  }

  /** The noise that a training pass over one image draws from a key, u32 `[2]`. */
  async noise(key: Uint32Array, maskRatio: number = this.model.config.mask_ratio): Promise<PassNoise> {
    const config = this.#variant({ mask_ratio: maskRatio });
    const on = tensor(this.#device, key, [2]);
    const stages = memberCounts(config).map((members, i) =>
      randomGumbel(on, [1, config.output_groups[i] as number, members], i + 1),
    );
    const [maskNoise, ...noises] = await readAll([randomUniform(on, [1, patchCount(config)], 0), ...stages]);
    return { maskNoise: maskNoise as Float32Array, noises: noises as Float32Array[] };
  }

  /** What the encoder sees of a normalised image `[C, image, image]`, and what the decoder makes of it. `maskNoise` `[N]`. */
  async see(
    image: Float32Array,
    maskNoise: Float32Array,
    maskRatio: number = this.model.config.mask_ratio,
  ): Promise<MaskedImage> {
    const config = this.#variant({ mask_ratio: maskRatio });
    checkLength('see', 'image', image, config.chans * config.image ** 2);
    checkLength('see', 'maskNoise', maskNoise, patchCount(config));
    // At a ratio that hides not even one patch the decoder is asked all the same, unless it is 0.
    const key = `${keepCount(patchCount(config), maskRatio)} ${maskRatio > 0}`;
    const call = async (run: MaskedStep): Promise<MaskedImage> => {
      const values = await readNamed(run({ image, maskNoise }));
      return { image, maskRatio, pred: undefined, ...values } as MaskedImage;
    };
    return this.#masked.use(key, () => this.#recordMasked(config), call);
  }

  /** Groups, segments and losses of an image that was seen, beside `views` `[V, clip_dim]` in the order of the grids. */
  async group(
    seen: MaskedImage,
    views: Float32Array,
    noises: readonly Float32Array[] | undefined,
    settings: GroupSettings = {},
  ): Promise<GroupedImage> {
    const config = this.#variant({ mask_ratio: seen.maskRatio, ...given(settings) });
    checkLength('group', 'views', views, viewCount(config.grids) * config.clip_dim);
    const members = memberCounts(config);
    const sizes = members.map((count, i) => count * (config.output_groups[i] as number));
    const used = noises ?? sizes.map((size) => new Float32Array(size));
    for (const [i, size] of sizes.entries()) checkLength('group', `noises[${i}]`, used[i] ?? new Float32Array(), size);
    const { image, latent, pred, mask, idsRestore } = seen;
    const inputs: Record<string, Float32Array | Uint32Array> = { image, latent, views, idsRestore };
    if (pred) Object.assign(inputs, { pred, mask });
    used.forEach((noise, i) => {
      inputs[`noise${i}`] = noise;
    });
    const key = JSON.stringify([seen.idsKeep.length, pred !== undefined, config.tau, config.hard, config.grids]);
    const call = async (run: GroupedStep): Promise<GroupedImage> => {
      const values = await readNamed(run(inputs));
      const of = (name: string) => values[name] as Float32Array;
      return {
        stages: members.map((count, i) => ({
          groups: config.output_groups[i] as number,
          members: count,
          logits: of(`${i}.assign_logits`),
          soft: of(`${i}.assign_soft`),
          assign: of(`${i}.assign`),
        })),
        segments: of('segments'),
        global: of('global'),
        distance: (values['match_distance'] as Float32Array) ?? new Float32Array(),
        nearest: (values['match_index'] as Uint32Array) ?? new Uint32Array(),
        terms: Object.fromEntries(lossTerms.map(({ name }) => [name, of(`term.${name}`)[0] as number])),
        total: of('total')[0] as number,
      };
    };
    return this.#grouped.use(key, () => this.#recordGrouped(config, seen), call);
  }

  #variant(changes: Partial<ZeroSegConfig>): ZeroSegConfig {
    return resolveConfig(changes, this.model.config);
  }

  #with(config: ZeroSegConfig): ZeroSeg {
    return new ZeroSeg(sharedWeights(this.#device, this.model), config);
  }

  #recordMasked(config: ZeroSegConfig): Promise<MaskedStep> {
    const { chans, image: side } = config;
    return step(
      this.#device,
      { image: [1, chans, side, side], maskNoise: [1, patchCount(config)] },
      (inputs) => {
        let tokens: Tensor | undefined;
        const keep: Trace = (name, t) => {
          if (name === 'visible_tokens') tokens = t;
        };
        const { masking, latent, pred } = this.#with(config).see(inputs, keep);
        const { idsKeep, idsRestore, mask } = masking;
        return { idsKeep, idsRestore, mask, tokens: tokens as Tensor, latent, ...(pred && { pred }) };
      },
      { name: 'masked half' },
    );
  }

  #recordGrouped(config: ZeroSegConfig, { idsKeep, pred }: MaskedImage): Promise<GroupedStep> {
    const { chans, image: side, dim, patch, clip_dim: width, grids } = config;
    const patches = patchCount(config);
    const shapes: Record<string, readonly number[] | { shape: readonly number[]; dtype: 'u32' }> = {
      image: [1, chans, side, side],
      latent: [1, 1 + idsKeep.length, dim],
      views: [1, viewCount(grids), width],
      idsRestore: { shape: [1, patches], dtype: 'u32' },
      ...(pred && { pred: [1, patches, patch ** 2 * chans], mask: [1, patches] }),
    };
    memberCounts(config).forEach((members, i) => {
      shapes[`noise${i}`] = [1, config.output_groups[i] as number, members];
    });
    return step(
      this.#device,
      shapes,
      (inputs) => {
        const results: Record<string, Tensor> = {};
        const keep: Trace = (name, t) => {
          const stage = /^seg\.stage(\d+\.assign(?:_logits|_soft)?)$/.exec(name)?.[1];
          if (stage !== undefined) results[stage] = t;
          if (name === 'match_distance' || name === 'match_index') results[name] = t;
        };
        const of = (name: string) => inputs[name] as Tensor;
        const found = this.#with(config).group(
          {
            image: of('image'),
            latent: of('latent'),
            pred: inputs['pred'],
            // Without a prediction the mask is not looked at.
            masking: { idsRestore: of('idsRestore'), mask: inputs['mask'] ?? of('image') },
            views: of('views'),
            noises: config.output_groups.map((_, i) => ({ noise: of(`noise${i}`) })),
          },
          keep,
        );
        for (const [name, term] of Object.entries(found.terms)) results[`term.${name}`] = term;
        const { segments, global, total } = found;
        return { ...results, segments, global, total };
      },
      { name: 'grouped half' },
    );
  }

  dispose(): void {
    this.#masked.dispose();
    this.#grouped.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Members of each grouping block: patches, with the class token where the head takes it; then the groups of the one before. */
function memberCounts(config: ZeroSegConfig): number[] {
  const patches = config.seg_input === 'full' ? patchCount(config) : keepCount(patchCount(config), config.mask_ratio);
  const first = patches + (config.seg_use_cls ? 1 : 0);
  return config.output_groups.map((_, i) => (i === 0 ? first : (config.output_groups[i - 1] as number)));
}

async function readNamed(tensors: Tensors): Promise<Values> {
  const values = await readAll(Object.values(tensors));
  return Object.fromEntries(Object.keys(tensors).map((name, i) => [name, values[i] as Float32Array | Uint32Array]));
}

/** Settings that were left out do not stand in the way of the model's. */
function given(settings: GroupSettings): Partial<ZeroSegConfig> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

function checkLength(call: string, name: string, values: Float32Array, length: number): void {
  if (values.length !== length) {
    throw new ArgumentError(`ForwardInspector.${call}: ${name} must hold ${length} values; it holds ${values.length}`);
  }
}
