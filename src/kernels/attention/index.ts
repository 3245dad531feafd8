export { type AttentionOptions, attention, crossAttention, qkvAttention } from './attention.ts';
export { type RotaryOptions, rotaryEmbedding, rotaryTable } from './rotary.ts';
