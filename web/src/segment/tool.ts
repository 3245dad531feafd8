/** The part of this tool that runs in the worker. */
import type { Division, Image, OpenVocabulary } from '@zeroseg/core/zeroseg';
import type { Gpu } from '../engine/gpu.ts';
import type { Models } from '../engine/models.ts';
import { decodePhoto } from '../engine/photos.ts';
import { centresOf, countsOf } from './centres.ts';
import { exportResult } from './exports.ts';
import type { Doing, ExportOptions, PhotoFacts, Segmented, Segmenting, SegmentRequest } from './messages.ts';

/** Divisions that are kept: new words, or the other side of a comparison, do not look at the picture again. */
const MAX_KEPT = 6;

export class SegmentTool implements Segmenting {
  readonly #gpu: Gpu;
  readonly #models: Models;
  #photo: { readonly id: number; readonly image: Image } | undefined;
  #photos = 0;
  /** By photo and model; the one that was used last at the end. */
  readonly #divisions = new Map<string, Promise<Division>>();

  constructor(gpu: Gpu, models: Models) {
    this.#gpu = gpu;
    this.#models = models;
  }

  async open(file: Blob, name: string): Promise<PhotoFacts> {
    const image = await decodePhoto(file, name);
    this.#photo = { id: ++this.#photos, image };
    this.#divisions.clear();
    return { id: this.#photos, width: image.width, height: image.height };
  }

  async segment(request: SegmentRequest, onDoing: (doing: Doing) => void): Promise<Segmented> {
    const { words, size } = request;
    onDoing({ what: 'gpu' });
    await this.#gpu.device();
    onDoing({ what: 'model' });
    const model = await this.#models.open(request.model);
    const began = performance.now();
    const isNew = !this.#divisions.has(keyOf(request));
    const division = await this.#divide(request, model, onDoing);
    const looked = isNew ? performance.now() - began : undefined;
    onDoing({ what: 'words' });
    await model.vocabulary(words, { onProgress: (progress) => onDoing({ what: 'words', ...progress }) });
    const start = performance.now();
    const { labels, windows, resized, names, unknown } = await model.name(division, words, { size });
    const [centres, counts] = [centresOf(labels), countsOf(labels, names.length)];
    const named = performance.now() - start;
    return {
      labels,
      windows,
      resized,
      names,
      unknown,
      known: model.opened.text.words,
      centres,
      counts,
      looked,
      named,
    };
  }

  async export(request: SegmentRequest, options: ExportOptions): Promise<Blob> {
    const image = this.#imageOf(request);
    return exportResult(image, await this.segment({ ...request, size: undefined }, () => {}), options);
  }

  async #divide(request: SegmentRequest, model: OpenVocabulary, onDoing: (doing: Doing) => void): Promise<Division> {
    const key = keyOf(request);
    const known = this.#divisions.get(key) ?? this.#look(request, model, onDoing);
    this.#divisions.delete(key);
    this.#divisions.set(key, known);
    known.catch(() => {
      if (this.#divisions.get(key) === known) this.#divisions.delete(key);
    });
    for (const old of this.#divisions.keys()) {
      if (this.#divisions.size <= MAX_KEPT) break;
      this.#divisions.delete(old);
    }
    return known;
  }

  async #look(request: SegmentRequest, model: OpenVocabulary, onDoing: (doing: Doing) => void): Promise<Division> {
    onDoing({ what: 'picture' });
    return model.divide(this.#imageOf(request), {
      onProgress: (progress) => onDoing({ what: 'picture', ...progress }),
    });
  }

  #imageOf({ photo }: SegmentRequest): Image {
    if (this.#photo?.id !== photo) throw new Error('another picture has taken its place');
    return this.#photo.image;
  }
}

function keyOf({ photo, model }: SegmentRequest): string {
  return `${photo} ${model}`;
}
