export {
  blobRanges,
  checkSource,
  type FileTensor,
  fetchRanges,
  type OpenWeights,
  openWeights,
  type RangeSource,
  readNamed,
  readTensor,
  type WeightTensor,
} from './open-weights.ts';
export {
  CheckpointError,
  fromHalf,
  type HeaderEntry,
  headerSize,
  parseHeader,
  readSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  toFloat32,
  toHalf,
  toInt32,
} from './safetensors.ts';
export { count, elementBytes, isDtype, isSizes, type StoredDtype, widths } from './types.ts';
export { toWhole } from './values.ts';
export {
  type StreamOptions,
  safetensorsSize,
  streamSafetensors,
  type WritableTensor,
  writeSafetensors,
} from './write-safetensors.ts';
