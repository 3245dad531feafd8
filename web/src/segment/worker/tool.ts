/** The part of this tool that runs in the worker. */
import type { Image, Progress } from '@zeroseg/core/zeroseg';
import type { Gpu } from '../../engine/gpu.ts';
import type { Models } from '../../engine/models.ts';
import { decodePhoto } from '../../engine/photos.ts';
import type { Asker, Doing, ExportOptions, PhotoFacts, Segmented, Segmenting, SegmentRequest } from '../messages.ts';
import { centresOf, countsOf } from './centres.ts';
import { Looks } from './looks.ts';

export class SegmentTool implements Segmenting {
  readonly #gpu: Gpu;
  readonly #models: Models;
  #photo: { readonly id: number; readonly image: Image } | undefined;
  #photos = 0;
  #looks = new Looks();
  readonly #asked = new Map<Asker, AbortController>();

  constructor(gpu: Gpu, models: Models) {
    this.#gpu = gpu;
    this.#models = models;
  }

  async open(file: Blob, name: string): Promise<PhotoFacts> {
    const image = await decodePhoto(file, name);
    this.#photo = { id: ++this.#photos, image };
    for (const asker of this.#asked.keys()) this.stop(asker);
    this.#looks = new Looks();
    return { id: this.#photos, width: image.width, height: image.height };
  }

  async segment(request: SegmentRequest, onDoing: (doing: Doing) => void): Promise<Segmented> {
    const { asker, words, size } = request;
    this.stop(asker);
    const controller = new AbortController();
    this.#asked.set(asker, controller);
    const { signal } = controller;
    const image = this.#imageOf(request);
    const looks = this.#looks;
    onDoing({ what: 'gpu' });
    await this.#gpu.device();
    onDoing({ what: 'model' });
    const model = await this.#models.open(request.model);
    const began = performance.now();
    const isNew = !looks.has(request.model);
    const division = await looks.get(request.model, signal, (stopped) => {
      onDoing({ what: 'picture' });
      const onProgress = (progress: Progress): void => onDoing({ what: 'picture', ...progress });
      return model.divide(image, { signal: stopped, onProgress });
    });
    const looked = isNew ? performance.now() - began : undefined;
    onDoing({ what: 'words' });
    await model.vocabulary(words, { signal, onProgress: (progress) => onDoing({ what: 'words', ...progress }) });
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

  stop(asker: Asker): void {
    this.#asked.get(asker)?.abort(new DOMException('something else is wanted', 'AbortError'));
    this.#asked.delete(asker);
  }

  async export(request: SegmentRequest, options: ExportOptions): Promise<Blob> {
    const image = this.#imageOf(request);
    // Loaded when something is taken along first: the first load is small.
    const { exportResult } = await import('./exports.ts');
    return exportResult(image, await this.segment({ ...request, size: undefined }, () => {}), options);
  }

  #imageOf({ photo }: SegmentRequest): Image {
    if (this.#photo?.id !== photo) throw new Error('another picture has taken its place');
    return this.#photo.image;
  }
}
