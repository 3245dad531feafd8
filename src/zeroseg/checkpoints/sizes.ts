/** Sizes that are told by a checkpoint's tensors, checked before anything is made of them. */
import { shownValue } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';

/** Beyond what any published tower has; a hole in a file must not become a loop over billions. */
const limits: Readonly<Record<string, number>> = {
  width: 65_536,
  heads: 4096,
  layers: 1024,
  depths: 1024,
  patch: 4096,
  image: 16_384,
  vocab: 2 ** 24,
  context: 2 ** 20,
  group_tokens: 65_536,
  output_groups: 65_536,
  projection: 65_536,
  projection_hidden: 2 ** 20,
};

/** How many numbers follow a prefix in the names, from 0 without a gap: `prefix0.…`, `prefix1.…`. */
export function numbered(stored: ReadonlyMap<string, unknown>, prefix: string): number {
  const found = new Set<number>();
  for (const name of stored.keys()) {
    if (!name.startsWith(prefix)) continue;
    const digits = /^(?:0|[1-9]\d{0,8})(?=\.)/.exec(name.slice(prefix.length, prefix.length + 12));
    if (digits) found.add(Number(digits[0]));
  }
  let count = 0;
  while (found.has(count)) count++;
  return count;
}

/** @throws CheckpointError that names a size which no tower can have. */
export function checkTowers(sizes: object, file: string, where = ''): void {
  for (const [name, value] of Object.entries(sizes)) {
    const place = `${where}${name}`;
    const max = Object.hasOwn(limits, name) ? (limits[name] as number) : undefined;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (max === undefined) continue;
      if (!Number.isInteger(one) || one < 0 || one > max) {
        throw new CheckpointError(
          file,
          `its tensors make ${place} ${shownValue(one)}; it must be a whole number from 0 to ${max}: the file is damaged, or no checkpoint of this kind`,
        );
      }
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) checkTowers(value, file, `${place}.`);
  }
}
