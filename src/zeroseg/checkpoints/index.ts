export { huggingFaceBlock, huggingFaceName, openAiName, type Published, stemName, TOKEN_IDS } from './clip-names.ts';
export { GpuTensors, type TensorContent } from './gpu-tensors.ts';
export {
  type Claim,
  constants,
  generic,
  isEmpty,
  isObject,
  type Json,
  present,
  type Rule,
  Section,
} from './settings-section.ts';
export { checkTowers, numbered } from './sizes.ts';
export { stepOf } from './step-count.ts';
export { tensorFile } from './tensor-file.ts';
export { findVit, ownTensors, type VitFile, type VitLayout, type VitWeight } from './vit-file.ts';
export { publishedDecoderNames } from './vit-names.ts';
export {
  type ByteSource,
  openWeightRanges,
  openWeightSource,
  readSource,
  sourceName,
  type WeightFile,
  type WeightSource,
  weightEndings,
} from './weight-file.ts';
export {
  type FolderWeights,
  openFolderFile,
  openWeightFolder,
  usualWeights,
  type WeightFolder,
  weightCandidates,
} from './weight-folder.ts';
