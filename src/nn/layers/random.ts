import { ArgumentError } from '../../gpu/index.ts';
import { checkNumber } from '../../kernels/axis/index.ts';
import { checkFunction } from '../../tensor/graph/index.ts';
import { shown } from '../../tensor/values/index.ts';

/** Uniform numbers in [0, 1): the host's generator, for initial weights and the order of images. Same on every platform. */
export type Random = () => number;

/** FNV-1a, 32 bits, of the UTF-8 bytes of `text`. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

/**
 * A generator (sfc32 by Chris Doty-Humphrey) for a seed and a name. Different names give independent streams, so adding a
 * layer does not change the weights of the others.
 */
export function random(seed: number, name = ''): Random {
  checkNumber('random', 'seed', seed);
  return generator(seed, name);
}

/** {@link random}, of a seed that was checked. */
export function generator(seed: number, name: string): Random {
  let a = hashText(`${seed}:${name}`);
  let b = hashText(`${name}/${seed}`);
  let c = seed >>> 0;
  let counter = 1;
  const next = () => {
    const t = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** Standard normal numbers by Box and Muller. */
export function normalNumber(uniform: Random): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/**
 * The numbers 0..n−1 in random order (Fisher and Yates): `permutation(5, random(7))`.
 *
 * @throws ArgumentError when n is no whole number; StepError when a seed takes the place of the generator.
 */
export function permutation(n: number, uniform: Random): Uint32Array {
  if (!(Number.isInteger(n) && n >= 0)) {
    throw new ArgumentError(`permutation: n must be a whole number, 0 or more; it is ${shown(n)}`);
  }
  checkFunction('permutation', 'the generator, as random(seed),', uniform);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return order;
}
