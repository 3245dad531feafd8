import { type DenseClipMode, denseModes } from '@zeroseg/core/zeroseg';
import { FileError } from '../files/index.ts';
import { kindOfPath } from '../weights/index.ts';

/** Ways that a CLIP segments by itself, as `--model clip:PATH:WAY` names them. */
export const clipModes: readonly DenseClipMode[] = [...denseModes, 'crops'];

/** Models whose text encoders are in their files. */
export type OwnTextKind = 'groupvit' | 'segclip';

/** What `--model` names: a CLIP by itself and how it segments, or a file, and what it must hold if that was said. */
export type ModelPlace =
  | { readonly kind: 'clip'; readonly place: string; readonly mode: DenseClipMode }
  | { readonly kind: 'file'; readonly place: string; readonly holds?: OwnTextKind };

/**
 * Reads `clip:PATH[:WAY]`, `groupvit:PATH`, `segclip:PATH` or a path. Paths may hold colons: what follows the last one is a way to segment only if there is no
 * file or folder of the whole name.
 *
 * @throws FileError for a way that is not known, or of a model that has none.
 */
export async function parseModelPlace(text: string): Promise<ModelPlace> {
  const [, kind, place = ''] = /^(clip|groupvit|segclip):(.*)$/s.exec(text) ?? [];
  if (kind === undefined || (await kindOfPath(text)) !== undefined) {
    await refuseMode(text, text);
    return { kind: 'file', place: text };
  }
  if (place === '') {
    throw new FileError('openModel', text, `there is no path behind the colon; write ${kind}:PATH`);
  }
  if (kind !== 'clip') {
    await refuseMode(text, place);
    return { kind: 'file', place, holds: kind as OwnTextKind };
  }
  const colon = place.lastIndexOf(':');
  const [before, after] = [place.slice(0, colon), place.slice(colon + 1)];
  if (colon < 1 || (await kindOfPath(place)) !== undefined) return { kind: 'clip', place, mode: 'maskclip' };
  const mode = clipModes.find((one) => one === after);
  if (mode) return { kind: 'clip', place: before, mode };
  // A slash is no part of a way: the colon belongs to a path that is not there.
  if (/[/\\]/.test(after)) return { kind: 'clip', place, mode: 'maskclip' };
  throw new FileError(
    'openModel',
    text,
    `"${after}" is no way to segment with a CLIP; give one of ${clipModes.join(', ')}`,
  );
}

async function refuseMode(text: string, place: string): Promise<void> {
  const [, before = '', mode] = /^(.+):(\w+)$/s.exec(place) ?? [];
  if (!clipModes.some((one) => one === mode) || (await kindOfPath(place)) !== undefined) return;
  throw new FileError('openModel', text, `only a CLIP segments in the way "${mode}"; write clip:${before}:${mode}`);
}
