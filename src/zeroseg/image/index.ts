export { LARGEST_GRID, MOST_GRIDS } from './grid-limits.ts';
export {
  defaultGrids,
  type GridBox,
  gridBoxes,
  studentImage,
  teacherViews,
  type ViewOptions,
  type ViewSource,
  viewCount,
  viewRows,
} from './grid-views.ts';
export {
  between,
  centreRegion,
  checkImage,
  clipMean,
  clipStd,
  crop,
  type Image,
  imagenetMean,
  imagenetStd,
  keepRatioSize,
  type LabelMap,
  mostPixels,
  PixelError,
  type Region,
  type Rgb,
  resizeBilinear,
  resizeImage,
  shortSideSize,
  toTensor,
} from './image.ts';
export { ImageError } from './image-error.ts';
export { type Colour, classColour, pascalPalette } from './palette.ts';
export { inspectPng, isPng } from './png.ts';
export { slidingWindows, type WindowBox } from './windows.ts';
