import { sceneDefinition } from '../scene-folder.ts';
import type { DataSet } from './data-set.ts';
import { vocDataSet } from './voc.ts';

/** What `zeroseg scenes` makes: laid out as VOC, with the names of its classes beside. */
export const scenes: DataSet = {
  title: 'scenes',
  definition: sceneDefinition,
  read: vocDataSet,
  hasUnnamedGround: true,
};
