import type { ProcessGroup } from '../../src/nn/distributed/process-group.ts';

/** Processes that are none: they run side by side in this one, and meet at each call. */
export function processGroup(size: number): readonly ProcessGroup[] {
  const meetings = new Map<number, { values: ArrayBufferView[]; arrived: () => void; all: Promise<void> }>();
  const meet = (number: number, rank: number, values: ArrayBufferView): Promise<ArrayBufferView[]> => {
    let meeting = meetings.get(number);
    if (!meeting) {
      let arrived = (): void => undefined;
      const all = new Promise<void>((resolve) => (arrived = resolve));
      meetings.set(number, (meeting = { values: [], arrived, all }));
    }
    const { values: found, arrived, all } = meeting;
    found[rank] = values;
    if (Object.keys(found).length === size) arrived();
    return all.then(() => found);
  };
  return Array.from({ length: size }, (_, rank) => {
    let calls = 0;
    return {
      rank,
      size,
      allReduce: async (values) => {
        const all = (await meet(calls++, rank, values.slice())) as Float64Array[];
        for (let i = 0; i < values.length; i++) values[i] = all.reduce((sum, one) => sum + (one[i] as number), 0);
      },
      allToAll: async (bytes) => {
        const all = (await meet(calls++, rank, bytes.slice())) as Uint8Array[];
        const part = bytes.length / size;
        const own = new Uint8Array(bytes.length);
        for (const [from, one] of all.entries()) own.set(one.subarray(rank * part, (rank + 1) * part), from * part);
        return own;
      },
      allGather: async (bytes) => {
        const all = (await meet(calls++, rank, bytes.slice())) as Uint8Array[];
        return Uint8Array.from(all.flatMap((one) => [...one]));
      },
      broadcast: async (bytes) => {
        const [first] = (await meet(calls++, rank, bytes.slice())) as Uint8Array[];
        bytes.set(first as Uint8Array);
      },
    };
  });
}
