export { type AttentionOptions, attention, crossAttention, qkvAttention } from './attention.ts';
export { cachePlaces, checkCache, writeCacheRows } from './cache.ts';
export { fromHeads, toHeads } from './masked-attention.ts';
export { type RotaryOptions, rotaryEmbedding, rotaryTable } from './rotary.ts';
