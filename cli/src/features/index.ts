export { photoFolder } from './photo-folder.ts';
export { openPhotos } from './photo-source.ts';
export { readFeatures } from './read-features.ts';
export { squareCodecs } from './square-codecs.ts';
