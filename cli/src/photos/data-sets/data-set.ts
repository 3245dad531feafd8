import type { DataSetDefinition } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import type { LabelledPhoto, Layout } from './labelled-photos.ts';

/** A kind of data set: what its labels mean, and how photos and label maps are found in its folder. */
export interface DataSet {
  /** For help: what it is, in a few words. */
  readonly title: string;
  /** What its labels mean; read from the folder where every data set of the kind has classes of its own. */
  readonly definition: DataSetDefinition | ((root: string) => Promise<DataSetDefinition>);
  /** Where its files are, for people who have them elsewhere. */
  readonly layout: Layout;
  /** The split that scores are reported on; undefined where there are none. */
  readonly split: string | undefined;
  /** The photos of a split, in a folder or an archive. */
  read(files: FileTree, split: string): Promise<LabelledPhoto[]>;
  /** Of scenes: ground without a name, which is left out of scores, may be counted as background. */
  readonly hasUnnamedGround?: boolean;
}
