import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  type Tensor,
} from '../../tensor/graph/index.ts';

/** `average ← average + rest[0] (x − average)`, in one launch, in place: `rest` is a scalar, 1 − decay. */
export function moveAverage(average: Tensor, x: Tensor, rest: Tensor): void {
  dispatch(move, { average, x, rest }, elementsOf(x.device, x.size));
}

const move = /*#__PURE__*/ kernel({
  name: 'moving average',
  bind: { average: 'update vec4<f32>', x: 'read vec4<f32>', rest: 'read f32' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('average[i] += rest[0] * (x[i] - average[i]);'),
});
