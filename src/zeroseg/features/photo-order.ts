import type { CacheIndex } from './cache-index.ts';

/** The photos of all parts of a cache in ascending order of their paths. */
export class PhotoOrder {
  /** Which part each photo is in, from 0, and its number there. */
  readonly #parts: Uint16Array;
  readonly #photos: Uint32Array;

  constructor(indices: readonly CacheIndex[]) {
    const orders = indices.map((index) => index.order());
    let ends = [0];
    for (const order of orders) ends.push((ends.at(-1) as number) + order.length);
    let [parts, photos] = columnsOf(ends.at(-1) as number);
    orders.forEach((order, part) => {
      parts.fill(part, ends[part], ends[part + 1]);
      photos.set(order, ends[part]);
    });
    // Runs are merged two by two: their number halves each time.
    while (ends.length > 2) {
      const [nextParts, nextPhotos] = columnsOf(parts.length);
      const next = [0];
      for (let run = 0; run + 1 < ends.length; run += 2) {
        const [from, middle] = [ends[run] as number, ends[run + 1] as number];
        const end = ends[run + 2] ?? middle;
        for (let at = from, i = from, k = middle; at < end; at++) {
          const takesFirst =
            k === end ||
            (i < middle &&
              (indices[parts[i] as number] as CacheIndex).compare(
                photos[i] as number,
                indices[parts[k] as number] as CacheIndex,
                photos[k] as number,
              ) <= 0);
          const taken = takesFirst ? i++ : k++;
          nextParts[at] = parts[taken] as number;
          nextPhotos[at] = photos[taken] as number;
        }
        next.push(end);
      }
      [parts, photos, ends] = [nextParts, nextPhotos, next];
    }
    this.#parts = parts;
    this.#photos = photos;
  }

  get length(): number {
    return this.#photos.length;
  }

  /** The part and the number of the `i`-th photo. */
  at(i: number): { readonly part: number; readonly photo: number } {
    return { part: this.#parts[i] as number, photo: this.#photos[i] as number };
  }
}

function columnsOf(photos: number): [Uint16Array, Uint32Array] {
  return [new Uint16Array(photos), new Uint32Array(photos)];
}
