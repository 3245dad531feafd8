import type { DataSetDefinition } from '@zeroseg/core/zeroseg';
import type { LabelledPhoto } from './labelled-photos.ts';

/** A kind of data set: what its labels mean, and how photos and label maps are found in its folder. */
export interface DataSet {
  /** For help: what it is, in a few words. */
  readonly title: string;
  /** What its labels mean; read from the folder where every data set of the kind has classes of its own. */
  readonly definition: DataSetDefinition | ((root: string) => Promise<DataSetDefinition>);
  /** The photos of a split; by default of the one that scores are reported on. */
  read(root: string, split?: string): Promise<LabelledPhoto[]>;
  /** Of scenes: ground without a name, which is left out of scores, may be counted as background. */
  readonly hasUnnamedGround?: boolean;
}
