export { SceneAtlas, type SceneClass, SceneError } from './atlas.ts';
export { captionAdjectives, plural, type Seen, withArticle, writeCaption } from './caption.ts';
export { between, pick } from './colour.ts';
export { type Scene, SceneMaker, type SceneObject } from './scene.ts';
export { type SceneOptions, scenePresets, stuffNames } from './scene-options.ts';
export { scenePhotos } from './scene-photos.ts';
export { fillFrame, frameWords, sentenceFrame } from './sentence-frames.ts';
export { stuffs } from './stuff/stuff.ts';
