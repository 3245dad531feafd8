import { namesAt } from '@zeroseg/core/zeroseg';
import { css } from './colours.ts';
import type { Pointed } from './pointed.ts';
import { colourOf } from './state.ts';

/** What is under the pointer: its word and score, and the four that come next. */
export function PieceCard({ pointed, shown }: { pointed: Pointed; shown: { width: number; height: number } }) {
  const { side, piece } = pointed;
  const result = side.result.value;
  if (!result) return null;
  const ranked = namesAt(result, piece.x, piece.y).slice(0, 5);
  const fraction = (100 * piece.pixels) / result.labels.data.length;
  const [across, down] = [piece.x / shown.width, piece.y / shown.height];
  const place = {
    [across > 0.5 ? 'right' : 'left']: `calc(${(100 * (across > 0.5 ? 1 - across : across)).toFixed(1)}% + 14px)`,
    [down > 0.5 ? 'bottom' : 'top']: `calc(${(100 * (down > 0.5 ? 1 - down : down)).toFixed(1)}% + 14px)`,
  };
  return (
    <div class="piece-card" style={place} aria-hidden="true">
      <p class="piece-name">
        {result.names[piece.label]}
        <span>{fraction < 1 ? '< 1' : Math.round(fraction)} % of the picture</span>
      </p>
      <ol class="piece-ranks">
        {ranked.map(({ label, score }) => (
          <li key={label}>
            <span class="piece-word">{result.names[label]}</span>
            <span class="piece-bar">
              <span
                style={{
                  width: `${Math.max(1, Math.min(100, 100 * score)).toFixed(1)}%`,
                  background: css(colourOf(result.names[label] ?? '')),
                }}
              />
            </span>
            <span class="piece-score">{(100 * score).toFixed(score < 0.1 ? 1 : 0)} %</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
