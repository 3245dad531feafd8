import { useComputed } from '@preact/signals';
import { namesAt, type SegmentCentre } from '@zeroseg/core/zeroseg';
import { useEffect, useRef } from 'preact/hooks';
import type { Rgb } from './colours.ts';
import type { Segmented } from './messages.ts';
import { paintLabels, pieceAt } from './overlay.ts';
import { PieceCard } from './piece-card.tsx';
import { pointed } from './pointed.ts';
import { Progress } from './progress.tsx';
import {
  colourOf,
  comparing,
  divide,
  first,
  hidden,
  opacity,
  outlines,
  photo,
  type Side,
  second,
  shownSize,
  written,
} from './state.ts';

/** How a label of a result is painted; background and hidden words are not. */
function coloursOf({ names }: Segmented, without: ReadonlySet<string>): (Rgb | undefined)[] {
  return names.map((name, label) => (label === 0 || without.has(name) ? undefined : colourOf(name)));
}

function Overlay({ side }: { side: Side }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const result = side.result.value;
  const piece = pointed.value?.side === side ? pointed.value.piece : undefined;
  const [without, strength, lines] = [hidden.value, opacity.value, outlines.value];
  const colours = result && coloursOf(result, without);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    if (!result) {
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      return;
    }
    paintLabels(context, result.labels, {
      colours: colours ?? [],
      opacity: strength,
      outlines: lines,
      piece: piece?.mask,
    });
  }, [result, piece, strength, lines, String(colours)]);
  return (
    <>
      <canvas ref={canvas} class="overlay" />
      {result && written.value && <Names result={result} without={without} />}
    </>
  );
}

/** Words on their segments. */
function Names({ result, without }: { result: Segmented; without: ReadonlySet<string> }) {
  const { width, height } = result.labels;
  return (
    <div class="names" aria-hidden="true">
      {result.centres
        .filter(({ label }) => label > 0 && !without.has(result.names[label] ?? ''))
        .map(({ label, x, y }) => (
          <span
            key={`${x} ${y}`}
            class="name"
            style={{ left: `${((100 * x) / width).toFixed(2)}%`, top: `${((100 * y) / height).toFixed(2)}%` }}
          >
            {result.names[label]}
          </span>
        ))}
    </div>
  );
}

/** The picture with its segments; what lies under the pointer is named. */
export function Stage() {
  const frame = useRef<HTMLDivElement>(null);
  const current = photo.value;
  const isDivided = comparing.value;
  const rightFrom = useComputed(() => `${(100 * divide.value).toFixed(2)}%`);
  useEffect(() => {
    pointed.value = undefined;
  }, [current, first.result.value, second.result.value, isDivided]);

  const point = (event: PointerEvent): void => {
    const box = frame.current?.getBoundingClientRect();
    if (!box || !current) return;
    const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const side = isDivided && across > divide.value ? second : first;
    const labels = side.result.value?.labels;
    if (!labels || across < 0 || down < 0 || across >= 1 || down >= 1) {
      pointed.value = undefined;
      return;
    }
    const [x, y] = [Math.floor(across * labels.width), Math.floor(down * labels.height)];
    const before = pointed.value;
    if (before?.side === side && before.piece.mask[y * labels.width + x] === 1) return;
    pointed.value = { side, piece: pieceAt(labels, x, y) };
  };
  if (!current)
    return (
      <div class="stage stage-empty">
        <Progress />
      </div>
    );
  const { width, height } = current;
  const shape = width / height;
  return (
    <div class="stage">
      <div
        ref={frame}
        class="frame"
        style={{ '--shape': String(shape), '--right-from': rightFrom.value }}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={(event) => {
          if (event.pointerType === 'mouse') pointed.value = undefined;
        }}
      >
        <img class={width < 400 ? 'photo photo-small' : 'photo'} src={current.url} alt={current.name} />
        <div class={isDivided ? 'layer layer-left' : 'layer'}>
          <Overlay side={first} />
        </div>
        {isDivided && (
          <div class="layer layer-right">
            <Overlay side={second} />
          </div>
        )}
        {isDivided && (
          <>
            <div class="divider" aria-hidden="true" />
            <input
              class="divider-input"
              type="range"
              min="0"
              max="1"
              step="0.01"
              value={divide.value}
              aria-label="Line between the left and the right result"
              onInput={(event) => {
                divide.value = Number(event.currentTarget.value);
              }}
            />
          </>
        )}
        {pointed.value && <PieceCard pointed={pointed.value} shown={shownSize(current)} />}
      </div>
      <PieceKeys />
      <Progress />
    </div>
  );
}

/** The pieces of the picture as a list for keyboard and screen reader: the largest. */
function PieceKeys() {
  const result = first.result.value;
  if (!result) return null;
  return (
    <ul class="pieces" aria-label="Segments, largest first">
      {result.centres.slice(0, MAX_LISTED).map((centre) => (
        <li key={`${centre.x} ${centre.y}`}>
          <button
            type="button"
            class="piece-key"
            onFocus={() => {
              pointed.value = { side: first, piece: pieceAt(result.labels, centre.x, centre.y) };
            }}
            onBlur={() => {
              pointed.value = undefined;
            }}
          >
            {sentence(result, centre)}
          </button>
        </li>
      ))}
    </ul>
  );
}

const MAX_LISTED = 12;

function sentence(result: Segmented, { label, x, y, area }: SegmentCentre): string {
  const fraction = Math.round((100 * area) / result.labels.data.length);
  const [best, ...rest] = namesAt(result, x, y);
  const name = result.names[label] ?? '';
  const others = rest.slice(0, 4).map((other) => `${result.names[other.label]} ${Math.round(100 * other.score)} %`);
  const score = best ? `, score ${Math.round(100 * best.score)} %` : '';
  return `${name}${score}, ${fraction} % of the picture${others.length > 0 ? `; next ${others.join(', ')}` : ''}`;
}
