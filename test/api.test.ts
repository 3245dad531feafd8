import { expect, it } from 'vitest';
import * as core from '../src/index.ts';
import * as nn from '../src/nn/index.ts';
import * as zeroseg from '../src/zeroseg/index.ts';

// What a user may import: a change of it is a decision, and is seen here.

it('@zeroseg/core exports these names', () => {
  expect(Object.keys(core).sort().join(' ')).toMatchInlineSnapshot(
    `"AdamW ArgumentError Attention Block CheckpointError Conv2d ConvStem CrossAttention Device DeviceError HalfPrecision KernelError LayerNorm Linear LossScale Mlp NotFiniteError OutOfMemoryError PatchEmbed ShapeError StepError Tensor TokenMlp ZeroSegError abs add addScalar argmax argmin argsort attention batchNormEval blobRanges broadcastTo buildModule cast clamp concat conv2d countParameters crossAttention crossEntropy differentiable differentiableAll dispatch div embedding empty exp fetchRanges fill free freeParameters fromHalf gelu gradients heNormal headerSize interpolate interpolatePositions kernel l1 l2Normalize label layerNorm learningRate linear loadParameters log logSoftmax matmul max maximum mean min minimum mlp mse mul neg newWeights normal ones openDevice openWeights parameter parameters parseHeader patchEmbed patchNormalize patchify permutation permute qkvAttention random randomGumbel randomNormal randomUniform read readAll readSafetensors readTensor readU32 recompute relu reshape run scale scaledRate scatterAdd sharedWeights sigmoid sign sinCosPositions slice softmax split sqrt square step stopGradient storedWeights straightThrough sub sum takeRows tanh tensor toFloat32 toHalf truncatedNormal tune unpatchify variable weightsFrom where write writeSafetensors xavierUniform zeros"`,
  );
});

it('@zeroseg/core/nn exports these names', () => {
  expect(Object.keys(nn).sort().join(' ')).toMatchInlineSnapshot(
    `"AdamW Attention Block CheckpointError Conv2d ConvStem CrossAttention HalfPrecision LayerNorm Linear LossScale Mlp PatchEmbed TokenMlp blobRanges buildModule countParameters fetchRanges freeParameters fromHalf heNormal headerSize learningRate loadParameters newWeights normal ones openWeights parameter parameters parseHeader permutation random readSafetensors readTensor scaledRate sharedWeights sinCosPositions storedWeights toFloat32 toHalf truncatedNormal weightsFrom writeSafetensors xavierUniform zeros"`,
  );
});

it('@zeroseg/core/zeroseg exports these names', () => {
  expect(Object.keys(zeroseg).sort().join(' ')).toMatchInlineSnapshot(
    `"CacheError CaptionedScenes ClipText ClipTrainer ClipVision ConfigError ConfusionMatrix FileError ForwardInspector GroupVitText GroupVitVision ImageError LockError OpenVocabulary PixelError RunError RunStore SCORING_SEED SceneAtlas SceneError SceneMaker SceneStudent SceneValidation ScoreError SegmentationScore Segmenter Sitting Teacher TokenTable Tokenizer TrainableClip Trainer TrainingError TrainingRun TrainingSheet VALIDATION_SEED VocabularyError WatchedScenes ZeroSeg alike assignNormalise baseConfig blendLabels cacheBytes cachedData checkSettings checkStudy checkVotes classAffinity classColour classRegions classRle classShares clipCompanions clipConfig clipFile clipMean clipSettingsFile clipStd clipTrainingFile cocoLabels configSchema configs contextLabels contrastive dataSets decodeRle defaultClipSettings defaultSettings demoFindings describeUnknown distill drawSegmentation endPosition estimatedLettering evaluate fillCache folderBytes gridBoxes groupMembers groupUse groupVitConfig gumbelSoftmax heldOutCount heldOutNumbers heroPicture ignoreLabel imageFromRgba imagenetClasses imagenetMean imagenetStd initialWeights isGroupVit keepRows keptPatches knownWordsMetadata labelScores liveChoices liveStepLimits loadClipText loadClipVision loadGroupVitText loadGroupVitVision loadOptimizer logitScale lossTerms makeVocabulary medoids memoryFileSystem modelFile modelInfo nameColours nameSegments namesAt namesFound namingMetadata newClipWeights openCache openClipFiles openClipFolder openModel openRun openStudy openVocabulary openWeightSource opfsFileSystem optimizerFile pairsFor parseClassText pascalPalette patchCount patchGroups pathsHash planLiveTraining presets promptTemplates readCache readRun readStamped reconstruction repaintedImage resizeImage resolveConfig resolveTraining resumeClipTraining rollOut runBytes scenePhotos scenePresets sceneScore sceneSide scoreLive scoreScenes scoreTeacher scoringScenes segmentCentres segmentMatch settingsSchema shuffleMask signTest slidingWindows softMask studentImage studentLabels studyFile stuffNames svgOf tallyVotes taughtWords teacherConfigs teacherIdentity teacherScenes teacherViews textVocabulary tinyConfig toTensor trainLive trainSaved trainingColumns unknownNames unshuffle validationCrops viewCount wilsonInterval"`,
  );
});
