import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  over,
  Tensor,
} from '../../tensor/graph/index.ts';
import { isFloat, type Shape, size } from '../../tensor/values/index.ts';
import { eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';
/** `y[i₀, i₁, …] = x[Σ i_k · steps_k]`. Without a launch where that is the order in which the elements lie already. */
export function copied(x: Tensor, shape: Shape, steps: readonly number[]): Tensor {
  const axes = together(shape.map((length, i) => ({ length, step: steps[i] as number })));
  if (size(shape) === x.size && (axes.length === 0 || (axes.length === 1 && axes[0]?.step === 1))) {
    return over(x, shape);
  }
  const y = empty(x, shape);
  if (y.size === 0) return y;
  if (axes.length > MOST) return inTwo(x, shape, axes);
  if (isFloat(x.dtype) && transposed(x, y, axes)) return y;
  // Rows whose length is a multiple of 4 are copied as vec4s.
  const inVec4s =
    isFloat(x.dtype) &&
    axes.every(({ length, step }, i) => (i === axes.length - 1 ? step === 1 && length % 4 === 0 : step % 4 === 0));
  if (inVec4s) {
    axes.forEach((axis, i) => {
      axes[i] =
        i === axes.length - 1 ? { length: axis.length / 4, step: 1 } : { length: axis.length, step: axis.step / 4 };
    });
  }
  const last = axes.pop() as Axis;
  const length = (i: number) => axes[i]?.length ?? 1;
  const step = (i: number) => axes[i]?.step ?? 0;
  const rows = { rows: y.size / (inVec4s ? 4 : 1) / last.length, width: last.length };
  dispatch(
    copyKernels[inVec4s ? 'vec4<T>' : isFloat(x.dtype) ? 'T' : 'u32'],
    { x, y },
    {
      ...rows,
      step: last.step,
      ...{ length1: length(1), length2: length(2), length3: length(3), length4: length(4) },
      ...{ step0: step(0), step1: step(1), step2: step(2), step3: step(3), step4: step(4) },
    },
    { ...rowConstants(x.device, rows), RANK: axes.length },
  );
  return y;
}

interface Axis {
  readonly length: number;
  /** Elements of x from one place to the next; 0 where they are repeated. */
  readonly step: number;
}

/** Axes that one launch steps through. */
const MOST = 6;

/** Neighbouring axes that are stepped through as one are one. */
function together(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const { length, step } of axes) {
    const last = merged.at(-1);
    if (length === 1) continue;
    if (last && last.step === length * step) merged[merged.length - 1] = { length: last.length * length, step };
    else merged.push({ length, step });
  }
  return merged;
}

/**
 * More axes than one launch takes: first the last ones of the result come behind the others, which stay in the order of x; then these
 * find their places, with the last ones as one. Two axes taken out of others leave at most three stretches of them, so it ends.
 */
function inTwo(x: Tensor, shape: Shape, axes: readonly Axis[]): Tensor {
  for (let moved = MOST - 1; ; moved--) {
    const [front, back] = [axes.slice(0, -moved), axes.slice(-moved)];
    const kept = front.filter(({ step }) => step > 0).sort((a, b) => b.step - a.step);
    const first = together([...kept, ...back]);
    if (first.length > MOST) continue;
    const sizes = (of: readonly Axis[]) => of.map(({ length }) => length);
    const middle = copied(
      x,
      sizes(first),
      first.map(({ step }) => step),
    );
    const each = size(sizes(back));
    const stepOf = (axis: Axis) => each * size(sizes(kept.slice(kept.indexOf(axis) + 1)));
    const then = front.map((axis) => (axis.step > 0 ? stepOf(axis) : 0));
    const y = copied(middle, [...sizes(front), each], [...then, 1]);
    return new Tensor(y.storage, shape, x.dtype);
  }
}

/**
 * Launches the transpose of two axes, the last one of x and the last one of the result: by vec4s if their lengths are a multiple of 4, else on
 * GPUs alone. `axes` are those of the result, with their steps in x.
 */
function transposed(x: Tensor, y: Tensor, axes: readonly Axis[]): boolean {
  const down = axes.findIndex(({ step }) => step === 1);
  const across = axes.length - 1;
  if (down < 0 || down >= across) return false;
  const inFours =
    axes.every(({ length }, i) => (i !== down && i !== across) || length % 4 === 0) &&
    axes.every(({ step }, i) => i === down || step % 4 === 0);
  const shorter = Math.min((axes[down] as Axis).length, (axes[across] as Axis).length);
  const inTiles = x.device.profile.kind === 'gpu' && shorter >= FEWEST_IN_TILES;
  if (!inFours && !inTiles) return false;
  const params: Record<string, number> = {};
  const name = (which: number | 'across' | 'down', i: number) => {
    const axis = axes[i];
    params[`length${which}`] = axis?.length ?? 1;
    params[`step${which}`] = axis?.step ?? 0;
    params[`made${which}`] = axis ? size(axes.slice(i + 1).map(({ length }) => length)) : 0;
  };
  name('across', across);
  name('down', down);
  const others = axes.flatMap((_, i) => (i === across || i === down ? [] : [i])).reverse();
  for (let k = 0; k < 4; k++) name(k, others[k] ?? -1);
  const all = { ...elementsOf(x.device, y.size / 4), ...params } as { [name in keyof typeof transposeParams]: number };
  const RANK = others.length;
  if (inTiles) dispatch(transposeInTiles[inFours ? 'vec4<T>' : 'T'], { x, y }, all, { RANK });
  else dispatch(transpose, { x, y }, all, { RANK });
  return true;
}

