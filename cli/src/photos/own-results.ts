/** Pictures that `zeroseg segment` made: beside photos they are no photos. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** The format of `NAME.json`, which lies beside `NAME.overlay.png` and the like. */
export const segmentsFormat = 'zeroseg-segments-1';

const ending = /(?:\.overlay\.png|\.labels\.png|\.thumbnail\.jpg|\.[^./\\]*\.cutout\.png)$/;

/** The paths without pictures that a record of `zeroseg segment` lies beside: segmented again, they would become more with every run. */
export async function withoutResults(folder: string, paths: readonly string[]): Promise<string[]> {
  const known = new Map<string, Promise<boolean>>();
  const isResult = async (path: string): Promise<boolean> => {
    if (!ending.test(path)) return false;
    const record = join(folder, `${path.replace(ending, '')}.json`);
    if (!known.has(record)) known.set(record, isRecord(record));
    return known.get(record) as Promise<boolean>;
  };
  const left: string[] = [];
  for (const path of paths) if (!(await isResult(path))) left.push(path);
  return left;
}

/** By its first bytes: records may be large. */
async function isRecord(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(100), 0, 100, 0);
      return buffer.toString('latin1', 0, bytesRead).includes(`"${segmentsFormat}"`);
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
