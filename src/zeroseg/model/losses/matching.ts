import { segmentMatch } from '../../../kernels/zeroseg/index.ts';
import type { Tensor } from '../../../tensor/graph/index.ts';
import { viewRows } from '../../image/index.ts';
import { type LossTerm, viewsAt } from './term.ts';

/** L1 distance of each segment to the local view that is nearest to it. The whole image is no local view, wherever it stands. */
export const matchingTerm: LossTerm = {
  name: 'match',
  title: 'Segment matching',
  about: 'Segments like their nearest views',
  weight: 'w_match',
  defaultWeight: 1,
  isAlwaysComputed: true,
  compute({ segments, targets, compared, trace, config: { feat_reduce: features, segment_reduce, grids } }) {
    const local = viewsAt(targets, viewRows(grids).local);
    if (!local) return undefined;
    const options = { features, segments: segment_reduce } as const;
    const found = segmentMatch(compared(segments), local, options);
    trace('match_index', found.index);
    // All distances: another launch, computed only if somebody uses it.
    trace(
      'match_distance',
      segmentMatch(compared(segments), local, { ...options, distances: true }).distance as Tensor,
    );
    return { loss: found.loss, matchIndex: found.index };
  },
};
