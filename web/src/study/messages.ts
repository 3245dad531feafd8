/** What the page and its worker tell each other about a study. */

/** A file of a folder that was given, with its way in it. */
export interface GivenFile {
  readonly path: string;
  readonly file: Blob;
}

export interface VoterFacts {
  readonly name: string;
  readonly votes: number;
}

/** A study that this browser keeps; what it compares is not told before all is counted. */
export interface StudyFacts {
  readonly id: string;
  readonly question: string;
  readonly pictures: number;
  /** Votes that a picture gets. */
  readonly votes: number;
  readonly voters: readonly VoterFacts[];
}

/** A pair that waits for a vote. */
export interface ShownPair {
  /** From 1. */
  readonly number: number;
  readonly left: Blob;
  readonly right: Blob;
  readonly photo: Blob | undefined;
}

/** Where a voter is: before a pair, or at the end. */
export interface Standing {
  readonly voter: string;
  readonly voted: number;
  readonly pair: ShownPair | undefined;
}

export type Side = 'left' | 'right' | 'tie';
