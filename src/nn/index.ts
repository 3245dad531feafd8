export { Attention, CrossAttention } from './layers/attention.ts';
export { Block, type BlockOptions } from './layers/block.ts';
export { ConvStem } from './layers/conv-stem.ts';
export { Conv2d } from './layers/conv2d.ts';
export { heNormal, type Initializer, normal, ones, truncatedNormal, xavierUniform, zeros } from './layers/init.ts';
export { LayerNorm } from './layers/layer-norm.ts';
export { Linear } from './layers/linear.ts';
export { Mlp, TokenMlp } from './layers/mlp.ts';
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
} from './layers/module.ts';
export { PatchEmbed } from './layers/patch-embed.ts';
export { sinCosPositions } from './layers/position.ts';
export { permutation, type Random, random } from './layers/random.ts';
export { AdamW, type AdamWOptions, type Update } from './optimizer/adamw.ts';
export { HalfPrecision, LossScale, type LossScaleOptions, type LossScaleState } from './optimizer/precision.ts';
export { learningRate, type Schedule, scaledRate } from './optimizer/schedule.ts';
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
