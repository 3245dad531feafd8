export { accumulateChunk, adamW, adamWRates, copyGradient, RATE_COUNT } from './adamw.ts';
export { BLOCK, blockWord, clip } from './clip.ts';
