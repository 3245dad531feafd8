export { createLettering, type Lettering } from './lettering.ts';
export { blendLabels, classShares, drawSegmentation } from './overlay.ts';
export { sampleSheet, segmentColour } from './sample-sheet.ts';
