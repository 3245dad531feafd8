import type { Metrics, RateChange } from '@zeroseg/core/zeroseg';
import type { Plan } from './plan.ts';

/** A term of the loss, as the library describes it. */
export interface TermFacts {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** The key of its weight, and what it is where nothing is said. */
  readonly weight: string;
  readonly usual: number;
}

/** Bytes that a run would take, and that the browser still gives this site. */
export interface Space {
  readonly needed: number;
  readonly free: number;
}

export type Phase = 'gpu' | 'looking' | 'words' | 'preparing' | 'training' | 'paused' | 'ended' | 'failed';

/** Where a run stands. */
export interface Standing {
  readonly phase: Phase;
  /** Of what is being waited for. */
  readonly done?: number;
  readonly total?: number;
  /** Why it failed. */
  readonly problem?: string;
  /** Whether the folder of photos has to be chosen again before it can go on. */
  readonly needsPhotos?: boolean;
}

/** A run that is kept in this browser. */
export interface RunCard {
  readonly id: string;
  readonly title: string;
  readonly begun: string;
  readonly plan: Plan;
  readonly steps: number;
  readonly done: number;
  readonly isEnded: boolean;
  /** Share of pixels named right, where that is measured, and the loss, both after the last step that has them. */
  readonly accuracy: number | undefined;
  readonly loss: number | undefined;
  /** With the features that it learns from. */
  readonly bytes: number;
}

/** The student before its training, on the pictures that it does not learn from. */
export interface Before {
  readonly accuracy: number;
  readonly used: number;
}

/** What the page needs to show a run from the beginning. */
export interface RunHistory {
  readonly id: string;
  readonly title: string;
  readonly plan: Plan;
  readonly steps: number;
  readonly metrics: readonly Metrics[];
  /** Steps that there is a sheet of. */
  readonly samples: readonly number[];
  readonly before: Before | undefined;
  /** Changes of the learning rate on the way. */
  readonly rates: readonly RateChange[];
  /** Whether it was training when its page was closed. */
  readonly isWanted: boolean;
}

export type TrainEvent = { readonly run: string } & (
  | { readonly kind: 'standing'; readonly standing: Standing }
  /** Everything up to now: what is shown is replaced. */
  | { readonly kind: 'history'; readonly history: RunHistory }
  | { readonly kind: 'steps'; readonly metrics: readonly Metrics[] }
  | { readonly kind: 'rates'; readonly rates: readonly RateChange[] }
  /** Photos that could not be read, in words. */
  | { readonly kind: 'unread'; readonly words: string }
  | { readonly kind: 'before'; readonly before: Before }
  | { readonly kind: 'sample'; readonly step: number; readonly sheet: Blob }
);
