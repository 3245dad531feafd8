import type { Claim } from '../checkpoints/index.ts';
import type { ClipActivation } from '../clip/index.ts';

/** What no tensor tells of one tower, and what can be held against its tensors. */
export interface TowerSettings {
  /** As they are given; left out, 64 channels each. */
  readonly heads?: number;
  readonly headWidth?: number;
  /** What the reference takes where none are given: to be refused where 64 channels each are others. */
  readonly defaultHeads?: number;
  readonly activation: ClipActivation;
  readonly eps: number;
  /** The token at which texts are read. */
  readonly end?: number;
  /** Sizes that the settings claim, to be compared with those of the tensors; each with the key that claims it. */
  readonly claims: Partial<Record<ClaimedSize, Claim>>;
  /** MLP width over width; a fraction is cut off. */
  readonly mlpRatio?: Claim;
}

export type ClaimedSize = 'width' | 'layers' | 'hidden' | 'patch' | 'image' | 'vocab' | 'context';

export interface ClipSettings {
  readonly vision: TowerSettings;
  readonly text: TowerSettings;
  readonly projection?: Claim;
  /** Constants that pixels are normalised with; left out, OpenAI's. */
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
}
