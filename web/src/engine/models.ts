import { type OpenVocabulary, openVocabulary } from '@zeroseg/core/zeroseg';
import { ModelShelf } from '../models/worker/shelf.ts';
import type { Gpu } from './gpu.ts';

/** Models that are open at once: those of the two sides of a comparison. */
const MAX_OPEN = 2;

/** Opens models on the device, and keeps the ones that were used last. */
export class Models {
  readonly shelf: ModelShelf = new ModelShelf();
  readonly #gpu: Gpu;
  /** The one that was used last at the end. */
  readonly #open = new Map<string, Promise<OpenVocabulary>>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    gpu.onLost(() => this.#open.clear());
  }

  /** @param id A choice of the shelf. */
  async open(id: string): Promise<OpenVocabulary> {
    const opened = this.#open.get(id) ?? this.#load(id);
    this.#open.delete(id);
    this.#open.set(id, opened);
    opened.catch(() => {
      if (this.#open.get(id) === opened) this.#open.delete(id);
    });
    const model = await opened;
    for (const [other, old] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#open.delete(other);
      void old.then((one) => one.dispose());
    }
    return model;
  }

  async #load(id: string): Promise<OpenVocabulary> {
    const device = await this.#gpu.device();
    return openVocabulary(device, await this.shelf.open(id));
  }
}
