import { type Binding, joinSum, type Kernel, kernel, notNumbers } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, fill, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import {
  checkChoice,
  checkOptions,
  inRuns,
  LOOPS_FOR_ALL,
  rowSum,
  rowsPerGroup,
  rowThreadOverrides,
  rowThreadPlace,
  threadPerRow,
  total,
} from '../axis/index.ts';
export interface DistillOptions {
  /** Whether `|a - b|` is the mean or the sum over the features. Default: `'mean'`. */
  readonly features?: 'mean' | 'sum';
}

export interface SegmentMatchOptions extends DistillOptions {
  /** Whether the segments of an image are added up or averaged. Default: `'sum'`. */
  readonly segments?: 'mean' | 'sum';
  /** Whether the distances to all views are wanted; the loss and its gradient do without. Default: false. */
  readonly distances?: boolean;
}

export interface SegmentMatch {
  /** A scalar. */
  readonly loss: Tensor;
  /** Nearest view of each segment, u32 `[B, S]`. */
  readonly index: Tensor;
  /** All distances, `[B, S, V]`, where asked for; they have no gradient. */
  readonly distance: Tensor | undefined;
}

/**
 * ZeroSeg's distillation loss: the mean over batch and views of `|z - v_j|`, the L1 distance of the whole image's embedding
 * `z` `[B, C]` from the teacher's `views` `[B, V, C]`. Without views it is 0.
 *
 * The gradient of `|z - v|` is `sign(z - v)`, 0 where both are equal, NaN where the difference is.
 *
 * ```ts
 * const z = tensor(device, [1, 2], [1, 2]);
 * const views = tensor(device, [0, 0, 1, 5], [1, 2, 2]);
 * await read(distill(z, views)); // [1.5]
 * ```
 */
export function distill(z: Tensor, views: Tensor, options: DistillOptions = {}): Tensor {
  checkOptions('distill', options, ['features']);
  const { features = 'mean' } = options;
  checkChoice('distill', 'features', features, ['mean', 'sum']);
  const [B = 0, C = 0] = z.shape;
  const V = views.shape[1] ?? 0;
  if (z.shape.length !== 2 || views.shape.length !== 3 || views.shape[0] !== B || views.shape[2] !== C) {
    throw new ShapeError('distill', 'z must be [B, C] and views [B, V, C]', { z: z.shape, views: views.shape });
  }
  const factor = 1 / Math.max(1, B * V * (features === 'mean' ? C : 1));
  const parts = empty(z, [Math.ceil((B * C) / DISTILL_GROUP)], 'f32');
  const slope = empty(z, z.shape, 'f32');
  dispatch(distillForward, { z, views, parts, slope }, { n: B * C, V, C });
  const y = total(parts, factor);

  return differentiable(y, [z, views], (dy) => {
    const dz = empty(z);
    dispatch(distillBackward, { slope, dy, dz }, { n: B * C, factor });
    const dViews = empty(views);
    dispatch(distillViews, { z, views, dy, dViews }, { n: B * V * C, V, C, factor });
    return [dz, dViews];
  });
}

/**
 * ZeroSeg's segment matching loss (eq. 1): `mean over batch of sum_i min_j |g_i - v_j|`. Each segment `g_i` of `segments`
 * `[B, S, C]` is drawn to the one of its image's `views` `[B, V, C]` that is nearest by L1 distance; of several equally near
 * ones, the first. A distance that is NaN counts as the least, so the loss shows it.
 *
 * The gradient reaches only that pair: `sign(g - v)`, 0 where both are equal, NaN where the difference is. Without views the loss is 0.
 *
 * ```ts
 * const segments = tensor(device, [1, 2], [1, 1, 2]);
 * const views = tensor(device, [9, 9, 1, 4], [1, 2, 2]);
 * const { loss, index } = segmentMatch(segments, views);
 * await read(loss); // [1]
 * await readU32(index); // [1]
 * ```
 */
