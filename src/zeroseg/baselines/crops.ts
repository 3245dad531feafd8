import type { Baseline } from './baseline.ts';
import { cosineMaps } from './patch-labels.ts';

export const crops: Baseline = {
  name: 'crops',
  title: 'teacher on 4 × 4 crops',
  note: 'cut the picture into 16 pieces, let the teacher name each',
  cells: ({ crops: { features, grid }, text, width }) => ({ scores: cosineMaps(features, text, width), grid }),
};
