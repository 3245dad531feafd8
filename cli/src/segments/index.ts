export { type AskedClass, askedClasses, shortList } from './asked-classes.ts';
export { type ColouredClass, classColours } from './class-colours.ts';
export { ContactSheet } from './contact-sheet.ts';
export { findPhotos, type PlacedPhoto } from './photo-places.ts';
export { isRecord, type SegmentsRecord, settingsHash } from './record.ts';
export { type Claim, ResultsFolder } from './results-folder.ts';
export { type PhotoStamp, type ResultsOptions, writeResults } from './write-results.ts';
