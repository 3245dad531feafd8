export { type ClipSource, openClip } from './clip-folder.ts';
