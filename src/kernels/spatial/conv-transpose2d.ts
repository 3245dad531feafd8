import type { Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOperands, checkOptions } from '../axis/index.ts';
import { add, mul } from '../elementwise/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { linear, matmul } from '../matmul/index.ts';
import { inWords, type Pair, pairOf } from './pairs.ts';
import { foldWindows } from './windows.ts';

export interface ConvTranspose2dOptions {
  /** `[D]`, added at every place. */
  readonly bias?: Tensor | undefined;
  /** Pixels of the result from one window to the next. Default: 1. */
  readonly stride?: Pair;
  /** Pixels that are cut off the result on each side: the padding of the convolution that this turns around. Default: 0. */
  readonly padding?: Pair;
  /** Pixels more at the lower and the right edge, below the stride: of the sizes whose convolution has this many rows. Default: 0. */
  readonly outputPadding?: Pair;
  /** `[H, W]` of the result, in the stead of `outputPadding`: the odd sizes that a convolution halved. */
  readonly outputSize?: Pair | undefined;
  /** Pixels from one pixel of a window to its next. Default: 1. */
  readonly dilation?: Pair;
  /** Channels are divided into so many groups, each of which goes by its own part of the weight: as many as channels is depthwise. Default: 1. */
  readonly groups?: number;
  /** Where the channels are, in x and in the result: `last` is `[B, H, W, C]`, `first` is `[B, C, H, W]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

/**
 * Transposed convolution, which makes images larger: every pixel of `x` adds its multiple of the weight to a window of the result,
 * `y[b, i · stride + u · dilation - padding, j · stride + v · dilation - padding] += Σ x[b, i, j, c] · weight[c, :, u, v]` over c, plus
 * bias: what the gradient of `conv2d` does to its input. `x [B, h, w, C]`, `weight [C, D / groups, kh, kw]` as in PyTorch, `bias [D]` →
 * `[B, H, W, D]` with H = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + outputPadding, and W alike. Stride, padding, outputPadding
 * and dilation may be `[down, across]`. Of G groups, group g of the channels makes results g D / G … (g + 1) D / G.
 *
 * ```ts
 * const y = convTranspose2d(x, weight, { stride: 2 }); // [B, 16, 16, 32], [32, 8, 2, 2] → [B, 32, 32, 8]
 * const z = convTranspose2d(x, wide, { stride: 2, padding: 1, outputSize: [31, 32] }); // [B, 16, 16, 32], [32, 8, 3, 3] → [B, 31, 32, 8]
 * ```
 *
 * @throws ShapeError when channels differ, groups do not divide them, nothing would be left, the output cannot have that size, or a number is
 * not whole.
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const op = 'convTranspose2d';
  checkOptions(op, options, names);
  const { bias, channels = 'last', groups = 1, stride: by = 1, padding: cut = 0, dilation: apart = 1 } = options;
  checkChoice(op, 'channels', channels, ['first', 'last']);
  checkOperands(op, { x, weight, ...(bias && { bias }) });
  const shapes = { x: x.shape, weight: weight.shape, ...(bias && { bias: bias.shape }) };
  const [inputs, each, high, wide] = weight.shape;
  if (!inputs || !each || !high || !wide || weight.shape.length !== 4) {
    throw new ShapeError(op, 'the weight must be [C, D / groups, kh, kw], with inputs and outputs', shapes);
  }
  if (!Number.isInteger(groups) || groups < 1 || inputs % groups !== 0) {
    throw new ShapeError(op, `the groups must be a whole number that divides C (${groups} and ${inputs})`, shapes);
  }
  const out = each * groups;
  if (x.shape.length !== 4 || x.shape[channels === 'first' ? 1 : 3] !== inputs) {
    const layout = channels === 'first' ? '[B, C, H, W]' : '[B, H, W, C]';
    throw new ShapeError(op, `x must be ${layout} with the C of the weight`, shapes);
  }
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError(op, groups === 1 ? 'the bias must be [D]' : `the bias must be [D], here [${out}]`, shapes);
  }
  const stride = pairOf(op, 'stride', by, 1, shapes);
  const dilation = pairOf(op, 'dilation', apart, 1, shapes);
  const padding = pairOf(op, 'padding', cut, 0, shapes);
  const last = channels === 'first' ? permute(x, [0, 2, 3, 1]) : x;
  const [batch, rows, cols] = last.shape as [number, number, number, number];
  const side = (axis: 0 | 1, count: number, length: number) =>
    (count - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (length - 1) + 1;
  const least = [side(0, rows, high), side(1, cols, wide)] as const;
  const more = moreOf(op, options, least, shapes);
  for (const axis of [0, 1] as const) {
    if (more[axis] >= 0 && more[axis] < Math.max(stride[axis], dilation[axis])) continue;
    const most = ([0, 1] as const).map((i) => least[i] + Math.max(stride[i], dilation[i]) - 1);
    const rule =
      options.outputSize === undefined
        ? `the outputPadding must be below the stride or the dilation (${inWords(more)})`
        : `the outputSize must be from [${least.join(', ')}] to [${most.join(', ')}]`;
    throw new ShapeError(op, rule, shapes);
  }
  const [height, width] = [least[0] + more[0], least[1] + more[1]];
  if (height < 1 || width < 1 || rows === 0 || cols === 0) {
    throw new ShapeError(op, `nothing is left of ${rows} × ${cols} windows, with padding ${inWords(padding)}`, shapes);
  }
  const windows = { high, wide, rows, cols, stride, padding, dilation };
  const folded = foldWindows(windowsOf(last, weight, groups), windows, [batch, height, width, out]);
  const y = bias ? add(folded, bias) : folded;
  return channels === 'first' ? permute(y, [0, 3, 1, 2]) : y;
}

const names = ['bias', 'stride', 'padding', 'outputPadding', 'outputSize', 'dilation', 'groups', 'channels'];

/** Pixels beyond the smallest result, down and across. */
function moreOf(
  op: string,
  { outputPadding, outputSize }: ConvTranspose2dOptions,
  least: readonly [number, number],
  shapes: Readonly<Record<string, Shape>>,
): [number, number] {
  if (outputSize === undefined) return pairOf(op, 'outputPadding', outputPadding ?? 0, 0, shapes);
  if (outputPadding !== undefined) {
    throw new ShapeError(op, 'outputPadding and outputSize exclude each other', shapes);
  }
  const [height, width] = pairOf(op, 'outputSize', outputSize, 1, shapes);
  return [height - least[0], width - least[1]];
}

/** `x [B, h, w, C]` and the weight `[C, D / G, kh, kw]` → what each pixel adds to its window, `[B, h, w, kh · kw · D]`. */
function windowsOf(x: Tensor, weight: Tensor, groups: number): Tensor {
  const [batch, rows, cols] = x.shape as [number, number, number, number];
  const [inputs, each, high, wide] = weight.shape as [number, number, number, number];
  const taps = high * wide;
  if (groups === 1) return linear(x, reshape(permute(weight, [2, 3, 1, 0]), [taps * each, inputs]));
  const places = batch * rows * cols;
  const perGroup = inputs / groups;
  const byTap = permute(reshape(weight, [groups, perGroup, each, taps]), [0, 1, 3, 2]);
  // As in conv2d: of one channel each, elements times elements instead of products of one column.
  const made =
    perGroup === 1
      ? mul(reshape(x, [places, 1, groups, 1]), permute(reshape(byTap, [groups, taps, each]), [1, 0, 2]))
      : permute(
          reshape(
            matmul(
              permute(reshape(x, [places, groups, perGroup]), [1, 0, 2]),
              reshape(byTap, [groups, perGroup, taps * each]),
            ),
            [groups, places, taps, each],
          ),
          [1, 2, 0, 3],
        );
  return reshape(made, [batch, rows, cols, taps * groups * each]);
}
