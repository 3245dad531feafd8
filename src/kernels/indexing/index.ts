export { indexAdd, scatterAddAlongAxis, scatterAlongAxis } from './scatter.ts';
export { nonzero, type Unique, unique } from './unique.ts';
