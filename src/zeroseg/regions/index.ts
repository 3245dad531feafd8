export { type ClassRecord, type ClassRecordOptions, classRecord } from './class-record.ts';
export { type ClassRegion, type ClassRegionsOptions, classRegions, type RegionPart } from './class-regions.ts';
export { type CocoSegmentation, cocoMask } from './coco-mask.ts';
export type { Polygon, Ring } from './outlines.ts';
export { type CocoRle, classRle, decodeRle } from './run-length.ts';
export { softMask } from './soft-mask.ts';
