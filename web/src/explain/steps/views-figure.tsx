import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Grouped, Subject } from '../messages.ts';
import { css, segmentColour } from '../painting/colours.ts';
import { asSource } from '../painting/paint.ts';
import { marked, pointAt, pointAway, pointed } from '../pointed.ts';
import { grouped, shownGrids, subject } from '../state.ts';
import { cellOf, layOut, type Place, type ViewsLayout } from './views-layout.ts';

/** Segments, the teacher's views, and a line from each segment to the view that is nearest to it. */
export function ViewsFigure() {
  const [{ value }, { value: found }] = [subject, grouped];
  const isWide = useWidth();
  const url = useSquareUrl(value);
  if (!value || !found) return null;
  const used = Array.from(found.segmentSizes.keys()).filter((segment) => found.segmentSizes[segment]! > 0);
  const layout = layOut(value, used.length, isWide);
  const parts = { picture: value, found, layout, used };
  return (
    <svg
      class="views"
      viewBox={`-4 -4 ${layout.width + 8} ${layout.height + 8}`}
      aria-hidden="true"
      onPointerLeave={pointAway}
    >
      {layout.grids.map((place, grid) => (
        <Grid key={grid} {...parts} grid={grid} place={place} url={url} />
      ))}
      {used.map((segment, i) => (
        <Thumb key={segment} {...parts} segment={segment} place={layout.segments[i] as Place} />
      ))}
      <Lines {...parts} />
    </svg>
  );
}

interface Parts {
  readonly picture: Subject;
  readonly found: Grouped;
  readonly layout: ViewsLayout;
  readonly used: readonly number[];
}

function Grid({ picture, found, grid, place, url }: Parts & { grid: number; place: Place; url: string | undefined }) {
  const k = picture.grids[grid] as number;
  const first = picture.grids.slice(0, grid).reduce((sum, side) => sum + side * side, 0);
  const cell = place.size / k;
  const at = pointed.value;
  const views = picture.boxes.length;
  const of =
    at?.what === 'segment' ? [...found.distance.subarray(at.number * views, (at.number + 1) * views)] : undefined;
  const known = of?.filter((distance) => !Number.isNaN(distance)) ?? [];
  const [min, max] = [Math.min(...known), Math.max(...known)];
  return (
    <g opacity={grid < shownGrids.value ? 1 : 0.2}>
      {url && (
        <image href={url} x={place.x} y={place.y} width={place.size} height={place.size} preserveAspectRatio="none" />
      )}
      {Array.from({ length: k * k }, (_, i) => {
        const view = first + i;
        const [x, y] = [place.x + (i % k) * cell, place.y + Math.floor(i / k) * cell];
        const distance = of?.[view];
        const isKnown = distance !== undefined && !Number.isNaN(distance);
        const far = isKnown ? (distance - min) / (max - min || 1) : 0;
        return (
          <g key={view} onPointerEnter={() => pointAt('view', view)}>
            <rect
              x={x}
              y={y}
              width={cell}
              height={cell}
              class="view-cell"
              fill={`rgb(12 14 18 / ${isKnown ? (0.08 + 0.72 * far).toFixed(2) : 0})`}
            />
            {isKnown && cell > 36 && (
              <text x={x + cell / 2} y={y + cell / 2} class="view-distance" font-size={Math.min(15, cell / 3.4)}>
                {distance.toFixed(2)}
              </text>
            )}
            {marked.value?.views.has(view) && (
              <rect x={x + 2} y={y + 2} width={cell - 4} height={cell - 4} class="view-marked" />
            )}
          </g>
        );
      })}
    </g>
  );
}

/** A segment as the patches that belong to it. */
function Thumb({ picture, found, segment, place }: Parts & { segment: number; place: Place }) {
  const one = place.size / picture.cols;
  const path = Array.from(found.segmentOf, (own, patch) =>
    own === segment
      ? `M${(patch % picture.cols) * one} ${Math.floor(patch / picture.cols) * one}h${one}v${one}h${-one}z`
      : '',
  ).join('');
  const at = marked.value;
  const isFaint = at !== undefined && at.segments.size > 0 && !at.segments.has(segment);
  return (
    <g
      transform={`translate(${place.x} ${place.y})`}
      opacity={isFaint ? 0.3 : 1}
      onPointerEnter={() => pointAt('segment', segment)}
    >
      <rect width={place.size} height={place.size} rx="6" class="thumb-ground" />
      <path d={path} fill={css(segmentColour(segment))} />
    </g>
  );
}

function Lines({ picture, found, layout, used }: Parts) {
  const at = marked.value;
  const sharing = new Map<number, number>();
  return (
    <g class="view-lines">
      {used.map((segment, i) => {
        const view = found.nearest[segment]!;
        if (view < 0) return null;
        const { grid, row, col } = cellOf(picture.grids, view);
        const place = layout.grids[grid] as Place;
        const cell = place.size / (picture.grids[grid] as number);
        const nth = sharing.get(view) ?? 0;
        sharing.set(view, nth + 1);
        // Several segments may share a view: their ends lie around its middle.
        const [dx, dy] = nth === 0 ? [0, 0] : [Math.cos(nth * 2.4) * cell * 0.2, Math.sin(nth * 2.4) * cell * 0.2];
        const [x1, y1] = [place.x + (col + 0.5) * cell + dx, place.y + (row + 0.5) * cell + dy];
        const thumb = layout.segments[i] as Place;
        const [x0, y0] = layout.isWide
          ? [thumb.x + thumb.size + 3, thumb.y + thumb.size / 2]
          : [thumb.x + thumb.size / 2, thumb.y + thumb.size + 3];
        const path = layout.isWide
          ? `M${x0} ${y0}C${x0 + 110} ${y0} ${x1 - 120} ${y1} ${x1} ${y1}`
          : `M${x0} ${y0}C${x0} ${y0 + 60} ${x1} ${y1 - 90} ${x1} ${y1}`;
        const isFaint = at !== undefined && at.segments.size > 0 && !at.segments.has(segment);
        return (
          <g key={segment} opacity={isFaint ? 0.12 : 1}>
            <path d={path} class="view-line-under" />
            <path d={path} class="view-line" stroke={css(segmentColour(segment))} />
            <circle cx={x1} cy={y1} r="5" fill={css(segmentColour(segment))} stroke="#fff" stroke-width="1.5" />
          </g>
        );
      })}
    </g>
  );
}

/** Whether the figure has room for segments beside the grids. */
function useWidth(): boolean {
  const isWide = useSignal(matchMedia('(min-width: 700px)').matches);
  useEffect(() => {
    const query = matchMedia('(min-width: 700px)');
    const follow = (): void => {
      isWide.value = query.matches;
    };
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  return isWide.value;
}

/** The model's square as an address that SVG can show. */
function useSquareUrl(picture: Subject | undefined): string | undefined {
  const url = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (!picture) return;
    let made: string | undefined;
    let isOver = false;
    void asSource(picture.square)
      .convertToBlob({ type: 'image/png' })
      .then((blob) => {
        if (isOver) return;
        made = URL.createObjectURL(blob);
        url.value = made;
      });
    return () => {
      isOver = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [picture]);
  return url.value;
}
