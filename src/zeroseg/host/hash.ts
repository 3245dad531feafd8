/** SHA-256 of bytes, in hexadecimal. Like all of a browser's cryptography it wants a secure context (https, or localhost). */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return hexadecimal(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

/** Bytes that are hashed at a time, and at most at once. */
const CHUNK = 2 ** 24;

/** SHA-256 of what is read by ranges, however long: at most 16 MB of it are in memory at a time. */
export async function sha256OfRanges({
  size,
  readRange,
}: {
  readonly size: number;
  readRange(start: number, end: number): Promise<Uint8Array>;
}): Promise<string> {
  if (size <= CHUNK && globalThis.crypto?.subtle) return sha256((await readRange(0, size)) as Uint8Array<ArrayBuffer>);
  const hash = new Sha256();
  for (let at = 0; at < size; at += CHUNK) hash.update(await readRange(at, Math.min(size, at + CHUNK)));
  return hash.digest();
}

/**
 * SHA-256 of the SHA-256s, in hexadecimal, of a file's pieces of `piece` bytes; of a file that is one piece, its own. The platform hashes each,
 * which is ten times as fast as {@link sha256OfRanges}, and keeps no thread of ours.
 */
export async function sha256OfPieces(source: Parameters<typeof sha256OfRanges>[0], piece: number): Promise<string> {
  const sums: string[] = [];
  for (let at = 0; at === 0 || at < source.size; at += piece) {
    const bytes = await source.readRange(at, Math.min(source.size, at + piece));
    sums.push(await sha256(bytes as Uint8Array<ArrayBuffer>));
  }
  return joinedSums(sums);
}

/** What {@link sha256OfPieces} gives, of the sums of all pieces. */
export async function joinedSums(sums: readonly string[]): Promise<string> {
  return sums.length === 1 ? (sums[0] as string) : sha256(new TextEncoder().encode(sums.join('')));
}

/** SHA-256 (FIPS 180-4) of what comes in pieces. The platform's own, {@link sha256}, is faster, and wants all at once. */
export class Sha256 {
  readonly #state = fractions(8, 1 / 2);
  readonly #schedule = new Int32Array(64);
  /** What does not fill a block yet. */
  readonly #rest = new Uint8Array(64);
  #length = 0;

  update(bytes: Uint8Array): this {
    const before = this.#length % 64;
    this.#length += bytes.length;
    let at = 0;
    if (before > 0) {
      at = Math.min(64 - before, bytes.length);
      this.#rest.set(bytes.subarray(0, at), before);
      if (before + at < 64) return this;
      this.#compress(this.#rest, 0);
    }
    for (; at + 64 <= bytes.length; at += 64) this.#compress(bytes, at);
    this.#rest.set(bytes.subarray(at));
    return this;
  }

  /** In hexadecimal. Nothing can be added afterwards. */
  digest(): string {
    const rest = this.#length % 64;
    const last = new Uint8Array(rest < 56 ? 64 : 128);
    last.set(this.#rest.subarray(0, rest));
    last[rest] = 0x80;
    const view = new DataView(last.buffer);
    view.setUint32(last.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(last.length - 4, (this.#length * 8) % 2 ** 32);
    for (let at = 0; at < last.length; at += 64) this.#compress(last, at);
    const digest = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, i) => void digest.setInt32(4 * i, word));
    return hexadecimal(new Uint8Array(digest.buffer));
  }

  #compress(bytes: Uint8Array, at: number): void {
    const w = this.#schedule;
    for (let i = 0, k = at; i < 16; i++, k += 4) {
      w[i] = (bytes[k]! << 24) | (bytes[k + 1]! << 16) | (bytes[k + 2]! << 8) | bytes[k + 3]!;
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const first = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3);
      const second = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10);
      w[i] = (w[i - 16]! + first + w[i - 7]! + second) | 0;
    }
    const state = this.#state;
    // One by one: to take a typed array apart goes by its iterator, which costs as much as the rounds of a block.
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const choice = (e & f) ^ (~e & g);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const first = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + roundConstants[i]! + w[i]!) | 0;
      const second = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    state[0] = state[0]! + a;
    state[1] = state[1]! + b;
    state[2] = state[2]! + c;
    state[3] = state[3]! + d;
    state[4] = state[4]! + e;
    state[5] = state[5]! + f;
    state[6] = state[6]! + g;
    state[7] = state[7]! + h;
  }
}

function rotated(x: number, bits: number): number {
  return (x >>> bits) | (x << (32 - bits));
}

/** The first 32 bits of the fractions of a root of the first primes. */
function fractions(count: number, power: number): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return Int32Array.from(primes, (prime) => ((prime ** power % 1) * 2 ** 32) | 0);
}

const roundConstants = /*#__PURE__*/ fractions(64, 1 / 3);

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
