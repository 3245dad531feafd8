/** The part of this tool that runs in the worker: one picture, looked into step by step. */
import { freeParameters } from '@zeroseg/core/nn';
import {
  type ClipVision,
  classAffinity,
  ForwardInspector,
  type GroupedImage,
  gridBoxes,
  type Image,
  imagenetMean,
  imagenetStd,
  type MaskedImage,
  type ModelAndText,
  type OpenVocabulary,
  patchCount,
  patchGroups,
  repaintedImage,
  studentImage,
  Teacher,
  teacherViews,
  toTensor,
  viewCount,
  viewRows,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import type { Gpu } from '../engine/gpu.ts';
import type { Models } from '../engine/models.ts';
import { decodePhoto } from '../engine/photos.ts';
import type { Grouped, GroupRequest, Named, Seen, SeeRequest, Subject } from './messages.ts';
import { TokenColours, unitTokens } from './painting/token-colours.ts';

type ZeroSegAndText = Extract<ModelAndText, { kind: 'zeroseg' }>;

/** A model that is looked into, with its teacher. */
interface Looking {
  readonly id: string;
  readonly vocabulary: OpenVocabulary<ZeroSegAndText>;
  readonly inspector: ForwardInspector;
  readonly vision: ClipVision;
  readonly teacher: Teacher;
}

/** What is worked on: a picture, and what does not change with the sliders. */
interface Work {
  readonly id: number;
  readonly looking: Looking;
  readonly square: Image;
  readonly planes: Float32Array;
  /** Of the teacher `[V, clip_dim]`. */
  readonly views: Float32Array;
  readonly entering: TokenColours;
  readonly leaving: TokenColours;
  /** The mask that was asked for last, and what was seen through it; then what was made of that. */
  seen: { readonly key: string; readonly image: Promise<MaskedImage> } | undefined;
  grouped: { readonly seen: MaskedImage; readonly image: GroupedImage } | undefined;
}

export class ExplainTool {
  readonly #gpu: Gpu;
  readonly #models: Models;
  #looking: Promise<Looking> | undefined;
  #lookingAt = '';
  #work: Work | undefined;
  #subjects = 0;

  constructor(gpu: Gpu, models: Models) {
    this.#gpu = gpu;
    this.#models = models;
    gpu.onLost(() => {
      this.#looking = undefined;
      this.#work = undefined;
    });
  }

  /** Takes a picture in place of the one before. */
  async open(file: Blob, name: string, model: string): Promise<Subject> {
    const [photo, looking] = await Promise.all([decodePhoto(file, name), this.#look(model)]);
    const { inspector, teacher } = looking;
    const { config } = inspector.model;
    const square = studentImage(photo, config.image);
    const planes = toTensor(square, imagenetMean, imagenetStd);
    const [views, whole] = await Promise.all([
      teacher.features(teacherViews(photo, { grids: comparedGrids(config), ...teacher.pixels })),
      inspector.see(
        planes,
        Float32Array.from({ length: patchCount(config) }, (_, patch) => patch),
        0,
      ),
    ]);
    const id = ++this.#subjects;
    this.#work = {
      ...{ id, looking, square, planes, views, seen: undefined, grouped: undefined },
      entering: new TokenColours(whole.tokens, config.dim),
      leaving: new TokenColours(whole.latent.subarray(config.dim), config.dim),
    };
    return {
      id,
      square: rgbaOf(square),
      side: config.image,
      patch: config.patch,
      cols: config.image / config.patch,
      trained: trainingOf(config),
      grids: comparedGrids(config),
      boxes: gridBoxes(config.image, comparedGrids(config)),
    };
  }

  async see(request: SeeRequest): Promise<Seen> {
    const work = this.#workOn(request);
    const { looking, square, entering, leaving } = work;
    const { config } = looking.inspector.model;
    const image = await this.#see(work, request);
    const { idsKeep, mask, tokens, latent } = image;
    const kept = latent.subarray(config.dim);
    return {
      mask: Uint8Array.from(mask),
      hidden: mask.length - idsKeep.length,
      entering: entering.byPatch(tokens, idsKeep, mask.length),
      leaving: leaving.byPatch(kept, idsKeep, mask.length),
      directions: unitTokens(kept, config.dim, idsKeep, mask.length),
      repainted: rgbaOf(repaintedImage(config, square, image)),
    };
  }

  async group(request: GroupRequest): Promise<Grouped> {
    const work = this.#workOn(request);
    const { inspector } = work.looking;
    const { config } = inspector.model;
    const seen = await this.#see(work, request);
    const { tau, hard, noiseSeed } = request;
    const all = comparedGrids(config);
    const grids = all.slice(0, request.grids);
    const noise =
      noiseSeed === undefined ? undefined : await inspector.noise(new Uint32Array([noiseSeed, 1]), seen.maskRatio);
    const views = work.views.subarray(0, viewCount(grids) * config.clip_dim);
    const image = await inspector.group(seen, views, noise?.noises, { tau, hard, grids });
    work.grouped = { seen, image };
    const groups = patchGroups(config, seen, image);
    const stages = image.stages.map(({ groups, members, soft }) => ({ groups, members, soft }));
    const segments = config.output_groups.at(-1) as number;
    return {
      stages,
      ...groups,
      groupSizes: countsOf(groups.groupOf, config.output_groups[0] as number),
      segmentSizes: countsOf(groups.segmentOf, segments),
      segments,
      ...amongAllViews(image, grids, segments, viewCount(all)),
      terms: image.terms,
      total: image.total,
    };
  }

  /** Names for the segments that {@link group} gave last. */
  async name(request: { readonly subject: number }, words: readonly string[]): Promise<Named> {
    const { looking, grouped } = this.#workOn(request);
    const { vocabulary } = looking;
    if (!grouped || words.length === 0) return { words, cosines: new Float32Array(), unknown: [] };
    const { embeddings, scale } = await vocabulary.vocabulary(words);
    const { segments, global } = grouped.image;
    const cosines = classAffinity(segments, global, embeddings, { scale, top: words.length, scoring: 'cosine' });
    return { words, cosines, unknown: vocabulary.unknownNames(words).map(({ name }) => name) };
  }

  #workOn({ subject }: { readonly subject: number }): Work {
    if (this.#work?.id !== subject) throw new Error('another picture has taken its place');
    return this.#work;
  }

  /** What is seen through a mask; the last one is kept, for what groups it looks no second time. */
  #see(work: Work, { maskRatio, maskSeed }: SeeRequest): Promise<MaskedImage> {
    const key = `${maskRatio} ${maskSeed}`;
    if (work.seen?.key === key) return work.seen.image;
    const { inspector } = work.looking;
    const look = async (): Promise<MaskedImage> => {
      const { maskNoise } = await inspector.noise(new Uint32Array([maskSeed, 0]), maskRatio);
      return inspector.see(work.planes, maskNoise, maskRatio);
    };
    const image = look();
    work.seen = { key, image };
    image.catch(() => {
      if (work.seen?.image === image) work.seen = undefined;
    });
    return image;
  }

  #look(model: string): Promise<Looking> {
    if (this.#looking && this.#lookingAt === model) return this.#looking;
    const before = this.#looking;
    this.#lookingAt = model;
    const looking = this.#open(model, before);
    this.#looking = looking;
    looking.catch(() => {
      if (this.#looking === looking) this.#looking = undefined;
    });
    return looking;
  }

  async #open(id: string, before: Promise<Looking> | undefined): Promise<Looking> {
    const old = await before?.catch(() => undefined);
    if (old) {
      old.inspector.dispose();
      old.teacher.dispose();
      freeParameters(old.vision);
    }
    const [device, vocabulary] = await Promise.all([this.#gpu.device(), this.#models.open(id)]);
    const { opened, model } = vocabulary as OpenVocabulary<ZeroSegAndText>;
    if (opened.kind !== 'zeroseg') {
      throw new Error(
        'This page looks into a ZeroSeg; the model that is open is of another kind. Choose the built-in student in Segment',
      );
    }
    const vision = await opened.clip.vision(device);
    const teacher = await Teacher.create(device, vision, { batch: viewCount(comparedGrids(model.config)) });
    const inspector = new ForwardInspector(device, model);
    return { id, vocabulary: vocabulary as OpenVocabulary<ZeroSegAndText>, inspector, vision, teacher };
  }
}

function trainingOf(config: ZeroSegConfig): Subject['trained'] {
  const {
    output_groups: [groups = 0, segments = 0],
  } = config;
  const fromImage = config.assign_start === 'medoids';
  return {
    maskRatio: config.mask_ratio,
    tau: config.tau,
    hard: config.hard,
    dim: config.dim,
    embedding: config.clip_dim,
    stem: config.stem,
    encoderBlocks: config.depth,
    decoderBlocks: config.dec_depth,
    groups,
    segments,
    rounds: config.assign_rounds,
    fromImage,
    leastKept: fromImage && config.seg_input === 'visible' ? groups : 1,
    sumsFeatures: config.feat_reduce === 'sum',
    sumsSegments: config.segment_reduce === 'sum',
    weights: {
      rec: config['w_rec'] ?? 1,
      distill: config['w_dist'] ?? 1,
      match: config['w_match'] ?? 1,
      compose: config['w_compose'] ?? 0,
    },
  };
}

/** The grids that segments are compared with: those of a model whose cells do not overlap. */
function comparedGrids({ grids }: ZeroSegConfig): number[] {
  return grids.filter((k) => Number.isInteger(k));
}

/** Distances and nearest views, which the pass counts among the local views of the grids that were compared, among all views. */
function amongAllViews(
  { distance, nearest }: GroupedImage,
  grids: readonly number[],
  segments: number,
  views: number,
): Pick<Grouped, 'distance' | 'nearest'> {
  const places = viewRows(grids).local.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i));
  const all = new Float32Array(segments * views).fill(Number.NaN);
  for (let segment = 0; segment < segments; segment++) {
    for (const [local, view] of places.entries())
      all[segment * views + view] = distance[segment * places.length + local]!;
  }
  const found = Int16Array.from({ length: segments }, (_, segment) => places[nearest[segment] ?? -1] ?? -1);
  return { distance: all, nearest: found };
}

function countsOf(numbers: Int16Array, length: number): Uint32Array {
  const counts = new Uint32Array(length);
  for (const number of numbers) if (number >= 0) counts[number]!++;
  return counts;
}

function rgbaOf({ width, height, data }: Image): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) out.set(data.subarray(from, from + 3), to);
  return out;
}
