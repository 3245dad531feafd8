export { Attention, CrossAttention } from './attention.ts';
export { Block, type BlockOptions } from './block.ts';
export { ConvStem } from './conv-stem.ts';
export { Conv2d } from './conv2d.ts';
export { heNormal, type Initializer, normal, ones, truncatedNormal, xavierUniform, zeros } from './init.ts';
export { LayerNorm } from './layer-norm.ts';
export { Linear } from './linear.ts';
export { Mlp, TokenMlp } from './mlp.ts';
export {
  countParameters,
  freeParameters,
  loadParameters,
  type Module,
  newWeights,
  parameter,
  parameters,
  storedWeights,
  type Weights,
  type WeightValues,
  weightsFrom,
} from './module.ts';
export { AdamW, type AdamWOptions, type Update } from './optimizer/adamw.ts';
export { HalfPrecision, LossScale, type LossScaleOptions, type LossScaleState } from './optimizer/precision.ts';
export { learningRate, type Schedule, scaledRate } from './optimizer/schedule.ts';
export { PatchEmbed } from './patch-embed.ts';
export { sinCosPositions } from './position.ts';
export { permutation, type Random, random } from './random.ts';
export {
  CheckpointError,
  fromHalf,
  headerSize,
  parseHeader,
  readSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  toFloat32,
  toHalf,
  writeSafetensors,
} from './safetensors/safetensors.ts';
