import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOperands, checkOptions } from '../axis/index.ts';
import { permute, reshape } from '../layout/index.ts';
import { type Conv1dOptions, convolution } from './conv2d.ts';
import { type Triple, tripleOf, windowCount } from './pairs.ts';
import { unfoldWindows } from './windows.ts';

export interface Conv3dOptions extends Omit<Conv1dOptions, 'stride' | 'padding' | 'dilation'> {
  /** Places from one window to the next. Default: 1. */
  readonly stride?: Triple;
  /** Zeros around, on each side of each axis. `'same'`: as many as leave the size as it is, one more at the end if they are odd. Default: 0. */
  readonly padding?: Triple | 'same';
  /** Places from one place of a window to its next. Default: 1. */
  readonly dilation?: Triple;
}

/**
 * Convolution of volumes, or of images in time: `y[b, t, i, j] = activation(Σ weight[:, c, s, u, v] · x[b, t · stride + s · dilation - padding, …, c]
 * + bias)` over c, s, u, v. `x [B, T, H, W, groups · C]`, `weight [D, C, kt, kh, kw]` as in PyTorch, `bias [D]` → `[B, t, h, w, D]`; with channels
 * first `[B, groups · C, T, H, W]` → `[B, D, t, h, w]`. Stride, padding and dilation may be `[through, down, across]`. The images of a window
 * become the channels of one, of which it is {@link conv2d}: as many copies of x as windows are long.
 *
 * ```ts
 * const y = conv3d(video, weight, { padding: 1 }); // [B, 16, 64, 64, 3], [24, 3, 3, 3, 3] → [B, 16, 64, 64, 24]
 * ```
 *
 * @throws ShapeError as {@link conv2d}.
 */
export function conv3d(x: Tensor, weight: Tensor, options: Conv3dOptions = {}): Tensor {
  const op = 'conv3d';
  checkOptions(op, options, ['bias', 'activation', 'stride', 'padding', 'dilation', 'groups', 'channels']);
  const { bias, activation, stride = 1, padding = 0, dilation = 1, groups = 1, channels = 'last' } = options;
  checkChoice(op, 'channels', channels, ['first', 'last']);
  checkOperands(op, { x, weight, ...(bias && { bias }) });
  const shapes = { x: x.shape, weight: weight.shape, ...(bias && { bias: bias.shape }) };
  const [out, inputs, long, high, wide] = weight.shape;
  if (out === undefined || !inputs || !long || !high || !wide || weight.shape.length !== 5) {
    throw new ShapeError(op, 'the weight must be [D, C, kt, kh, kw], with inputs', shapes);
  }
  if (!Number.isInteger(groups) || groups < 1 || out % groups !== 0) {
    throw new ShapeError(op, `the groups must be a whole number that divides D (${groups} and ${out})`, shapes);
  }
  const isFirst = channels === 'first';
  const layouts = ['[B, T, H, W, C]', '[B, C, T, H, W]'] as const;
  if (x.shape.length !== 5 || x.shape[isFirst ? 1 : 4] !== inputs * groups) {
    const count = groups === 1 ? 'the C of the weight' : `${groups} times the C of the weight (${groups * inputs})`;
    throw new ShapeError(op, `x must be ${layouts[Number(isFirst)]} with ${count}`, shapes);
  }
  const steps = tripleOf(op, 'stride', stride, 1, shapes);
  const apart = tripleOf(op, 'dilation', dilation, 1, shapes);
  const around = padding === 'same' ? padding : tripleOf(op, 'padding', padding, 0, shapes);
  if (around === 'same' && steps.some((step) => step !== 1)) {
    throw new ShapeError(op, `the padding 'same' needs a stride of 1 (${steps.join(', ')})`, shapes);
  }
  const last = isFirst ? permute(x, [0, 2, 3, 4, 1]) : x;
  const [batch, length, height, across] = last.shape as [number, number, number, number, number];
  // Through time, each image is a pixel.
  const zeros = around === 'same' ? apart[0] * (long - 1) : 2 * around[0];
  const count = windowCount(length, long, zeros, steps[0], apart[0]);
  if (count < 1) {
    const rule = `a window of ${long} images, ${apart[0]} apart, does not fit, with padding ${Math.floor(zeros / 2)}`;
    throw new ShapeError(op, rule, shapes);
  }
  const images = unfoldWindows(reshape(last, [batch, length, 1, height * across * groups * inputs]), {
    high: long,
    wide: 1,
    rows: count,
    cols: 1,
    stride: [steps[0], 1],
    padding: [Math.floor(zeros / 2), 0],
    dilation: [apart[0], 1],
  });
  // The channels of each group lie together, those of its first image first.
  const byImage = reshape(images, [batch * count, long, height, across, groups, inputs]);
  const joined = long === 1 ? byImage : permute(byImage, [0, 2, 3, 4, 1, 5]);
  const y = convolution(
    op,
    reshape(joined, [batch * count, height, across, groups * long * inputs]),
    reshape(permute(weight, [0, 2, 1, 3, 4]), [out, long * inputs, high, wide]),
    {
      bias,
      activation,
      groups,
      stride: [steps[1], steps[2]],
      padding: around === 'same' ? around : [around[1], around[2]],
      dilation: [apart[1], apart[2]],
    },
    shapes,
    layouts,
  );
  const made = reshape(y, [batch, count, ...y.shape.slice(1)]);
  return isFirst ? permute(made, [0, 4, 1, 2, 3]) : made;
}
