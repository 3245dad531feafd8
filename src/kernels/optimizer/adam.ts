import { floats, type UpdateRule, updateRule } from './update-rule.ts';

/**
 * One step of Adam (Kingma & Ba, 2014), with the hyperparameters of AdamW. With `g` = gradient · `factor`:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * m ← β1 m + (1 − β1) g
 * v ← β2 v + (1 − β2) g²
 * p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * ```
 *
 * Its constants have `rest1` = 1 − β1 and `rest2` = 1 − β2.
 */
export const adam: UpdateRule<'m' | 'v', 'beta1' | 'rest1' | 'beta2' | 'rest2' | 'eps' | 'weightDecay'> =
  /*#__PURE__*/ updateRule(
    'adam',
    { m: floats, v: floats },
    { beta1: 'f32', rest1: 'f32', beta2: 'f32', rest2: 'f32', eps: 'f32', weightDecay: 'f32' },
    `
    let slope = d + select(0.0, params.weightDecay, decays(word)) * parameters[i];
    let mean = params.beta1 * m[i] + params.rest1 * slope;
    let square = params.beta2 * v[i] + params.rest2 * slope * slope;
    m[i] = mean;
    v[i] = square;
    parameters[i] -= hyper[1] * mean / (sqrt(square) * hyper[2] + params.eps);`,
  );
