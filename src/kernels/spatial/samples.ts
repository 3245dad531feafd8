// Samples of images: each lies in a cell between four pixels, and weighs them. The form Σ x[pixel] · weights[sample, corner] · u[sample] over
// samples and corners has three gradients, by x, by the weights and by u. Each is an op, whose own gradients are the other two.
import { kernel, notNumbers } from '../../gpu/index.ts';
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
import {
  eachRow,
  groupById,
  inRuns,
  LOOPS_FOR_ALL,
  rowConstants,
  rowGrid,
  rowOverrides,
  rowPlace,
} from '../axis/index.ts';

export interface Samples {
  readonly batch: number;
  /** Of the images, and how many samples each has. */
  readonly height: number;
  readonly across: number;
  readonly places: number;
  /** Channels. */
  readonly width: number;
  /** `[B, K]` (u32): those of an image lie in lines of `across + 1`; what lies in none has a larger number. */
  readonly cells: Tensor;
}

/** `y[b, k] = Σ weights[b, k, corner] · x[b, pixel]`, `x [B, H, W, C]`, `weights [B, K, 4]` (f32) → `[B, K, C]`. What has no weight may hold anything. */
export function sampled(samples: Samples, x: Tensor, weights: Tensor): Tensor {
  const { batch, places, width, cells } = samples;
  const y = empty(x, [batch, places, width]);
  const { element, numbers } = formOf(samples);
  const rows = { rows: batch * places, width: numbers.width };
  dispatch(gather[element], { x, cells, weights, y }, { ...numbers, ...rows }, rowConstants(x.device, rows));
  return differentiable(y, [x, weights], (dy) => [spread(samples, weights, dy), products(samples, x, dy)]);
}

/** `dx[b, pixel] = Σ weights[b, k, corner] · u[b, k]` over all samples that have the pixel at a corner: `[B, H, W, C]`. */
function spread(samples: Samples, weights: Tensor, u: Tensor): Tensor {
  const { batch, height, across, width, cells } = samples;
  const x = empty(u, [batch, height, across, width]);
  const { element, numbers } = formOf(samples);
  const rows = { rows: batch * height * across, width: numbers.width };
  const groups = groupById(cells, (height + 1) * (across + 1));
  dispatch(scatter[element], { u, weights, ...groups, x }, { ...numbers, ...rows }, rowConstants(u.device, rows));
  return differentiable(x, [weights, u], (dx) => [products(samples, dx, u), sampled(samples, dx, weights)]);
}

/** `dw[b, k, corner] = Σ x[b, pixel] · u[b, k]` over channels: `[B, K, 4]` (f32). */
function products(samples: Samples, x: Tensor, u: Tensor): Tensor {
  const { batch, places, cells } = samples;
  const weights = empty(x, [batch, places, 4], 'f32');
  const { element, numbers } = formOf(samples);
  const elements = elementsOf(x.device, 4 * weights.size);
  dispatch(dot[element], { x, cells, u, weights }, { ...numbers, ...elements });
  return differentiable(weights, [x, u], (dw) => [spread(samples, dw, u), sampled(samples, x, dw)]);
}

function formOf({ height, across, places, width }: Samples) {
  const inVec4s = width % 4 === 0;
  return {
    element: inVec4s ? ('vec4<T>' as const) : ('T' as const),
    numbers: { width: inVec4s ? width / 4 : width, height, across, places },
  };
}

const sizes = { width: 'u32', height: 'u32', across: 'u32', places: 'u32' } as const;
const corners = [0, 1, 2, 3] as const;
/** WGSL of the pixel at each corner of `cell`, in an image of the batch: `has0` … tell which are there. */
const pixels = /*#__PURE__*/ corners
  .map(
    (k) => `
  let down${k} = cell / (params.across + 1u) + ${k >> 1}u - 1u;
  let right${k} = cell % (params.across + 1u) + ${k & 1}u - 1u;
  // Above and to the left of the image this wraps around and is too large as well.
  let has${k} = down${k} < params.height && right${k} < params.across;
  let pixel${k} = (batch * params.height + down${k}) * params.across + right${k};`,
  )
  .join('');

type Element = 'T' | 'vec4<T>';
const sumOf = { T: 'f32', 'vec4<T>': 'vec4f' } as const;

