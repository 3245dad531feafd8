/** In which order the photos of an epoch come. */
import { permutation, type Random } from '../../nn/layers/index.ts';

/**
 * All photos once: files in random order, `window` of them at a time, the photos of which are shuffled together. So few files are read at a
 * time, each from its beginning to its end.
 *
 * @param files For each photo the number of the file that it is in.
 */
export function windowedOrder(files: Uint32Array, window: number, uniform: Random): Uint32Array {
  const photos = new Map<number, number[]>();
  for (const [photo, file] of files.entries()) {
    const others = photos.get(file);
    if (others) others.push(photo);
    else photos.set(file, [photo]);
  }
  const all = [...photos.keys()].sort((a, b) => a - b);
  const drawn = Array.from(permutation(all.length, uniform), (i) => photos.get(all[i] as number) as number[]);
  const order = new Uint32Array(files.length);
  let at = 0;
  for (let first = 0; first < drawn.length; first += window) {
    const together = drawn.slice(first, first + window).flat();
    for (const i of permutation(together.length, uniform)) order[at++] = together[i] as number;
  }
  return order;
}
