export { Attention, CrossAttention } from './attention.ts';
export { BatchNorm, type BatchNormOptions, trainable } from './batch-norm.ts';
export { Block, type BlockOptions, runBlock } from './block.ts';
export { ConvStem, isStemPatch } from './conv-stem.ts';
export { Conv1d, type Conv1dSettings } from './conv1d.ts';
export {
  Conv2d,
  type Conv2dSettings,
  ConvTranspose2d,
  type ConvTranspose2dInputs,
  type ConvTranspose2dSettings,
} from './conv2d.ts';
export { Dropout, Dropout2d } from './dropout.ts';
export { Embedding, type EmbeddingOptions } from './embedding.ts';
export { heNormal, type Initializer, normal, ones, truncatedNormal, uniform, xavierUniform, zeros } from './init.ts';
export { type CacheSize, KeyValueCache } from './key-value-cache.ts';
export { LayerNorm } from './layer-norm.ts';
export { Linear, type LinearOptions } from './linear.ts';
export { Mlp, TokenMlp } from './mlp.ts';
export {
  countParameters,
  freeParameters,
  type Module,
  notModules,
  parameter,
  parameters,
  parametersOf,
  recordWith,
  replaceParameters,
  statistics,
  withParameters,
} from './module.ts';
export {
  MultiHeadAttention,
  type MultiHeadAttentionInputs,
  type MultiHeadAttentionOptions,
} from './multi-head-attention.ts';
export { GroupNorm, InstanceNorm, type InstanceNormOptions, RMSNorm } from './norms.ts';
export { type LoadReport, loadMatching, type SaveOptions, saveParameters } from './parameter-files.ts';
export { PatchEmbed } from './patch-embed.ts';
export { resamplePositions, sinCosPositions } from './position.ts';
export { hashText, normalNumber, permutation, type Random, random } from './random.ts';
export { GRU, LSTM, type RecurrentOptions } from './recurrent.ts';
export { GRUCell, LSTMCell, type RecurrentCellOptions } from './recurrent-cells.ts';
export { type Layer, Sequential } from './sequential.ts';
export { noTrace, type Trace } from './trace.ts';
export {
  buildModule,
  join,
  loadParameters,
  newWeights,
  readParameters,
  type StoredValues,
  sharedWeights,
  storedWeights,
  type Weights,
  type WeightValues,
  weightsFrom,
} from './weights.ts';
