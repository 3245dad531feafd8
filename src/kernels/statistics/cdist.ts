import { kernel, notNumbers, type Piece } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { broadcastShapes, ShapeError, size } from '../../tensor/values/index.ts';
import { checkNumber, checkOperands, checkOptions, inRuns, LOOPS_FOR_ALL } from '../axis/index.ts';
import { cast, stopGradient, sub } from '../elementwise/index.ts';
import { powPiece } from '../functions/index.ts';
import { broadcastTo, reshape, unsqueeze } from '../layout/index.ts';
import { norm } from './norms.ts';

export interface CdistOptions {
  /** Of the norm: 2, 1, Infinity (the largest difference), 0 (how many differ) or another p. Default: 2. */
  readonly order?: number;
}

/**
 * Distances of all rows of `a` from all rows of `b`: `y[…, i, j] = ‖a[…, i, :] - b[…, j, :]‖`, `a […, P, M]`, `b […, R, M]` → `[…, P, R]`; axes in
 * front broadcast. PyTorch's `cdist`, but always by differences, so that near rows keep their digits. It is computed in f32, without a
 * tensor of all differences.
 *
 * Gradients are those of {@link norm}, with `d = a[i] - b[j]`: of order 2 `Σ dy · d / y`, 0 where y is 0; of order 1 `Σ dy · sign(d)`; of ∞ at the
 * first of the largest; of 0 none; of another p `Σ dy · sign(d) (|d| / y)^(p - 1)`, 0 where d is 0. Only second derivatives make all differences.
 *
 * ```ts
 * const [a, b] = [tensor(device, [[0, 0], [3, 0]]), tensor(device, [[0, 4]])];
 * await read(cdist(a, b)); // [4, 5]
 * await read(cdist(a, b, { order: 1 })); // [4, 7]
 * ```
 *
 * @throws ShapeError when the rows differ in length, the axes in front do not broadcast, or the order is no number, 0 or more.
 */
export function cdist(a: Tensor, b: Tensor, options: CdistOptions = {}): Tensor {
  checkOperands('cdist', { a, b });
  checkOptions('cdist', options, ['order']);
  const { order = 2 } = options;
  const shapes = { a: a.shape, b: b.shape };
  checkNumber('cdist', 'order', order);
  if (!(order >= 0)) throw new ShapeError('cdist', `the order must be 0 or more; it is ${order}`, shapes);
  const width = a.shape.at(-1) as number;
  if (a.shape.length < 2 || b.shape.length < 2 || width !== b.shape.at(-1)) {
    throw new ShapeError('cdist', 'a must be […, P, M] and b […, R, M]', shapes);
  }
  const batch = broadcastShapes('cdist', { a: a.shape.slice(0, -2), b: b.shape.slice(0, -2) });
  const flat = (x: Tensor): Tensor => {
    const rows = x.shape.slice(-2);
    const wide = cast(order === 0 ? stopGradient(x) : x, 'f32');
    return reshape(broadcastTo(wide, [...batch, ...rows]), [size(batch), ...rows]);
  };
  const y = distances(flat(a), flat(b), order);
  return cast(reshape(y, [...batch, ...y.shape.slice(1)]), a.dtype);
}

/** Of `a [B, P, M]` and `b [B, R, M]`, both f32. */
function distances(a: Tensor, b: Tensor, order: number): Tensor {
  const [batch, down, width] = a.shape as [number, number, number];
  const across = b.shape[1] as number;
  const form = forms[order === 1 ? 'sum' : order === 2 ? 'root' : order === 0 ? 'count' : 'powers'];
  const { forward, backward } = kernelsOf(order === Number.POSITIVE_INFINITY ? forms.largest : form, width % 4 === 0);
  const cols = width % 4 === 0 ? width / 4 : width;
  const y = empty(a, [batch, down, across]);
  const at = empty(a, y.shape, 'u32');
  const numbers = { cols, down, across, order };
  dispatch(forward, { a, b, y, at }, { ...elementsOf(a.device, 4 * y.size), ...numbers });
  if (order === 0) return y;
  return differentiable(
    y,
    [a, b],
    (dy) =>
      [
        { x: a, other: b, rows: down, others: across, own: across, step: 1 },
        { x: b, other: a, rows: across, others: down, own: 1, step: across },
      ].map(({ x, other, ...rows }) => {
        const dx = empty(x);
        const units = elementsOf(x.device, 4 * batch * rows.rows * cols);
        dispatch(backward, { x, other, y, at, dy, dx }, { ...units, ...rows, cols, order });
        return dx;
      }),
    (a, b) => norm(sub(unsqueeze(a, 2), unsqueeze(b, 1)), { axes: -1, order }),
  );
}

/** WGSL of an order of norms, in terms of a difference `d` of two elements. */
interface Form {
  readonly name: string;
  /** What each difference adds to `total`, and then the distance. */
  readonly adds?: string;
  readonly distance: string;
  /** Whether the largest difference, `top`, and its place in the row, `which`, are found before. */
  readonly isByTop?: true;
  /** The slope at `d`, of the distance `y`; `c` is its place in the row, `at` that of the largest. */
  readonly slope: string;
  readonly use?: readonly Piece[];
}

