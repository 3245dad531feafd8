export { SceneAtlas, type SceneClass, SceneError } from './atlas.ts';
export { captionAdjectives, plural, type Seen, withArticle, writeCaption } from './caption.ts';
export { between, pick } from './colour.ts';
export { grounds } from './grounds/grounds.ts';
export { type Scene, SceneMaker, type SceneObject } from './scene.ts';
export { groundNames, objectsOnly, type SceneOptions, scenePresets } from './scene-options.ts';
export { scenePhotos } from './scene-photos.ts';
export { fillFrame, frameWords, sentenceFrame } from './sentence-frames.ts';
