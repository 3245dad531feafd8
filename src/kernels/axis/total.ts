import { joinSum, kernel } from '../../gpu/index.ts';
import { dispatch, emptyOn, fill, Tensor } from '../../tensor/graph/index.ts';
import { fewerRows } from './reduce.ts';
import { FEW_STEPS, inRuns } from './runs.ts';

/** The last launch of a loss: the sum of `parts` (f32) times `factor`, a scalar. No parts make 0. It has no gradient. */
export function total(parts: Tensor, factor: number): Tensor {
  if (parts.size === 0) return fill(parts.device, [], 0);
  const y = emptyOn(parts.device, []);
  const few = fewer(parts);
  dispatch(totalKernel, { parts: few, y }, { n: few.size, factor });
  return y;
}

/**
 * The last launch of a mean whose count is known on the GPU only: `y = sum(parts) / sum(weights)` and
 * `inverse = 1 / sum(weights)`, both scalars, both 0 where the weights add up to 0. They have no gradient.
 */
export function weightedMean(parts: Tensor, weights: Tensor): { y: Tensor; inverse: Tensor } {
  if (parts.size === 0) return { y: fill(parts.device, [], 0), inverse: fill(parts.device, [], 0) };
  const y = emptyOn(parts.device, []);
  const inverse = emptyOn(parts.device, []);
  const few = fewer(parts);
  dispatch(weightedMeanKernel, { parts: few, weights: fewer(weights), y, inverse }, { n: few.size });
  return { y, inverse };
}

const WG = 256;

/** Parts that one workgroup adds up: all of them, or sums of some. */
function fewer(parts: Tensor): Tensor {
  return fewerRows(new Tensor(parts.storage, [parts.size, 1], parts.dtype), WG * FEW_STEPS);
}

// One workgroup: parts are few, one per workgroup or row of the launch before. The order of additions is always the same.
const totalKernel = /*#__PURE__*/ kernel({
  name: 'total',
  bind: { parts: 'read f32', y: 'write f32' },
  params: { n: 'u32', factor: 'f32' },
  override: { WG },
  use: [joinSum],
  grid: () => [1],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) l: u32) {
  var sum = 0.0;
  ${/*#__PURE__*/ inRuns({ sum: 'f32' }, { counter: 'i', from: 'l', to: 'params.n', by: 'WG' }, 'sum += parts[i];')}
  sum = joinSum(sum, l);
  if (l == 0u) { y[0] = sum * params.factor; }
}`,
});

const weightedMeanKernel = /*#__PURE__*/ kernel({
  name: 'weighted-mean',
  bind: { parts: 'read f32', weights: 'read f32', y: 'write f32', inverse: 'write f32' },
  params: { n: 'u32' },
  override: { WG },
  use: [joinSum],
  grid: () => [1],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) l: u32) {
  var sum = 0.0;
  var count = 0.0;
  ${
    /*#__PURE__*/ inRuns(
      { sum: 'f32', count: 'f32' },
      { counter: 'i', from: 'l', to: 'params.n', by: 'WG' },
      'sum += parts[i]; count += weights[i];',
    )
  }
  sum = joinSum(sum, l);
  count = joinSum(count, l);
  if (l == 0u) {
    let one = select(1.0 / count, 0.0, count == 0.0);
    y[0] = sum * one;
    inverse[0] = one;
  }
}`,
});
