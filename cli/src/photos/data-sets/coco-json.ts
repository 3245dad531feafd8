/** COCO's own annotations as label maps: instances (polygons and run lengths) and panoptic segments. */
import { type CocoSegmentation, cocoLabels, cocoMask, type LabelMap } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { brokenField, type Check, isNumber, isObject, isText, isWhole } from '../../files/index.ts';
import { decodePhoto } from '../image-files.ts';
import { parseJson } from './json-file.ts';
import { DataSetError, type FindLabels, stem } from './labelled-photos.ts';

/** What is neither background nor an object that can be told apart. */
const CROWD = 255;

interface CocoImage {
  readonly id: number;
  readonly file_name: string;
  readonly height: number;
  readonly width: number;
}

interface Instance {
  readonly image_id: number;
  readonly category_id: number;
  readonly iscrowd?: number;
  readonly area: number;
  readonly segmentation: CocoSegmentation;
}

interface PanopticImage {
  readonly image_id: number;
  readonly file_name: string;
  readonly segments_info: readonly { readonly id: number; readonly category_id: number; readonly iscrowd?: number }[];
}

export interface CocoAnnotations {
  /** File names of the photos. */
  readonly photos: readonly string[];
  readonly find: FindLabels;
}

/** Sides that an image may be said to have. */
const isSide = isWhole(1, 65_535);
const imageFields = { id: isNumber, file_name: isText, height: isSide, width: isSide };

/** 1..80 of a category's id, 0 for stuff. */
const labelOf = (category: number): number =>
  category >= 1 && category <= 91 ? cocoLabels(Uint8Array.of(category - 1))[0]! : 0;

/**
 * Masks of `instances_*.json` over each other, the larger below the smaller, since a cup on a table is not the table; crowds at the very
 * bottom, and not counted.
 */
export async function readInstances(files: FileTree, path: string): Promise<CocoAnnotations> {
  const place = files.place(path);
  const { images, annotations } = await readAnnotations(files, path, 'instances', {
    image_id: isNumber,
    category_id: isNumber,
    area: isNumber,
  });
  const byImage = groups(annotations as Instance[]);
  const byName = new Map(images.map((image) => [stem(image.file_name), image]));
  return {
    photos: images.map(({ file_name }) => file_name),
    find: (id) => {
      const image = byName.get(id);
      return (
        image && { place: `${place} (image ${image.id})`, read: async () => paint(image, byImage.get(image.id) ?? []) }
      );
    },
  };
}

function paint({ width, height }: CocoImage, instances: readonly Instance[]): LabelMap {
  const data = new Uint8Array(width * height);
  const order = [...instances].sort((a, b) => (b.iscrowd ?? 0) - (a.iscrowd ?? 0) || b.area - a.area);
  for (const { category_id, iscrowd, segmentation } of order) {
    const label = iscrowd ? CROWD : labelOf(category_id);
    const mask = cocoMask(segmentation, height, width);
    for (let i = 0; i < data.length; i++) if (mask[i]) data[i] = label;
  }
  return { width, height, data };
}

function groups<T extends { readonly image_id: number }>(all: readonly T[]): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const one of all) {
    const others = found.get(one.image_id);
    if (others) others.push(one);
    else found.set(one.image_id, [one]);
  }
  return found;
}

/** Segments of `panoptic_*.json` by the colours of its PNGs: R + 256 G + 65536 B. Stuff and what has no segment is background. */
export async function readPanoptic(files: FileTree, path: string, folder: string): Promise<CocoAnnotations> {
  const { images, annotations } = await readAnnotations(files, path, 'panoptic', {
    image_id: isNumber,
    file_name: isText,
    segments_info: Array.isArray,
  });
  const byImage = new Map((annotations as PanopticImage[]).map((one) => [one.image_id, one]));
  const byName = new Map(images.map((image) => [stem(image.file_name), image]));
  return {
    photos: images.map(({ file_name }) => file_name),
    find: (id) => {
      const annotation = byImage.get(byName.get(id)?.id ?? Number.NaN);
      if (!annotation) return undefined;
      const png = `${folder}/${annotation.file_name}`;
      const place = files.place(png);
      return {
        place,
        read: async () =>
          segmentLabels(await decodePhoto(await files.read(png), place, { orientation: 'stored' }), annotation, place),
      };
    },
  };
}

function segmentLabels(
  { width, height, data: colours }: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  { segments_info }: PanopticImage,
  place: string,
): LabelMap {
  const labels = new Map<number, number>([[0, 0]]);
  for (const segment of segments_info) {
    const wrong = brokenField(segment, { id: isNumber, category_id: isNumber });
    if (wrong !== undefined) throw new DataSetError(place, `of a segment, ${wrong}`);
    labels.set(segment.id, segment.iscrowd ? CROWD : labelOf(segment.category_id));
  }
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const id = colours[3 * i]! + 256 * colours[3 * i + 1]! + 65_536 * colours[3 * i + 2]!;
    const label = labels.get(id);
    if (label === undefined)
      throw new DataSetError(place, `a pixel is of segment ${id}, which segments_info does not have`);
    data[i] = label;
  }
  return { width, height, data };
}

async function readAnnotations(
  files: FileTree,
  path: string,
  kind: string,
  fields: Readonly<Record<string, Check>>,
): Promise<{ images: CocoImage[]; annotations: unknown[] }> {
  const place = files.place(path);
  const broken = (what: string): never => {
    throw new DataSetError(place, `this is no COCO ${kind} file: ${what}`);
  };
  const found = parseJson(await files.read(path), place) as { images?: unknown; annotations?: unknown };
  if (!isObject(found) || !Array.isArray(found.images) || !Array.isArray(found.annotations)) {
    return broken('it has no lists "images" and "annotations"');
  }
  for (const image of found.images) {
    const wrong = brokenField(image, imageFields);
    if (wrong !== undefined) broken(`of an image, ${wrong}`);
  }
  for (const annotation of found.annotations) {
    const wrong = brokenField(annotation, fields);
    if (wrong !== undefined) broken(`of an annotation, ${wrong}`);
  }
  return { images: found.images as CocoImage[], annotations: found.annotations };
}
