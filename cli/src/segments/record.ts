/** What is written about a photo: where each class is in it, and how that was found. */
import { createHash } from 'node:crypto';
import type { ClassRecord } from '@zeroseg/core/zeroseg';
import { hasFields, isListOf, isNumber, isTableOf, isText, isWhole } from '../files/index.ts';
import { segmentsFormat } from '../photos/index.ts';

/** `NAME.json` */
export interface SegmentsRecord {
  readonly format: typeof segmentsFormat;
  /** As the command named it. */
  readonly photo: string;
  readonly width: number;
  readonly height: number;
  /** The photo's way from this file's folder, its size and time in milliseconds: whose record this is, and whether it is old. */
  readonly source: { readonly file: string; readonly bytes: number; readonly modified: number };
  /** Beside this file. */
  readonly files: {
    readonly overlay: string;
    readonly labels: string;
    readonly thumbnail: string;
    /** By class. */
    readonly cutouts: Readonly<Record<string, string>>;
  };
  /** Those that were found, the largest first. */
  readonly classes: readonly ClassRecord[];
  /** All that were asked for: `names[label - 1]`. */
  readonly names: readonly string[];
  readonly resized: { readonly width: number; readonly height: number };
  readonly options: Readonly<Record<string, unknown>>;
  /** Names that were asked for and left out, since the CLIP does not know them. */
  readonly unknown: readonly string[];
  readonly model: Readonly<Record<string, unknown>>;
  readonly clip: Readonly<Record<string, unknown>> | null;
  /** Of everything that decides what is written beside the photo: where it is the same, nothing needs to be done again. */
  readonly settings: string;
}

const isPart = hasFields({ polygon: hasFields({ outer: isListOf(isNumber), holes: isListOf(isListOf(isNumber)) }) });

/** Whether a file's content is a record, as far as it is read again. */
const recordFields = hasFields({
  format: (value) => value === segmentsFormat,
  photo: isText,
  width: isWhole(1),
  height: isWhole(1),
  source: hasFields({ file: isText, bytes: isNumber, modified: isNumber }),
  files: hasFields({ overlay: isText, labels: isText, thumbnail: isText, cutouts: isTableOf(isText) }),
  classes: isListOf(
    hasFields({
      label: isWhole(0),
      name: isText,
      colour: isText,
      pixels: isWhole(1),
      fraction: isNumber,
      parts: isListOf(isPart),
    }),
  ),
  settings: isText,
});

export function isRecord(found: unknown): found is SegmentsRecord {
  return recordFields(found);
}

/** SHA-256 of a value's JSON. */
export function settingsHash(settings: unknown): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex');
}
