export { randomBernoulli, randomCategorical, randomInteger, randomPermutation } from './draws.ts';