export function segmentMatch(segments: Tensor, views: Tensor, options: SegmentMatchOptions = {}): SegmentMatch {
  const [B = 0, S = 0, C = 0] = segments.shape;
  const V = views.shape[1] ?? 0;
  if (segments.shape.length !== 3 || views.shape.length !== 3 || views.shape[0] !== B || views.shape[2] !== C) {
    throw new ShapeError('segmentMatch', 'segments must be [B, S, C] and views [B, V, C]', {
      segments: segments.shape,
      views: views.shape,
    });
  }
  checkOptions('segmentMatch', options, ['features', 'segments', 'distances']);
  const { features = 'mean', segments: over = 'sum', distances = false } = options;
  checkChoice('segmentMatch', 'features', features, ['mean', 'sum']);
  checkChoice('segmentMatch', 'segments', over, ['mean', 'sum']);
  const scale = features === 'mean' ? 1 / Math.max(1, C) : 1;
  const fraction = 1 / Math.max(1, B * (over === 'mean' ? S : 1));
  const rows = B * S;

  const index = empty(segments, [B, S], 'u32');
  const best = empty(segments, [B, S], 'f32');
  const distance = distances ? empty(segments, [B, S, V], 'f32') : undefined;
  const found = { segments, views, best, index };
  const element = C % 4 === 0 ? 'vec4<T>' : 'T';
  const params = { rows, S, V, C: element === 'T' ? C : C / 4, scale };
  // On a CPU a view an invocation: no barriers, and the segment's features are one load for all.
  const constants = threadPerRow(segments.device) ?? {};
  if (distance && V > 0) dispatch(nearestAndDistances[element], { ...found, distance }, params, constants);
  else dispatch(nearest[element], found, params, constants);
  if (V === 0) return { loss: fill(segments.device, [], 0), index, distance };

  const loss = differentiable(total(best, fraction), [segments, views], (dy) => {
    const factor = scale * fraction;
    const dSegments = empty(segments);
    dispatch(backward, { segments, views, index, dy, dSegments }, { n: rows * C, S, V, C, factor });
    const dViews = empty(views);
    dispatch(backwardViews, { segments, views, index, dy, dViews }, { n: B * V * C, S, V, C, factor });
    return [dSegments, dViews];
  });
  return { loss, index, distance };
}

const DISTILL_GROUP = 128;

// One invocation per feature of z: over its views it adds up the distance and, as the gradient needs no more, the signs.
const distillForward = /*#__PURE__*/ kernel({
  name: 'distill',
  bind: { z: 'read T', views: 'read T', parts: 'write f32', slope: 'write f32' },
  params: { n: 'u32', V: 'u32', C: 'u32' },
  override: { WG: DISTILL_GROUP },
  use: [joinSum, notNumbers],
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let group = flatGroup(g, size);
  let i = group * WG + l;
  var sum = 0.0;
  if (i < params.n) {
    let own = f32(z[i]);
    let first = i / params.C * params.V * params.C + i % params.C;
    var signs = 0.0;
    ${
      /*#__PURE__*/ inRuns(
        { sum: 'f32', signs: 'f32' },
        { counter: 'v', from: '0u', to: 'params.V', by: '1u' },
        `      let d = own - f32(views[first + v * params.C]);
      sum += abs(d);
      signs += signOf(d);`,
        { loops: LOOPS_FOR_ALL },
      )
    }
    slope[i] = signs;
  }
  sum = joinSum(sum, l);
  if (l == 0u && group * WG < params.n) { parts[group] = sum; }
}`,
});

const distillBackward = /*#__PURE__*/ kernel({
  name: 'distill backward',
  bind: { slope: 'read f32', dy: 'read f32', dz: 'write T' },
  params: { n: 'u32', factor: 'f32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i < params.n) { dz[i] = T(dy[0] * params.factor * slope[i]); }
}`,
});

