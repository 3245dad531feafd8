import { css, segmentColour } from './colours.ts';
import { marked, pointAt, pointAway } from './pointed.ts';
import { grouped } from './state.ts';

/** The segments that have patches, to be pointed at by mouse, finger or keyboard. */
export function SegmentChips() {
  const { value: found } = grouped;
  if (!found) return null;
  const all = found.groupSizes.reduce((sum, size) => sum + size, 0);
  return (
    <ul class="chips" aria-label="Segments">
      {Array.from(found.segmentSizes.keys())
        .filter((segment) => found.segmentSizes[segment]! > 0)
        .map((segment) => (
          <li key={segment}>
            <button
              type="button"
              class={marked.value?.segments.has(segment) ? 'segment-chip is-marked' : 'segment-chip'}
              onPointerEnter={() => pointAt('segment', segment)}
              onPointerLeave={pointAway}
              onFocus={() => pointAt('segment', segment)}
              onBlur={pointAway}
            >
              <span class="swatch" style={{ background: css(segmentColour(segment)) }} />
              {segment + 1}
              <span class="chip-fraction">{Math.round((100 * found.segmentSizes[segment]!) / all)} %</span>
            </button>
          </li>
        ))}
    </ul>
  );
}