// Rows are samples.
const gatherKernel = (element: Element) =>
  kernel({
    name: 'grid-sample',
    bind: { x: `read ${element}`, cells: 'read u32', weights: 'read vec4<f32>', y: `write ${element}` },
    params: { ...sizes, rows: 'u32' },
    override: rowOverrides,
    use: [rowPlace, notNumbers],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let batch = row / params.places;
  let cell = cells[row];
  let four = weights[row];${pixels}
  for (var i = place.start; i < place.end; i += THREADS) {
    var total = ${sumOf[element]}();
    ${corners
      .map(
        (k) =>
          `if (has${k} && isSomething(four[${k}])) { total += four[${k}] * ${sumOf[element]}(x[pixel${k} * params.width + i]); }`,
      )
      .join('\n    ')}
    y[row * params.width + i] = ${element}(total);
  }`),
  });

// Rows are pixels; each has the samples of the four cells around it, in their order.
const scatterKernel = (element: Element) =>
  kernel({
    name: 'grid-sample-backward',
    bind: {
      u: `read ${element}`,
      weights: 'read vec4<f32>',
      order: 'read u32',
      starts: 'read u32',
      x: `write ${element}`,
    },
    params: { ...sizes, rows: 'u32' },
    override: rowOverrides,
    use: [rowPlace, notNumbers],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let line = row / params.across;
  let batch = line / params.height;
  let cells = (params.height + 1u) * (params.across + 1u);
  let first = batch * params.places;
  let last = (line - batch * params.height + 1u) * (params.across + 1u) + (row - line * params.across + 1u);
  for (var i = place.start; i < place.end; i += THREADS) {
    var all = ${sumOf[element]}();
    for (var corner = 0u; corner < 4u; corner++) {
      // One start more than there are cells in each image.
      let cell = batch * (cells + 1u) + last - (corner >> 1u) * (params.across + 1u) - (corner & 1u);
      let start = starts[cell];
      let end = starts[cell + 1u];
      var total = ${sumOf[element]}();
      ${inRuns(
        { total: sumOf[element] },
        { counter: 'k', from: 'start', to: 'end', by: '1u' },
        `let one = first + order[first + k];
        let weight = weights[one][corner];
        if (isSomething(weight)) { total += weight * ${sumOf[element]}(u[one * params.width + i]); }`,
        { loops: LOOPS_FOR_ALL },
      )}
      all += total;
    }
    x[row * params.width + i] = ${element}(all);
  }`),
  });

// An element for each corner of each sample: neighbours have one sample.
const dotKernel = (element: Element) =>
  kernel({
    name: 'grid-sample-products',
    bind: { x: `read ${element}`, cells: 'read u32', u: `read ${element}`, weights: 'write f32' },
    params: { ...elementParams, ...sizes },
    override: elementOverride,
    grid: elementGrid,
    wgsl: elementLoop(/* wgsl */ `
    let row = i / 4u;
    let corner = i % 4u;
    let batch = row / params.places;
    let cell = cells[row];
    let down = cell / (params.across + 1u) + (corner >> 1u) - 1u;
    let right = cell % (params.across + 1u) + (corner & 1u) - 1u;
    let pixel = (batch * params.height + down) * params.across + right;
    let width = select(0u, params.width, down < params.height && right < params.across);
    var total = ${sumOf[element]}();
    ${inRuns(
      { total: sumOf[element] },
      { counter: 'c', from: '0u', to: 'width', by: '1u' },
      `total += ${sumOf[element]}(x[pixel * params.width + c]) * ${sumOf[element]}(u[row * params.width + c]);`,
      { loops: LOOPS_FOR_ALL },
    )}
    weights[i] = ${element === 'T' ? 'total' : '(total.x + total.y) + (total.z + total.w)'};`),
  });

const gather = { T: /*#__PURE__*/ gatherKernel('T'), 'vec4<T>': /*#__PURE__*/ gatherKernel('vec4<T>') };
const scatter = { T: /*#__PURE__*/ scatterKernel('T'), 'vec4<T>': /*#__PURE__*/ scatterKernel('vec4<T>') };
const dot = { T: /*#__PURE__*/ dotKernel('T'), 'vec4<T>': /*#__PURE__*/ dotKernel('vec4<T>') };
