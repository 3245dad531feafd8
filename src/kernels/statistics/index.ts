export { all, any, countNonzero } from './any-all.ts';
export { type CdistOptions, cdist } from './cdist.ts';
export { type CumulativeOptions, cummax, cummin, cumprod, cumsum, prod } from './cumulative.ts';
export { diff } from './diff.ts';
export { std, type VarianceOptions, variance } from './moments.ts';
export { logsumexp, type NormOptions, norm } from './norms.ts';
export { median, quantile } from './quantiles.ts';
