export { type BackboneOptions, backboneConfig } from './backbone.ts';
export { labelledCrop } from './crops.ts';
export { SegmentationNetwork } from './network.ts';
export { finetuneTrainingFile, loadNetwork, type NetworkInfo, networkFile, resumeFinetuning } from './network-file.ts';
export { type PredictOptions, Predictor, type ScorePhotosOptions, scorePhotos } from './predict.ts';
export {
  defaultFinetuneSettings,
  type FinetuneSettings,
  finetuneRate,
  finetuneSettingsSchema,
} from './settings.ts';
export { checkFinetuneSettings, type FinetuneReport, FinetuneTrainer } from './trainer.ts';
