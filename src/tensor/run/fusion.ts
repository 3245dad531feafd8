// Loaded on demand: what makes fewer launches of a step, in one script, which imports no values of others (see `on-demand.ts`).
export { fold } from './fold.ts';
export { areBound, gatherParts, groupWaiting } from './waiting.ts';
