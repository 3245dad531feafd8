export { type AttentionOptions, attention, crossAttention, qkvAttention } from './attention.ts';
