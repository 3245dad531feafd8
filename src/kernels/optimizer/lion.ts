import { floats, type UpdateRule, updateRule } from './update-rule.ts';

/**
 * One step of Lion (Chen et al., 2023); `hyper[0]` is lr. With `g` = gradient · `factor`:
 *
 * ```text
 * p ← p (1 − lr · weightDecay)                 where the parameter decays
 * p ← p − lr · sign(β1 m + (1 − β1) g)
 * m ← β2 m + (1 − β2) g
 * ```
 *
 * Its constants have `rest1` = 1 − β1 and `rest2` = 1 − β2.
 */
export const lion: UpdateRule<'m', 'beta1' | 'rest1' | 'beta2' | 'rest2' | 'weightDecay'> = /*#__PURE__*/ updateRule(
  'lion',
  { m: floats },
  { beta1: 'f32', rest1: 'f32', beta2: 'f32', rest2: 'f32', weightDecay: 'f32' },
  `
    let kept = select(1.0, 1.0 - hyper[0] * params.weightDecay, decays(word));
    parameters[i] = parameters[i] * kept - hyper[0] * sign(params.beta1 * m[i] + params.rest1 * d);
    m[i] = params.beta2 * m[i] + params.rest2 * d;`,
);
