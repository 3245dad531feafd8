import { type Binding, kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  emptyOn,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { blockWords } from './clip.ts';
import type { RuleTensors } from './update-rule.ts';

/**
 * The momentum of Muon over a flat buffer, and the direction that comes of it, a buffer of the same layout. With `g` = gradient ·
 * `factor`: `m ← momentum · m + (1 − momentum) g`, and the direction is `m`, with Nesterov `(1 − momentum) g + momentum · m`. A
 * negative `factor` leaves `m`, and gives zeros. `clear` sets the gradients to 0 afterwards.
 */
export function muonDirection(
  { parameters, m, gradients, blocks }: RuleTensors<'m'>,
  factor: Tensor,
  { momentum, nesterov }: { readonly momentum: number; readonly nesterov: boolean },
  clear = false,
): Tensor {
  const direction = emptyOn(parameters.device, parameters.shape);
  const numbers = { momentum, rest: 1 - momentum, nesterov: nesterov ? 1 : 0 };
  dispatch(
    clear ? directionAndClear : directionKernel,
    { m, gradients, direction, blocks, factor },
    { ...elementsOf(parameters.device, parameters.size), ...numbers },
  );
  return direction;
}

/**
 * One step of Muon on one parameter, in place: `p ← p (1 − lr · weightDecay) − lr · ratio · x`, with `hyper[0]` the learning rate. A
 * negative `factor` leaves it.
 */
export function muonUpdate(
  parameter: Tensor,
  x: Tensor,
  hyper: Tensor,
  factor: Tensor,
  numbers: { readonly weightDecay: number; readonly ratio: number },
): void {
  dispatch(
    updateKernel,
    { parameter, x, hyper, factor },
    { ...elementsOf(parameter.device, parameter.size), ...numbers },
  );
}

const directionKernel = /*#__PURE__*/ makeDirection('muon direction', 'read', '');
const directionAndClear = /*#__PURE__*/ makeDirection(
  'muon direction and clear',
  'update',
  'gradients[i] = select(gradients[i], vec4<T>(), inside);',
);

function makeDirection(name: string, access: 'read' | 'update', clear: string) {
  return kernel<Record<string, Binding>, Record<string, 'u32' | 'f32'>, typeof elementOverride>({
    name,
    bind: {
      m: 'update vec4<f32>',
      gradients: `${access} vec4<T>`,
      direction: 'write vec4<f32>',
      blocks: 'read u32',
      factor: 'read f32',
    },
    params: { ...elementParams, momentum: 'f32', rest: 'f32', nesterov: 'f32' },
    override: elementOverride,
    use: [blockWords],
    grid: elementGrid as never,
    wgsl: elementLoop(`
  let inside = holds(blocks[i / 16u], i);
  let scale = factor[0];
  var next = vec4f();
  if (scale >= 0.0) {
    let d = params.rest * select(vec4f(), vec4f(gradients[i]) * scale, inside);
    let mean = params.momentum * m[i] + d;
    m[i] = mean;
    next = select(mean, d + params.momentum * mean, params.nesterov > 0.0);
  }
  direction[i] = next;
  ${clear}`),
  });
}

const updateKernel = /*#__PURE__*/ kernel({
  name: 'muon',
  bind: { parameter: 'update vec4<f32>', x: 'read vec4<f32>', hyper: 'read f32', factor: 'read f32' },
  params: { ...elementParams, weightDecay: 'f32', ratio: 'f32' },
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
  if (factor[0] >= 0.0) {
    parameter[i] = parameter[i] * (1.0 - hyper[0] * params.weightDecay) - hyper[0] * params.ratio * x[i];
  }`),
});
