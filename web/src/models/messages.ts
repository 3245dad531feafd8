/** What the page and its worker say to each other of models. */
import type { KnownWords } from '@zeroseg/core/zeroseg';

/** What a file says of itself, and its sizes. */
export interface ModelFacts {
  /** A ZeroSeg student, a GroupViT, a SegCLIP, or a CLIP. */
  readonly kind: 'zeroseg' | 'groupvit' | 'segclip' | 'clip';
  /** How many numbers it holds; undefined where only sizes of its parts are known. */
  readonly weights?: number;
  /** Side of the images it was trained with and of its patches, in pixels. */
  readonly image: number;
  readonly patch: number;
  /** Values of an embedding: a student and its CLIP have the same. */
  readonly width: number;
  /** Steps of training behind a student, and the teacher that its file names. */
  readonly step?: number;
  readonly teacher?: string;
  /** What it was taught; undefined where its file does not say. */
  readonly known?: KnownWords | undefined;
}

/** Where a model's files are: with the page, in the browser's own file system, or as the visitor gave them, for this visit. */
export type ModelPlace = 'page' | 'kept' | 'visit';

/** A model that the page has. */
export interface ShelfModel {
  readonly id: string;
  readonly name: string;
  readonly place: ModelPlace;
  readonly bytes: number;
  /** Undefined where it cannot be opened: `problem` says why. */
  readonly facts?: ModelFacts;
  readonly problem?: string;
  /** Where it was downloaded from: repository and revision. */
  readonly hub?: { readonly repo: string; readonly revision: string };
}

/** A download that was interrupted, of which a part is kept. */
export interface Unfinished {
  readonly id: string;
  readonly repo: string;
  readonly done: number;
  readonly bytes: number;
}

/** A way to segment: a student with its CLIP, a GroupViT, a SegCLIP, or a CLIP by itself. */
export interface ModelChoice {
  readonly id: string;
  readonly title: string;
  /** The models that it is made of. */
  readonly uses: readonly string[];
  /** What there is to say of it. */
  readonly notes: readonly string[];
  /** Why it cannot be used: its teacher is not here, for instance. */
  readonly problem?: string;
}

export interface Shelf {
  readonly models: readonly ShelfModel[];
  readonly unfinished: readonly Unfinished[];
  readonly choices: readonly ModelChoice[];
}

export interface Added {
  /** Models that can be used now. */
  readonly ids: readonly string[];
  /** A sentence for each file or folder that is none. */
  readonly problems: readonly string[];
}

export interface Copying {
  readonly what: 'asking' | 'copying' | 'downloading' | 'checking';
  readonly done: number;
  readonly bytes: number;
}

/** Bytes of the browser's own file system: taken by this site, and in all. */
export interface Space {
  readonly taken: number;
  readonly quota: number;
}
