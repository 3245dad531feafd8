import { useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { pointAt, pointAway } from '../pointed.ts';
import { subject } from '../state.ts';
import type { Paint } from './pictures.ts';

interface SquareProps {
  readonly paint: Paint;
  /** For screen readers; left out where the figure around it says it. */
  readonly label?: string;
  /** Whether patches under the pointer are marked. Default true. */
  readonly points?: boolean;
}

/** A square canvas, as sharp as the screen; it paints itself anew when what it shows changes. */
export function Square({ paint, label, points = true }: SquareProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSignal(0);
  useEffect(() => {
    const { current } = canvas;
    if (!current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) size.value = Math.round(entry.contentRect.width * Math.min(2, devicePixelRatio));
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  useSignalEffect(() => {
    const { current } = canvas;
    if (!current || size.value === 0) return;
    if (current.width !== size.value) {
      current.width = size.value;
      current.height = size.value;
    }
    const context = current.getContext('2d');
    if (context) paint(context);
  });
  const point = (event: PointerEvent): void => {
    const [box, cols] = [canvas.current?.getBoundingClientRect(), subject.peek()?.cols];
    if (!box || !cols) return;
    const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
    const row = Math.floor(((event.clientY - box.top) / box.height) * cols);
    if (col >= 0 && row >= 0 && col < cols && row < cols) pointAt('patch', row * cols + col);
  };
  return (
    <canvas
      ref={canvas}
      class="square"
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
      {...(points && {
        onPointerMove: point,
        onPointerDown: point,
        onPointerLeave: (event: PointerEvent) => {
          if (event.pointerType === 'mouse') pointAway();
        },
      })}
    />
  );
}

/** A square with what it shows under it. */
export function Figure({ paint, label, points, children }: SquareProps & { children: ComponentChildren }) {
  return (
    <figure class="figure">
      <Square paint={paint} points={points ?? true} {...(label && { label })} />
      <figcaption class="hint">{children}</figcaption>
    </figure>
  );
}
