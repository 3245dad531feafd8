import { type LabelMap, type SegmentCentre, segmentCentres } from '@zeroseg/core/zeroseg';

/** Segments with a smaller fraction of the picture are not named on it. */
const SMALLEST = 0.006;

export function centresOf({ width, height, data }: LabelMap): SegmentCentre[] {
  return segmentCentres(data, width, height, width * height * SMALLEST);
}
