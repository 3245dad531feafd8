import { slice } from '../../../kernels/layout/index.ts';
import { distill } from '../../../kernels/zeroseg/index.ts';
import { ShapeError } from '../../../tensor/values/index.ts';
import { viewRows } from '../../image/index.ts';
import { type LossTerm, viewsAt } from './term.ts';

/** L1 distance of the image embedding to the teacher's features of all views, or of the whole image. */
export const distillationTerm: LossTerm = {
  name: 'distill',
  title: 'Distillation',
  about: 'Whole picture like its views',
  weight: 'w_dist',
  defaultWeight: 1,
  isAlwaysComputed: true,
  compute({ global, targets, compared, config: { distill_views, feat_reduce: features, grids } }) {
    const { whole, all } = viewRows(grids);
    if (distill_views === 'all') {
      const among = viewsAt(targets, all);
      return among && { loss: distill(compared(global), among, { features }) };
    }
    if (whole === undefined)
      throw new ShapeError('losses', "'distill_views' first takes the 1×1 view; 'grids' has none");
    return { loss: distill(compared(global), slice(targets, 1, whole, whole + 1), { features }) };
  },
};
