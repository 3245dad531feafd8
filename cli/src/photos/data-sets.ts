/** Photos with ground truth, in the folders and archives that data sets come in: a kind is one file and one line here. */
import { stat } from 'node:fs/promises';
import { ArgumentError } from '@zeroseg/core';
import { ownValue } from '@zeroseg/core/internal';
import type { DataSetDefinition } from '@zeroseg/core/zeroseg';
import { FileTree } from '../archives/index.ts';
import { ade } from './data-sets/ade.ts';
import { cityscapes } from './data-sets/cityscapes.ts';
import { coco, cocoInstances, cocoPanoptic } from './data-sets/coco.ts';
import { context, context59 } from './data-sets/context.ts';
import type { DataSet } from './data-sets/data-set.ts';
import { folder } from './data-sets/folder.ts';
import { DataSetError, type LabelledPhoto } from './data-sets/labelled-photos.ts';
import { scenes } from './data-sets/scenes.ts';
import { stuff } from './data-sets/stuff.ts';
import { voc, voc20 } from './data-sets/voc.ts';

/** By the name that commands take. */
export const dataSetKinds: Readonly<Record<string, DataSet>> = {
  voc,
  voc20,
  context,
  context59,
  coco,
  'coco-instances': cocoInstances,
  'coco-panoptic': cocoPanoptic,
  stuff,
  ade,
  cityscapes,
  folder,
  scenes,
};

/** Those of them whose classes are the same in every folder. */
export const fixedDataSets: readonly (readonly [name: string, kind: DataSet, definition: DataSetDefinition])[] =
  Object.entries(dataSetKinds).flatMap(([name, kind]) =>
    typeof kind.definition === 'function' ? [] : [[name, kind, kind.definition] as const],
  );

/**
 * The data set of that name in a folder, or a tar or zip archive; `split` is by default the one that scores are reported on.
 *
 * ```ts
 * for (const item of await openDataSet('voc', 'VOCdevkit/VOC2012')) {
 *   const { image, labels } = await item.load();
 *   score.add(segment(image), labels.data);
 * }
 * ```
 */
export async function openDataSet(name: string, root: string, split?: string): Promise<LabelledPhoto[]> {
  const kind = ownValue(dataSetKinds, name);
  if (!kind) {
    const names = Object.keys(dataSetKinds).join(', ');
    throw new ArgumentError(`openDataSet: the name must be one of ${names}; got '${name}'`);
  }
  await stat(root).catch((error) => {
    throw new DataSetError(root, 'there is no such folder or archive; check the spelling', { cause: error });
  });
  return kind.read(new FileTree(root), split ?? kind.split ?? '');
}
