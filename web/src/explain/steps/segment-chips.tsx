import { css, segmentColour } from '../painting/colours.ts';
import { PointingButton } from '../pointing-button.tsx';
import { grouped } from '../state.ts';

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
            <PointingButton what="segment" number={segment} class="segment-chip">
              <span class="swatch" style={{ background: css(segmentColour(segment)) }} />
              {segment + 1}
              <span class="chip-fraction">{Math.round((100 * found.segmentSizes[segment]!) / all)} %</span>
            </PointingButton>
          </li>
        ))}
    </ul>
  );
}
