export { openClip } from './clip-folder.ts';
