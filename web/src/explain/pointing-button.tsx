import type { ComponentChildren } from 'preact';
import { marked, type Pointed, pointAt, pointAway } from './pointed.ts';

interface PointingButtonProps {
  readonly what: 'group' | 'segment';
  readonly number: Pointed['number'];
  readonly class: string;
  readonly label?: string;
  readonly disabled?: boolean;
  readonly children: ComponentChildren;
}

/** A group or a segment, to be pointed at by mouse, finger or keyboard: what belongs to it is marked in all figures meanwhile. */
export function PointingButton({ what, number, class: own, label, disabled, children }: PointingButtonProps) {
  const isMarked = marked.value?.[`${what}s`].has(number) ?? false;
  return (
    <button
      type="button"
      class={isMarked ? `${own} is-marked` : own}
      aria-label={label}
      disabled={disabled}
      onPointerEnter={() => pointAt(what, number)}
      onPointerLeave={pointAway}
      onFocus={() => pointAt(what, number)}
      onBlur={pointAway}
    >
      {children}
    </button>
  );
}
