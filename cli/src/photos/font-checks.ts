import { inflateSync } from 'node:zlib';

/** Bytes of a font's tables, all told: those of all of Chinese take some twenty million. */
const MAX_BYTES = 2 ** 27;

/**
 * What is wrong with a font file, in words; undefined for one that is whole. Each of its tables has a checksum: whoever reads the
 * outlines of a damaged one may loop for ever, so that they are compared before.
 *
 * https://learn.microsoft.com/typography/opentype/spec/otff, https://www.w3.org/TR/WOFF/
 */
export function fontProblem(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 44) return 'it is too short';
  const kind = view.getUint32(0);
  const isWoff = kind === 0x774f4646;
  // TrueType's two marks, and that of OpenType.
  if (!isWoff && ![0x00010000, 0x74727565, 0x4f54544f].includes(kind)) return 'it is of another kind';
  const count = view.getUint16(isWoff ? 12 : 4);
  const [start, step] = isWoff ? [44, 20] : [12, 16];
  if (count === 0 || start + count * step > bytes.length) return 'its list of tables is cut off';
  let total = 0;
  for (let i = 0; i < count; i++) {
    const at = start + i * step;
    const tag = String.fromCharCode(...bytes.subarray(at, at + 4));
    const [offset, packed, length, sum] = isWoff
      ? [4, 8, 12, 16].map((place) => view.getUint32(at + place))
      : [8, 12, 12, 4].map((place) => view.getUint32(at + place));
    total += length!;
    if (offset! + packed! > bytes.length || packed! > length! || total > MAX_BYTES)
      return `its table '${tag}' is cut off`;
    const stored = bytes.subarray(offset!, offset! + packed!);
    const table = packed! < length! ? inflated(stored, length!) : stored;
    if (!table || checksum(table, tag === 'head') !== sum) return `its table '${tag}' is damaged`;
  }
  return undefined;
}

function inflated(bytes: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const out = inflateSync(bytes, { maxOutputLength: Math.max(1, length) });
    return out.length === length ? out : undefined;
  } catch {
    return undefined;
  }
}

/** The sum of a table as 32-bit numbers; in `head` without the number that makes up for the sum of the whole file. */
function checksum(table: Uint8Array, isHead: boolean): number {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  let sum = 0;
  for (let at = 0; at < table.length; at += 4) {
    if (isHead && at === 8) continue;
    if (at + 4 <= table.length) sum = (sum + view.getUint32(at)) >>> 0;
    else for (let i = at; i < table.length; i++) sum = (sum + (table[i]! << (24 - 8 * (i - at)))) >>> 0;
  }
  return sum;
}
