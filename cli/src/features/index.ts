export { photoFolder } from './photo-folder.ts';
export { openPhotos } from './photo-source.ts';
