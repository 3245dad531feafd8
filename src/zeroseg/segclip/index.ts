export { isSegClip, loadSegClipVision, segClipConfig } from './load.ts';
export { type SegClipConfig, SegClipVision } from './segclip.ts';
