import type { Device } from '../../gpu/index.ts';
import type { ClipConfig, ClipText, ClipVision, KnownWords, TeacherTower, TextTower } from '../clip/index.ts';
import type { TextTokens } from '../text/index.ts';

/** What texts are embedded by: a text tower, its tokenizer, and the factor that its cosines were trained with. */
export interface TextSource {
  /** For people: the name of a folder or of a file. */
  readonly name: string;
  readonly config: TextTower['config'];
  /** The factor on cosines: `min(exp(logit_scale), 100)`. */
  readonly scale: number;
  /** What its texts were about, where they were about little; undefined where any name may be asked for. */
  readonly words?: KnownWords | undefined;
  /** The tower, on the GPU: its weights are read now. */
  text(device: Device): Promise<TextTower>;
  /** The tokenizer of the weights. `hash` takes words by their hash instead: see `hashedTokens`. Default `clip`. */
  tokens(kind?: 'clip' | 'hash'): Promise<TextTokens>;
}

/** What a cache is filled by: a CLIP, or a SigLIP. */
export interface TeacherSource {
  readonly name: string;
  readonly config: TeacherTower['config'];
  /** Whether the weights were made on the spot and mean nothing. */
  readonly isRandom: boolean;
  /** SHA-256 over the weights' files: tells this teacher from any other. Read once, at the first call. */
  weightsHash(): Promise<string>;
  vision(device: Device): Promise<TeacherTower>;
}

/** A CLIP, opened: its weights are read when a tower is asked for, and only those of that tower. */
export interface ClipSource extends TextSource, TeacherSource {
  readonly config: ClipConfig;
  vision(device: Device): Promise<ClipVision>;
  text(device: Device): Promise<ClipText>;
}

/** The teacher as a cache and a model file name it: the name for people, the hash to tell it by. */
export function teacherIdentity(name: string, weightsHash: string): string {
  return `${name} sha256:${weightsHash}`;
}

/** Whether two identities are of the same weights, whatever they are called. */
export function sameTeacher(a: string, b: string): boolean {
  const hash = (text: string) => / sha256:(\w+)$/.exec(text)?.[1] ?? text;
  return hash(a) === hash(b);
}

/** An identity for people: the name and the first digits of the hash. */
export function shortTeacher(identity: string): string {
  return identity.replace(/ sha256:(\w{12})\w*$/, ' ($1…)');
}