/** Of shorter axes most of a tile would be empty. */
const FEWEST_IN_TILES = 16;

const transposeAxes = ['across', 'down', 0, 1, 2, 3] as const;
const transposeParams: Readonly<
  Record<'vec4s' | 'perThread' | `${'length' | 'step' | 'made'}${(typeof transposeAxes)[number]}`, 'u32'>
> = /*#__PURE__*/ Object.assign(
  { ...elementParams },
  .../*#__PURE__*/ transposeAxes.map((axis) => ({
    [`length${axis}`]: 'u32',
    [`step${axis}`]: 'u32',
    [`made${axis}`]: 'u32',
  })),
);

// An invocation turns blocks of 4 by 4 around: four vec4s in, four out. Blocks follow each other along the last axis of the result.
const transpose = /*#__PURE__*/ kernel({
  name: 'transpose',
  bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
  params: transposeParams,
  override: { ...elementOverride, RANK: 0 },
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`    var rest = i / (params.lengthacross / 4u);
    let across = (i - rest * (params.lengthacross / 4u)) * 4u;
    var next = rest / (params.lengthdown / 4u);
    let down = (rest - next * (params.lengthdown / 4u)) * 4u;
    rest = next;
    var at = across * params.stepacross + down;
    var to = across + down * params.madedown;
${
  /*#__PURE__*/ [0, 1, 2, 3]
    .map(
      (k) => `    if (RANK > ${k}u) {
      next = rest / params.length${k};
      at += (rest - next * params.length${k}) * params.step${k};
      to += (rest - next * params.length${k}) * params.made${k};
      rest = next;
    }`,
    )
    .join('\n')
}
    let hop = params.stepacross / 4u;
    let a = x[at / 4u];
    let b = x[at / 4u + hop];
    let c = x[at / 4u + 2u * hop];
    let d = x[at / 4u + 3u * hop];
    let line = params.madedown / 4u;
    y[to / 4u] = vec4<T>(a.x, b.x, c.x, d.x);
    y[to / 4u + line] = vec4<T>(a.y, b.y, c.y, d.y);
    y[to / 4u + 2u * line] = vec4<T>(a.z, b.z, c.z, d.z);
    y[to / 4u + 3u * line] = vec4<T>(a.w, b.w, c.w, d.w);`),
});

const tileKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'transpose',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: transposeParams,
    override: { ...elementOverride, RANK: 0 },
    grid: ({ lengthacross, lengthdown, length0, length1, length2, length3 }) => [
      Math.ceil(lengthacross / 32) * Math.ceil(lengthdown / 32) * length0 * length1 * length2 * length3,
    ],
    wgsl: async () => (await import('./transpose-tile.ts')).transposeTile(element),
  });
const transposeInTiles = { T: /*#__PURE__*/ tileKernel('T'), 'vec4<T>': /*#__PURE__*/ tileKernel('vec4<T>') };

// Rows are the last axis of the result; the others are taken apart from the last on to find where a row begins in x.
const copyKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'copy',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: {
      ...{ rows: 'u32', width: 'u32', step: 'u32' },
      ...{ length1: 'u32', length2: 'u32', length3: 'u32', length4: 'u32' },
      ...{ step0: 'u32', step1: 'u32', step2: 'u32', step3: 'u32', step4: 'u32' },
    } as const,
    override: { ...rowOverrides, RANK: 5 },
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  var rest = row;
  var first = 0u;
${[4, 3, 2, 1]
  .map(
    (k) => `  if (RANK > ${k}) {
    let next = rest / params.length${k};
    first += (rest - next * params.length${k}) * params.step${k};
    rest = next;
  }`,
  )
  .join('\n')}
  first += rest * params.step0;
  for (var col = place.start; col < place.end; col += THREADS) {
    y[row * params.width + col] = x[first + col * params.step];
  }`),
  });
const copyKernels = {
  T: /*#__PURE__*/ copyKernel('T'),
  'vec4<T>': /*#__PURE__*/ copyKernel('vec4<T>'),
  u32: /*#__PURE__*/ copyKernel('u32'),
};
