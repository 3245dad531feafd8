/** What there is to say of a model, out of what its files say. */
import type { KnownWords } from '@zeroseg/core/zeroseg';
import type { ModelFacts } from '../messages.ts';

/** 1.1 million, 149 million, 830 thousand. */
export function countText(count: number): string {
  const [size, unit] =
    count >= 999_500 ? [count / 1e6, ' million'] : count >= 9_950 ? [count / 1e3, ' thousand'] : [count, ''];
  return `${unit !== '' && size < 9.95 ? size.toFixed(1) : Math.round(size)}${unit}`;
}

/** What a student is. */
export function studentNotes({ weights = 0, step = 0, image, patch }: ModelFacts, clip: ModelFacts): string[] {
  return [
    `${countText(weights)} weights; learnt for ${countText(step)} steps, without labels or text, at ${image} pixels in patches of ${patch}.`,
    knownNote(clip.known),
  ];
}

export function ownTextNotes({ kind, weights = 0, image, patch }: ModelFacts): string[] {
  return [
    `${kind === 'segclip' ? 'SegCLIP' : 'GroupViT'}: ${countText(weights)} weights, at ${image} pixels in patches of ${patch}, with its own text encoder.`,
    knownNote(undefined),
  ];
}

/** How a CLIP segments by itself. */
export type ClipWay = 'crops' | 'maskclip' | 'sclip' | 'clearclip' | 'naclip';

const ways = {
  maskclip: "MaskCLIP's value path",
  sclip: 'SCLIP: patches look at those with like queries and like keys',
  clearclip: 'ClearCLIP: patches look at those with like queries',
  naclip: 'NACLIP: patches look at those with like keys that are near',
} as const;

/** What a CLIP by itself does. */
export function clipNotes({ image, patch, known }: ModelFacts, mode: ClipWay): string[] {
  const how =
    mode === 'crops'
      ? `Without a student: crops of ${image} pixels are looked at one by one, and each is named.`
      : `Without a student: every patch of ${patch} pixels is named by itself (${ways[mode]}).`;
  return [how, knownNote(known)];
}

function knownNote(known: KnownWords | undefined): string {
  if (!known) return 'Its files do not say what it was taught: any word may be asked for.';
  const [objects, grounds] = [Object.keys(known.objects).length, Object.keys(known.grounds).length];
  const what = `It was taught ${objects} objects on ${grounds} kinds of ground`;
  return known.seen === 'drawings' ? `${what}, all of them drawn; it has never seen a photo.` : `${what}, from photos.`;
}