const forms = {
  count: { name: 'count', adds: 'f32(isSomething(d))', distance: 'total', slope: '0.0' },
  sum: { name: 'sum', adds: 'abs(d)', distance: 'total', slope: 'signOf(d)' },
  root: { name: 'root', adds: 'd * d', distance: 'sqrt(total)', slope: 'd / select(y, 1.0, y == 0.0)' },
  powers: {
    name: 'powers',
    isByTop: true,
    // Over the largest, so that powers neither overflow nor vanish.
    adds: 'powOf(abs(d) / unit, params.order)',
    distance: 'unit * powOf(total, 1.0 / params.order)',
    slope:
      'select(0.0, signOf(d) * powOf(abs(d) / select(y, 1.0, y == 0.0), params.order - 1.0), isSomething(d) && y != 0.0)',
    use: [powPiece],
  },
  largest: { name: 'largest', isByTop: true, distance: 'top', slope: 'select(0.0, signOf(d), c == at)' },
} as const satisfies Readonly<Record<string, Form>>;

const made = new Map<string, ReturnType<typeof makeKernels>>();

function kernelsOf(form: Form, inVec4s: boolean): ReturnType<typeof makeKernels> {
  const key = `${form.name} ${inVec4s}`;
  let one = made.get(key);
  if (!one) made.set(key, (one = makeKernels(form, inVec4s)));
  return one;
}

function makeKernels({ name, adds, distance, isByTop, slope, use = [] }: Form, inVec4s: boolean) {
  const F = inVec4s ? 'vec4f' : 'f32';
  const parts = inVec4s ? ['.x', '.y', '.z', '.w'] : [''];
  const place = (k: number) => (inVec4s ? `c * 4u + ${k}u` : 'c');
  const summed = (sum: string) => (inVec4s ? `(${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w)` : sum);
  const walk = { counter: 'c', from: '0u', to: 'params.cols', by: '1u' };
  const difference = 'let d = a[row + c] - b[other + c];';
  const largest = `
    var top = 0.0;
    var which = 0u;
    for (var c = 0u; c < params.cols; c++) {
      ${difference}
      ${parts.map((part, k) => `if (isLarger(abs(d${part}), top)) { top = abs(d${part}); which = ${place(k)}; }`).join('\n      ')}
    }
    let unit = select(1.0, top, top > 0.0 && isFinite(top));`;
  const added = `
    var sums = ${F}();
    ${inRuns({ sums: F }, walk, `${difference} sums += ${F}(${parts.map((part) => `part(d${part}, unit)`).join(', ')});`, { loops: LOOPS_FOR_ALL })}
    let total = ${summed('sums')};`;
  const stored = inVec4s ? 'vec4<f32>' : 'f32';
  const bind = `read ${stored}` as const;
  // Neighbours have the same row of a, and neighbouring ones of b.
  const forward = kernel({
    name: `cdist-${name}`,
    bind: { a: bind, b: bind, y: 'write f32', ...(name === 'largest' && { at: 'write u32' as const }) },
    params: { ...elementParams, cols: 'u32', down: 'u32', across: 'u32', order: 'f32' },
    override: elementOverride,
    use: [notNumbers, ...use],
    grid: elementGrid,
    wgsl: `
// NaN is larger than all numbers, and the first stays.
fn isLarger(x: f32, top: f32) -> bool { return !isNan(top) && (isNan(x) || x > top); }
${adds ? `fn part(d: f32, unit: f32) -> f32 { return ${adds}; }` : ''}
${elementLoop(`
    let line = i / params.across;
    let row = line * params.cols;
    let other = (line / params.down * params.across + (i - line * params.across)) * params.cols;
    ${isByTop ? largest : 'let unit = 1.0;'}
    ${adds ? added : ''}
    y[i] = ${distance};
    ${name === 'largest' ? 'at[i] = which;' : ''}`)}`,
  });
  // An invocation has an element of x, or four neighbours, and goes through all rows of the other.
  const backward = kernel({
    name: `cdist-${name}-backward`,
    bind: {
      x: bind,
      other: bind,
      ...(name !== 'sum' && name !== 'largest' && { y: 'read f32' as const }),
      ...(name === 'largest' && { at: 'read u32' as const }),
      dy: 'read f32',
      dx: `write ${stored}` as const,
    },
    params: { ...elementParams, cols: 'u32', rows: 'u32', others: 'u32', own: 'u32', step: 'u32', order: 'f32' },
    override: elementOverride,
    use: [notNumbers, ...use],
    grid: elementGrid,
    wgsl: `
fn slope(d: f32, y: f32, c: u32, at: u32) -> f32 { return ${slope}; }
${elementLoop(`
    let line = i / params.cols;
    let c = i - line * params.cols;
    let batch = line / params.rows;
    let pairs = batch * params.rows * params.others + (line - batch * params.rows) * params.own;
    let first = batch * params.others * params.cols + c;
    let own = x[i];
    var total = ${F}();
    ${inRuns(
      { total: F },
      { counter: 'j', from: '0u', to: 'params.others', by: '1u' },
      `let pair = pairs + j * params.step;
      let d = own - other[first + j * params.cols];
      let far = ${name !== 'sum' && name !== 'largest' ? 'y[pair]' : '0.0'};
      let place = ${name === 'largest' ? 'at[pair]' : '0u'};
      total += dy[pair] * ${F}(${parts.map((part, k) => `slope(d${part}, far, ${place(k)}, place)`).join(', ')});`,
      { loops: LOOPS_FOR_ALL },
    )}
    dx[i] = total;`)}`,
  });
  return { forward, backward };
}
