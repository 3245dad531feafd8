import { cast } from '../../../kernels/elementwise/index.ts';
import { reconstruction } from '../../../kernels/zeroseg/index.ts';
import type { LossTerm } from './term.ts';

/** Mean squared error of the masked patches' pixels. */
export const reconstructionTerm: LossTerm = {
  name: 'rec',
  title: 'Reconstruction',
  about: 'Repainting hidden patches',
  weight: 'w_rec',
  defaultWeight: 1,
  isAlwaysComputed: true,
  compute({ image, pred, mask, config: { patch, norm_pix: normPixels } }) {
    if (!pred || !mask) return undefined;
    return { loss: reconstruction(image, cast(pred, 'f32'), mask, { patch, normPixels }) };
  },
};