// One invocation per feature of a view. The model's views are constants: then this launch is left out.
const distillViews = /*#__PURE__*/ kernel({
  name: 'distill backward views',
  bind: { z: 'read T', views: 'read T', dy: 'read f32', dViews: 'write T' },
  params: { n: 'u32', V: 'u32', C: 'u32', factor: 'f32' },
  override: { WG: 64 },
  use: [notNumbers],
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let own = f32(z[i / (params.V * params.C) * params.C + i % params.C]);
  dViews[i] = T(dy[0] * params.factor * signOf(f32(views[i]) - own));
}`,
});

const nearest = {
  T: /*#__PURE__*/ nearestKernel('T', false),
  'vec4<T>': /*#__PURE__*/ nearestKernel('vec4<T>', false),
};
const nearestAndDistances = {
  T: /*#__PURE__*/ nearestKernel('T', true),
  'vec4<T>': /*#__PURE__*/ nearestKernel('vec4<T>', true),
};

// One workgroup per segment: THREADS neighbouring invocations share a view, the workgroup takes WG / THREADS views at a time.
// Every line of threads keeps its nearest view; at the end the first invocation chooses among them, lowest view on ties.
function nearestKernel(
  element: 'T' | 'vec4<T>',
  keepsDistances: boolean,
): Kernel<
  Record<string, Binding>,
  { rows: 'u32'; S: 'u32'; V: 'u32'; C: 'u32'; scale: 'f32' },
  typeof rowThreadOverrides
> {
  const F = element === 'T' ? 'f32' : 'vec4f';
  const bind: Record<string, Binding> = {
    segments: `read ${element}`,
    views: `read ${element}`,
    best: 'write f32',
    index: 'write u32',
  };
  if (keepsDistances) bind['distance'] = 'write f32';
  const keep = keepsDistances ? 'if (thread == 0u) { distance[row * params.V + v] = d; }' : '';
  return kernel({
    name: keepsDistances ? 'segment-match distances' : 'segment-match',
    bind,
    params: { rows: 'u32', S: 'u32', V: 'u32', C: 'u32', scale: 'f32' },
    override: rowThreadOverrides,
    use: [rowThreadPlace, rowSum, notNumbers],
    grid: ({ rows }, constants) => (rowsPerGroup(constants) > 0 ? [rows] : [0]),
    wgsl: `
var<workgroup> nearestDistance: array<f32, WG>;
var<workgroup> nearestView: array<u32, WG>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = flatGroup(g, size);
  if (row >= params.rows) { return; }
  let lines = WG / THREADS;
  let line = rowOf(l);
  let thread = threadOf(l);
  let segment = row * params.C;
  let image = row / params.S * params.V * params.C;
  var near = 0.0;
  var which = line;
  for (var first = 0u; first < params.V; first += lines) {
    let v = first + line;
    var sum = ${F}();
    if (v < params.V) {
      let view = image + v * params.C;
      ${inRuns(
        { sum: F },
        { counter: 'c', from: 'thread', to: 'params.C', by: 'THREADS' },
        `sum += abs(${F}(segments[segment + c]) - ${F}(views[view + c]));`,
        { loops: 3 },
      )}
    }
    let d = rowSum(${element === 'T' ? 'sum' : 'dot(sum, vec4f(1.0))'}, l) * params.scale;
    if (v < params.V) {
      // Nothing beats the first NaN.
      if (first == 0u || (!isNan(near) && (isNan(d) || d < near))) {
        near = d;
        which = v;
      }
      ${keep}
    }
  }
  if (thread == 0u) {
    nearestDistance[line] = near;
    nearestView[line] = which;
  }
  workgroupBarrier();
  if (l != 0u) { return; }
  which = 0u;
  for (var other = 1u; other < min(lines, params.V); other++) {
    let d = nearestDistance[other];
    let isEqual = select(d == near, isNan(d), isNan(near));
    let isNearer = !isNan(near) && (isNan(d) || d < near);
    if (isNearer || (isEqual && nearestView[other] < nearestView[which])) {
      near = d;
      which = other;
    }
  }
  best[row] = near;
  index[row] = nearestView[which];
}`,
  });
}

// One invocation per feature of a segment.
const backward = /*#__PURE__*/ kernel({
  name: 'segment-match backward',
  bind: { segments: 'read T', views: 'read T', index: 'read u32', dy: 'read f32', dSegments: 'write T' },
  params: { n: 'u32', S: 'u32', V: 'u32', C: 'u32', factor: 'f32' },
  override: { WG: 64 },
  use: [notNumbers],
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let row = i / params.C;
  let view = row / params.S * params.V + index[row];
  let d = f32(segments[i]) - f32(views[view * params.C + i % params.C]);
  dSegments[i] = T(dy[0] * params.factor * signOf(d));
}`,
});

// One invocation per feature of a view, over the segments that chose it. Left out where views are constants.
const backwardViews = /*#__PURE__*/ kernel({
  name: 'segment-match backward views',
  bind: { segments: 'read T', views: 'read T', index: 'read u32', dy: 'read f32', dViews: 'write T' },
  params: { n: 'u32', S: 'u32', V: 'u32', C: 'u32', factor: 'f32' },
  override: { WG: 64 },
  use: [notNumbers],
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let c = i % params.C;
  let v = i / params.C % params.V;
  let firstRow = i / (params.C * params.V) * params.S;
  var signs = 0.0;
  for (var s = 0u; s < params.S; s++) {
    let row = firstRow + s;
    if (index[row] == v) { signs += signOf(f32(views[i]) - f32(segments[row * params.C + c])); }
  }
  dViews[i] = T(dy[0] * params.factor * signs);
}`,
});
