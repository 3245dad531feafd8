export { isSegClip, loadSegClipText, loadSegClipVision, segClipConfig, segClipText } from './load.ts';
export { type SegClipConfig, SegClipVision } from './segclip.ts';
