import type { Baseline } from './baseline.ts';
import { denseLabels } from './patch-labels.ts';

/** CLIP as a dense classifier. */
export const plain: Baseline = {
  name: 'plain',
  title: "teacher's patches (plain)",
  note: "the teacher's own patch features, as they are",
  labels: (_, { dense, text, width }) => denseLabels(dense.plain, text, width, dense.grid),
};

/** The same by the value path of its last block (MaskCLIP: Zhou et al., 2022). */
export const value: Baseline = {
  name: 'value',
  title: "teacher's patches (value)",
  note: "the same by MaskCLIP's value path",
  labels: (_, { dense, text, width }) => denseLabels(dense.value, text, width, dense.grid),
};
