/** How processes share the photos of an evaluation: each segments one of every round, and the first gets the maps of all. */
import { gatherBytes, type ProcessGroup } from '../../nn/distributed/index.ts';
import type { LabelMap } from '../image/index.ts';

/** The label maps of the photos of a round, those of a photo that failed being none; of a round's photos the first process gets all. */
export async function gatherMaps(group: ProcessGroup, own: readonly LabelMap[]): Promise<LabelMap[][]> {
  const all = await gatherBytes(group, packMaps(own));
  return group.rank === 0 ? all.map(unpackMaps) : [];
}

/** Width, height and bytes of an element of each map, then the maps; each begins at a multiple of four bytes. */
function packMaps(maps: readonly LabelMap[]): Uint8Array {
  const header = Uint32Array.from([
    maps.length,
    ...maps.flatMap(({ width, height, data }) => [width, height, data.BYTES_PER_ELEMENT]),
  ]);
  const bytes = new Uint8Array(maps.reduce((sum, { data }) => sum + padded(data.byteLength), header.byteLength));
  bytes.set(new Uint8Array(header.buffer));
  let at = header.byteLength;
  for (const { data } of maps) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += padded(data.byteLength);
  }
  return bytes;
}

function unpackMaps(bytes: Uint8Array): LabelMap[] {
  const { buffer } = bytes.slice();
  const [count = 0] = new Uint32Array(buffer, 0, 1);
  let at = 4 + count * 12;
  return Array.from({ length: count }, (_, i) => {
    const [width, height, size] = new Uint32Array(buffer, 4 + i * 12, 3) as unknown as [number, number, number];
    const data = size === 1 ? new Uint8Array(buffer, at, width * height) : new Uint16Array(buffer, at, width * height);
    at += padded(data.byteLength);
    return { width, height, data };
  });
}

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;
