export { blendLabels, classFractions } from './blend.ts';
export {
  type Drawing,
  escapeXml,
  type RectangleShape,
  type Shape,
  type SvgOptions,
  svgOf,
  type TextShape,
} from './drawing.ts';
export { type SegmentCentre, segmentCentres } from './label-positions.ts';
export { estimatedLettering, type Lettering, type TextSize } from './lettering.ts';
export { nameColours } from './name-colours.ts';
export { type DrawOptions, drawSegmentation, wholePercent } from './overlay.ts';
export { sampleSheet } from './sample-sheet.ts';
export { blankSheet, paste } from './tiles.ts';
export { TrainingSheet, type TrainingSheetOptions, trainingColumns } from './training-sheet.ts';
