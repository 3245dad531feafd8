/**
 * Sums over processes whose values go as f16: what `packHalves` makes of f32 values. Each process gets its share of the blocks of all
 * others, adds them up in f32 in the order of the processes, packs the sums again, and sends them to all. So a value is rounded twice,
 * whatever the number of processes, and all have the same bits.
 */
import { BLOCK, PACKED_WORDS } from '../../kernels/optimizer/index.ts';
import { fromHalf, toHalf } from '../../tensor/values/index.ts';
import type { ProcessGroup } from './process-group.ts';

/** Sends every process its share of packed values, and gives what was received: this process's share of each. */
export function exchangeShares(group: ProcessGroup, packed: Uint32Array): Promise<Uint8Array> {
  const share = Math.ceil(packed.length / PACKED_WORDS / group.size) * PACKED_WORDS;
  const padded = new Uint32Array(share * group.size);
  padded.set(packed);
  return group.allToAll(new Uint8Array(padded.buffer));
}

/** The sums of the shares that were received, packed. */
export function sumShares({ size }: ProcessGroup, received: Uint8Array): Uint32Array<ArrayBuffer> {
  const bytes = received.byteLength / size;
  const sums = new Float32Array((bytes / 4 / PACKED_WORDS) * BLOCK);
  for (let rank = 0; rank < size; rank++) {
    addUnpacked(sums, received.slice(rank * bytes, (rank + 1) * bytes).buffer);
  }
  return pack(sums);
}

/** The sums of all shares: `n` values. */
export async function gatherShares(
  group: ProcessGroup,
  share: Uint32Array<ArrayBuffer>,
  n: number,
): Promise<Float32Array> {
  const bytes = await group.allGather(new Uint8Array(share.buffer));
  const sums = new Float32Array((bytes.byteLength / 4 / PACKED_WORDS) * BLOCK);
  addUnpacked(sums, bytes.slice().buffer);
  return sums.subarray(0, n);
}

/** The values of all f16: 0.25 MB, a load for each value. */
let halves: Float32Array | undefined;

function addUnpacked(sums: Float32Array, packed: ArrayBuffer): void {
  halves ??= fromHalf(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits));
  const [words, factors] = [new Uint16Array(packed), new Float32Array(packed)];
  for (let block = 0, to = 0; block < factors.length / PACKED_WORDS; block++) {
    const factor = factors[(block + 1) * PACKED_WORDS - 1] as number;
    let from = 2 * block * PACKED_WORDS;
    for (let i = 0; i < BLOCK; i++, to++, from++) {
      sums[to] = (sums[to] as number) + (halves[words[from] as number] as number) * factor;
    }
  }
}

/** As `packHalves`, of whole blocks. */
function pack(values: Float32Array): Uint32Array<ArrayBuffer> {
  const packed = new Uint32Array((values.length / BLOCK) * PACKED_WORDS);
  const [words, factors] = [new Uint16Array(packed.buffer), new Float32Array(packed.buffer)];
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const scaled = new Float32Array(values.length);
  for (let block = 0; block < values.length / BLOCK; block++) {
    const first = block * BLOCK;
    let largest = 0;
    for (let i = first; i < first + BLOCK; i++) largest = Math.max(largest, (bits[i] as number) & 0x7fffffff);
    const exponent = largest >>> 23;
    const power = Math.min(268 - exponent, 253) - 127;
    const hasValues = exponent < 255;
    for (let i = first; i < first + BLOCK && hasValues; i++) scaled[i] = (values[i] as number) * 2 ** power;
    factors[(block + 1) * PACKED_WORDS - 1] = hasValues ? 2 ** -power : Number.NaN;
  }
  const rounded = toHalf(scaled);
  for (let block = 0; block < values.length / BLOCK; block++) {
    words.set(rounded.subarray(block * BLOCK, (block + 1) * BLOCK), 2 * block * PACKED_WORDS);
  }
  return packed;
}
