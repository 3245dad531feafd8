import type { ProcessGroup } from './process-group.ts';

/** What each process gives, of any length, in the order of the processes. */
export async function gatherBytes(group: ProcessGroup, own: Uint8Array): Promise<Uint8Array[]> {
  const lengths = new Float64Array(group.size);
  lengths[group.rank] = own.byteLength;
  await group.allReduce(lengths);
  const longest = Math.max(...lengths);
  const padded = new Uint8Array(longest);
  padded.set(own);
  const all = await group.allGather(padded);
  return Array.from(lengths, (length, rank) => all.slice(rank * longest, rank * longest + length));
}
