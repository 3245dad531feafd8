import { ArgumentError, shownValue } from '../../gpu/index.ts';
import { type LabelMap, maxPixels, PixelError } from '../image/index.ts';

/** A mask as COCO keeps it: lengths of runs down the columns, written as text (pycocotools' "compressed RLE"). */
export interface CocoRle {
  readonly size: readonly [height: number, width: number];
  readonly counts: string;
}

/** Sides of the squares that are transposed at a time, so that both orders stay in the cache. */
const TILE = 32;

/**
 * The mask of each class as COCO's run lengths, exactly as `pycocotools.mask.encode` writes them; by label, for those that occur.
 *
 * ```ts
 * classRle({ width: 3, height: 2, data: Uint8Array.of(0, 1, 1, 0, 1, 0) }).get(1); // { size: [2, 3], counts: '231' }
 * ```
 */
export function classRle(labels: LabelMap): Map<number, CocoRle> {
  const { width, height } = labels;
  const total = width * height;
  const columns = columnMajor(labels);
  const runs = new Map<number, { counts: number[]; end: number }>();
  for (let from = 0; from < total; ) {
    const label = columns[from]!;
    let to = from + 1;
    while (to < total && columns[to] === label) to++;
    let run = runs.get(label);
    if (!run) runs.set(label, (run = { counts: [], end: 0 }));
    run.counts.push(from - run.end, to - from);
    run.end = to;
    from = to;
  }
  const rles = [...runs].map(([label, { counts, end }]): [number, CocoRle] => {
    if (end < total) counts.push(total - end);
    return [label, { size: [height, width], counts: packCounts(counts) }];
  });
  return new Map(rles.sort(([a], [b]) => a - b));
}

function columnMajor({ width, height, data }: LabelMap): Uint8Array | Uint16Array {
  const out = data instanceof Uint16Array ? new Uint16Array(data.length) : new Uint8Array(data.length);
  for (let top = 0; top < height; top += TILE) {
    const bottom = Math.min(height, top + TILE);
    for (let left = 0; left < width; left += TILE) {
      const right = Math.min(width, left + TILE);
      for (let x = left; x < right; x++) {
        for (let y = top; y < bottom; y++) out[x * height + y] = data[y * width + x]!;
      }
    }
  }
  return out;
}

/**
 * Run lengths as COCO's text: from the fourth on the difference to the one two before, in groups of five bits from the low ones
 * up, each group a letter from `0` on, with 32 added where another follows.
 */
function packCounts(counts: readonly number[]): string {
  const letters: number[] = [];
  for (let i = 0; i < counts.length; i++) {
    let rest = counts[i]! - (i > 2 ? counts[i - 2]! : 0);
    for (let isLast = false; !isLast; ) {
      const group = rest & 31;
      rest >>= 5;
      // The sixteen of the last group is the sign.
      isLast = group & 16 ? rest === -1 : rest === 0;
      letters.push(48 + group + (isLast ? 0 : 32));
    }
  }
  return textOf(letters);
}

/** A call takes some tens of thousands of arguments. */
const MAX_ARGUMENTS = 8192;

function textOf(letters: readonly number[]): string {
  let text = '';
  for (let at = 0; at < letters.length; at += MAX_ARGUMENTS) {
    text += String.fromCharCode(...letters.slice(at, at + MAX_ARGUMENTS));
  }
  return text;
}

/**
 * The mask of a run length text, row by row: 1 inside, 0 outside.
 *
 * @throws ArgumentError when it is not the text of so many pixels, or of more than 2^28.
 */
export function decodeRle(rle: CocoRle): LabelMap {
  const [height, width] = sizeOf(rle);
  const { counts } = rle;
  const total = height * width;
  const fail = (what: string): never => {
    throw new ArgumentError(`decodeRle: ${what}; counts are pycocotools' text for ${height} x ${width} pixels`);
  };
  const data = new Uint8Array(total);
  const lengths: number[] = [];
  let at = 0;
  for (let place = 0; place < counts.length; ) {
    let length = 0;
    let group = 0;
    let shift = 0;
    do {
      group = counts.charCodeAt(place++) - 48;
      if (!(group >= 0 && group < 64) || shift > 30) fail(`letter ${place} is none of the text`);
      length |= (group & 31) << shift;
      shift += 5;
    } while (group & 32);
    if (group & 16 && shift < 32) length |= -1 << shift;
    if (lengths.length > 2) length += lengths[lengths.length - 2]!;
    if (length < 0 || at + length > total) fail(`run ${lengths.length + 1} ends outside`);
    if (lengths.length % 2 === 1) {
      for (let i = at; i < at + length; i++) data[(i % height) * width + Math.floor(i / height)] = 1;
    }
    at += length;
    lengths.push(length);
  }
  if (at !== total) fail(`the runs take ${at} pixels`);
  return { width, height, data };
}

function sizeOf(rle: CocoRle): readonly [height: number, width: number] {
  const isSide = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
  const { size, counts } = ((rle as unknown) ?? {}) as Record<string, unknown>;
  if (typeof counts !== 'string') {
    throw new ArgumentError(
      `decodeRle: counts must be pycocotools' text, not a list of numbers; got ${shownValue(counts)}`,
    );
  }
  if (!Array.isArray(size) || size.length !== 2 || !size.every(isSide) || size[0] * size[1] > maxPixels) {
    const rule = `size must be [height, width], whole numbers of at most ${maxPixels} pixels`;
    throw new ArgumentError(`decodeRle: ${rule}; got ${shownValue(size)}`);
  }
  return [size[0], size[1]];
}

/** Throws unless a label map holds a label for every pixel. */
export function checkLabels(op: string, { width, height, data }: LabelMap): void {
  if (Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && data.length === width * height)
    return;
  throw new PixelError(`${op}: ${width} x ${height} labels are ${width * height} values; got ${data.length}`);
}
