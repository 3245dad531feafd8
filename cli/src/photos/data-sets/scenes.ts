import { sceneDefinition } from '../scene-folder.ts';
import type { DataSet } from './data-set.ts';
import { vocDataSet, vocLayout } from './voc.ts';

/** What `zeroseg scenes` makes: laid out as VOC, with the names of its classes beside. */
export const scenes: DataSet = {
  title: 'scenes',
  definition: sceneDefinition,
  layout: { expects: vocLayout.expects, remedy: 'zeroseg scenes makes such a folder' },
  split: 'val',
  read: (files, split) => vocDataSet(files, split),
  hasUnnamedGround: true,
};
