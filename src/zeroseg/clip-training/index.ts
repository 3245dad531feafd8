export { type ContrastiveOptions, contrastive, equalCaptions } from './contrastive-loss.ts';
export { clipFile, clipSettingsFile, clipTrainingFile, resumeClipTraining } from './save.ts';
export {
  type CaptionedBatch,
  type CaptionedData,
  type ClipSettings,
  type ClipStepReport,
  ClipTrainer,
  type ClipTrainerOptions,
  defaultClipSettings,
  textVocabulary,
} from './train-clip.ts';
export { newClipWeights, TrainableClip, teacherConfigs } from './trainable-clip.ts';
