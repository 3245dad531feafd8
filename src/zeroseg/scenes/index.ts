export { SceneAtlas, type SceneClass, SceneError } from './atlas.ts';
export {
  CaptionedScenes,
  type CaptionedScenesOptions,
  type NamingScore,
  namingScore,
  type SceneCrops,
  sceneCrops,
} from './captioned-crops.ts';
export { type Scene, SceneMaker, type SceneObject } from './scene.ts';
export { type SceneOptions, scenePresets, stuffNames } from './scene-options.ts';
