/** Photos with ground truth, in the folders that data sets come in: a kind is one file and one line here. */
import { ArgumentError } from '@zeroseg/core';
import { ownValue } from '@zeroseg/core/internal';
import type { DataSetDefinition } from '@zeroseg/core/zeroseg';
import { coco } from './data-sets/coco.ts';
import { context } from './data-sets/context.ts';
import type { DataSet } from './data-sets/data-set.ts';
import type { LabelledPhoto } from './data-sets/labelled-photos.ts';
import { scenes } from './data-sets/scenes.ts';
import { voc } from './data-sets/voc.ts';

/** By the name that commands take. */
export const dataSetKinds: Readonly<Record<string, DataSet>> = { voc, context, coco, scenes };

/** Those of them whose classes are the same in every folder. */
export const fixedDataSets: readonly (readonly [name: string, kind: DataSet, definition: DataSetDefinition])[] =
  Object.entries(dataSetKinds).flatMap(([name, kind]) =>
    typeof kind.definition === 'function' ? [] : [[name, kind, kind.definition] as const],
  );

/**
 * The data set of that name in a folder; `split` is by default the one that scores are reported on.
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
  return kind.read(root, split);
}
