import type { Baseline } from './baseline.ts';
import { cosineMaps } from './patch-labels.ts';

/** CLIP as a dense classifier. */
export const plain: Baseline = {
  name: 'plain',
  title: "teacher's patches (plain)",
  note: "the teacher's own patch features, as they are",
  cells: ({ dense, text, width }) => ({ scores: cosineMaps(dense.plain, text, width), grid: dense.grid }),
};

/** The same by the value path of its last block (MaskCLIP: Zhou et al., 2022). */
export const value: Baseline = {
  name: 'value',
  title: "teacher's patches (value)",
  note: "the same by MaskCLIP's value path",
  cells: ({ dense, text, width }) => ({ scores: cosineMaps(dense.value, text, width), grid: dense.grid }),
};
