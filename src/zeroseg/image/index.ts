export {
  type CellTaps,
  cellTaps,
  mostStudentWeights,
  mostWeights,
  packingShades,
  packSquare,
  type StudentTaps,
  studentTaps,
  unpackSquare,
} from './cell-taps.ts';
export { colourDistance, labOf } from './colour-distance.ts';
export { LARGEST_GRID, MAX_GRIDS } from './grid-limits.ts';
export {
  cellCuts,
  cellsAlong,
  defaultGrids,
  type GridBox,
  gridBoxes,
  overlaps,
  type RowRange,
  studentImage,
  teacherViews,
  type ViewOptions,
  type ViewRows,
  type ViewSource,
  viewCount,
  viewRows,
  viewSquare,
} from './grid-views.ts';
export {
  centreRegion,
  checkImage,
  crop,
  type Image,
  imageFromRgba,
  keepRatioSize,
  type LabelMap,
  maxPixels,
  PixelError,
  type Region,
  shortSideSize,
} from './image.ts';
export { ImageError } from './image-error.ts';
export { type Between, between, interpolateRow, resizeBilinear } from './interpolate.ts';
export { clipMean, clipStd, imagenetMean, imagenetStd, type Rgb, shadesOf, toTensor } from './normalize.ts';
export { type Colour, classColour, hexColour, hsv, pascalPalette, segmentColour } from './palette.ts';
export { inspectPng, isPng } from './png.ts';
export { resizeImage, resizeTaps, type Taps } from './resize.ts';
export { slidingWindows, type WindowBox } from './windows.ts';
