import { type Signal, signal } from '@preact/signals';
import type { Piece } from './overlay.ts';
import type { Side } from './state.ts';

/** The piece that is pointed at, and on which side. */
export interface Pointed {
  readonly side: Side;
  readonly piece: Piece;
}

export const pointed: Signal<Pointed | undefined> = signal(undefined);
