export { photoFolder } from './photo-folder.ts';
