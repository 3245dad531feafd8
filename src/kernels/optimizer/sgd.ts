import { floats, type UpdateRule, updateRule } from './update-rule.ts';

/** One step of stochastic gradient descent; `hyper[0]` is lr: `p ← p − lr (g + weightDecay · p)`, with `g` = gradient · `factor`. */
export const sgd: UpdateRule<never, 'weightDecay'> = /*#__PURE__*/ updateRule(
  'sgd',
  {},
  { weightDecay: 'f32' },
  `
    let slope = d + select(0.0, params.weightDecay, decays(word)) * parameters[i];
    parameters[i] -= hyper[0] * slope;`,
);

/**
 * One step of stochastic gradient descent with momentum; `hyper` starts with lr and `rest`, which is 1 in the first step and
 * 1 − dampening in all others. With `g` = gradient · `factor`:
 *
 * ```text
 * g ← g + weightDecay · p                      where the parameter decays
 * m ← momentum · m + rest · g
 * p ← p − lr · m                               Nesterov: p ← p − lr (g + momentum · m)
 * ```
 *
 * `nesterov` is 1 or 0.
 */
export const sgdMomentum: UpdateRule<'m', 'momentum' | 'nesterov' | 'weightDecay'> = /*#__PURE__*/ updateRule(
  'sgd with momentum',
  { m: floats },
  { momentum: 'f32', nesterov: 'f32', weightDecay: 'f32' },
  `
    let slope = d + select(0.0, params.weightDecay, decays(word)) * parameters[i];
    let mean = params.momentum * m[i] + hyper[1] * slope;
    m[i] = mean;
    parameters[i] -= hyper[0] * select(mean, slope + params.momentum * mean, params.nesterov > 0.0);`,
);
