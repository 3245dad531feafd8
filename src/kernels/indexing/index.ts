export { bincount, type Histogram, histogram } from './counts.ts';
export { indexAdd, scatterAddAlongAxis, scatterAlongAxis } from './scatter.ts';
export { searchSorted } from './search-sorted.ts';
export { nonzero, type Unique, unique } from './unique.ts';
