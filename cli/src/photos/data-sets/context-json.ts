import { type CocoSegmentation, cocoMask } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { brokenField, isNumber, isObject, isText } from '../../files/index.ts';
import { parseJson } from './json-file.ts';
import { DataSetError, type FindLabels, type Renumber, stem } from './labelled-photos.ts';

interface ContextImage {
  readonly image_id: number;
  readonly file_name: string;
  readonly phase: string;
  readonly height: number;
  readonly width: number;
}

interface ContextRegion {
  readonly image_id: number;
  readonly category_id: number;
  readonly segmentation: CocoSegmentation;
}

/** `trainval_merged.json`: images with the split they are of (`phase`), and masks with categories, of which later ones lie on top. */
export async function readContextJson(
  files: FileTree,
  path: string,
  split: string,
  renumber: Renumber,
): Promise<{ ids: string[]; find: FindLabels }> {
  const place = files.place(path);
  const broken = (what: string): never => {
    throw new DataSetError(place, `this is not PASCAL Context's trainval_merged.json: ${what}`);
  };
  const found = parseJson(await files.read(path), place) as { images?: unknown; annos_segmentation?: unknown };
  if (!isObject(found) || !Array.isArray(found.images) || !Array.isArray(found.annos_segmentation)) {
    return broken('it has no lists "images" and "annos_segmentation"');
  }
  const images = new Map<string, ContextImage>();
  const phases = new Set<string>();
  for (const image of found.images) {
    const wrong = brokenField(image, {
      image_id: isNumber,
      file_name: isText,
      phase: isText,
      height: isNumber,
      width: isNumber,
    });
    if (wrong !== undefined) broken(`of an image, ${wrong}`);
    const { phase, file_name } = image as ContextImage;
    phases.add(phase);
    if (phase === split || split === 'trainval') images.set(stem(file_name), image as ContextImage);
  }
  if (images.size === 0)
    throw new DataSetError(
      place,
      `there is no split "${split}"; this file has: ${[...phases].sort().join(', ') || 'none'}`,
    );
  const regions = new Map<number, ContextRegion[]>();
  for (const region of found.annos_segmentation) {
    const wrong = brokenField(region, { image_id: isNumber, category_id: isNumber });
    if (wrong !== undefined) broken(`of a mask, ${wrong}`);
    const one = region as ContextRegion;
    const others = regions.get(one.image_id);
    if (others) others.push(one);
    else regions.set(one.image_id, [one]);
  }
  const find: FindLabels = (id) => {
    const image = images.get(id);
    if (!image) return undefined;
    return {
      place: `${place} (image ${id})`,
      async read() {
        const { width, height } = image;
        const data = new Uint16Array(width * height);
        for (const { category_id, segmentation } of regions.get(image.image_id) ?? []) {
          const mask = cocoMask(segmentation, height, width);
          for (let i = 0; i < data.length; i++) if (mask[i]) data[i] = category_id;
        }
        return { width, height, data: renumber(data) };
      },
    };
  };
  return { ids: [...images.keys()], find };
}
