/** Bilinear interpolation with half-pixel centres and without antialiasing: of inputs to networks, and of their scores. */
import { checkPixels, checkSize, PixelError } from './image.ts';

/**
 * Resizes planes `[channels, height, width]` to `[channels, newHeight, newWidth]` by bilinear interpolation with
 * half-pixel centres and no antialiasing: output `i` looks at `(i + 0.5) * in / out - 0.5`, clamped to the border.
 * The resize before inference, and that of scores back to the photo's size.
 */
export function resizeBilinear(
  data: Float32Array,
  channels: number,
  height: number,
  width: number,
  newHeight: number,
  newWidth: number,
): Float32Array {
  checkSize('resizeBilinear', width, height);
  checkSize('resizeBilinear', newWidth, newHeight);
  checkPixels('resizeBilinear', newWidth, newHeight * Math.max(1, channels));
  if (data.length !== channels * height * width) {
    throw new PixelError(
      `resizeBilinear: [${channels}, ${height}, ${width}] needs ${channels * height * width} values; got ${data.length}`,
    );
  }
  const result = new Float32Array(channels * newHeight * newWidth);
  const across = between(width, newWidth);
  const down = between(height, newHeight);
  for (let c = 0, out = 0; c < channels; c++) {
    for (let y = 0; y < newHeight; y++, out += newWidth) {
      const upper = (c * height + down.low[y]!) * width;
      const lower = (c * height + down.high[y]!) * width;
      interpolateRow(data.subarray(upper, upper + width), data.subarray(lower, lower + width), down.part[y]!, across, {
        channels: 1,
        out: result,
        at: out,
      });
    }
  }
  return result;
}

/** For each output along an axis: the inputs before and after it, and how far it lies between them, 0 to 1. */
export interface Between {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly part: Float64Array;
}

/** Where outputs lie between inputs: output `i` at `(i + 0.5) * inputs / outputs - 0.5`, clamped to the border. */
export function between(inputs: number, outputs: number): Between {
  const low = new Int32Array(outputs);
  const high = new Int32Array(outputs);
  const part = new Float64Array(outputs);
  for (let i = 0; i < outputs; i++) {
    const at = Math.max(0, ((i + 0.5) * inputs) / outputs - 0.5);
    low[i] = Math.min(inputs - 1, Math.floor(at));
    high[i] = Math.min(inputs - 1, low[i]! + 1);
    part[i] = at - low[i]!;
  }
  return { low, high, part };
}

/**
 * One row of the output, `[across, channels]`, between two rows of the input, `[width, channels]`: `down` of the way from the upper to
 * the lower. Written to `out` from `at` on.
 */
export function interpolateRow(
  upper: Float32Array,
  lower: Float32Array,
  down: number,
  across: Between,
  { channels, out, at = 0 }: { channels: number; out: Float32Array | Float64Array; at?: number },
): void {
  const { low, high, part } = across;
  for (let x = 0; x < part.length; x++) {
    const left = low[x]! * channels;
    const right = high[x]! * channels;
    const along = part[x]!;
    for (let k = 0; k < channels; k++) {
      const above = upper[left + k]! * (1 - along) + upper[right + k]! * along;
      const below = lower[left + k]! * (1 - along) + lower[right + k]! * along;
      out[at++] = above * (1 - down) + below * down;
    }
  }
}
