export { all, any } from './any-all.ts';
export { type CumulativeOptions, cumprod, cumsum, prod } from './cumulative.ts';
export { std, type VarianceOptions, variance } from './moments.ts';
export { logsumexp, type NormOptions, norm } from './norms.ts';
