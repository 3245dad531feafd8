import { floats, type UpdateRule, updateRule } from './update-rule.ts';

/**
 * One step of RMSProp (Hinton, 2012); `hyper[0]` is lr. With `g` = gradient · `factor`:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * v ← α v + (1 − α) g²
 * p ← p − lr · g / (√v + eps)
 * ```
 *
 * Its constants have `rest` = 1 − α.
 */
export const rmsProp: UpdateRule<'v', 'alpha' | 'rest' | 'eps' | 'weightDecay'> = /*#__PURE__*/ updateRule(
  'rms prop',
  { v: floats },
  { alpha: 'f32', rest: 'f32', eps: 'f32', weightDecay: 'f32' },
  `
    let slope = d + select(0.0, params.weightDecay, decays(word)) * parameters[i];
    let square = params.alpha * v[i] + params.rest * slope * slope;
    v[i] = square;
    parameters[i] -= hyper[0] * slope / (sqrt(square) + params.eps);`,
);

/**
 * {@link rmsProp} with momentum, and, where `centered` is 1 and not 0, by the variance of gradients instead of their square:
 *
 * ```text
 * a ← α a + (1 − α) g                          else a stays 0
 * m ← momentum · m + g / (√(v − a²) + eps)
 * p ← p − lr · m
 * ```
 */
export const rmsPropMomentum: UpdateRule<
  'v' | 'a' | 'm',
  'alpha' | 'rest' | 'eps' | 'momentum' | 'centered' | 'weightDecay'
> = /*#__PURE__*/ updateRule(
  'rms prop with momentum',
  { v: floats, a: floats, m: floats },
  { alpha: 'f32', rest: 'f32', eps: 'f32', momentum: 'f32', centered: 'f32', weightDecay: 'f32' },
  `
    let slope = d + select(0.0, params.weightDecay, decays(word)) * parameters[i];
    let square = params.alpha * v[i] + params.rest * slope * slope;
    let mean = params.centered * (params.alpha * a[i] + params.rest * slope);
    v[i] = square;
    a[i] = mean;
    // Rounding makes the variance of gradients that are all the same a little less than 0.
    let step = params.momentum * m[i] + slope / (sqrt(max(square - mean * mean, vec4f())) + params.eps);
    m[i] = step;
    parameters[i] -= hyper[0] * step;`,
);
