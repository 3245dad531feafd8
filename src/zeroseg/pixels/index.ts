export { bestColumns } from './best-columns.ts';
export { classProbabilities, type PixelClasses, queryClasses } from './query-classes.ts';
export {
  type PatchGrid,
  type PatchScores,
  type Planes,
  patchMaps,
  refinedMaps,
  type ScoreMaps,
  type Size,
  stretchedWindows,
} from './score-maps.ts';
