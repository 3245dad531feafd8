/** Which models go together: what can be chosen to segment by. */
import { sameTeacher, shortTeacher, teacherIdentity } from '@zeroseg/core/zeroseg';
import type { ModelChoice } from '../messages.ts';
import { type ClipWay, clipNotes, ownTextNotes, studentNotes } from './describe.ts';
import type { OpenedModel } from './opened-model.ts';

/** A model that can be opened. */
export interface Usable {
  readonly id: string;
  readonly name: string;
  readonly opened: OpenedModel;
  /** SHA-256 over a CLIP's weights: reads them, the first time. */
  hash(): Promise<string>;
}

type Clip = Usable & { readonly opened: OpenedModel & { readonly kind: 'clip' } };
type Student = Usable & { readonly opened: OpenedModel & { readonly kind: 'zeroseg' } };

/** The student that the page brings, with its teacher: `built-in`. */
export const builtIn = { student: 'built-in', teacher: 'built-in-teacher' } as const;

/** How a choice is told from others: a student and a CLIP, or a CLIP and a way. */
export interface Parts {
  readonly model?: string;
  readonly clip?: string;
  readonly mode?: ClipWay;
}

export function partsOf(choice: string): Parts {
  if (choice === builtIn.student) return { model: builtIn.student, clip: builtIn.teacher };
  const [, clip, mode] = /^(.+):(crops|maskclip|sclip|clearclip|naclip)$/.exec(choice) ?? [];
  if (clip !== undefined) return { clip, mode: mode as ClipWay };
  const [model = '', other] = choice.split('+');
  return { model, ...(other !== undefined && { clip: other }) };
}

export async function choicesOf(models: readonly Usable[]): Promise<ModelChoice[]> {
  const clips = models.filter((one): one is Clip => one.opened.kind === 'clip');
  const choices: ModelChoice[] = [];
  for (const one of models) {
    if (one.opened.kind === 'zeroseg') choices.push(...(await studentChoices(one as Student, clips)));
    if (one.opened.kind === 'groupvit' || one.opened.kind === 'segclip') {
      choices.push({ id: one.id, title: one.name, uses: [one.id], notes: ownTextNotes(one.opened.facts) });
    }
  }
  for (const { id, name, opened } of clips) {
    for (const [mode, way] of [
      ['maskclip', 'patch by patch'],
      ['sclip', 'patch by patch (SCLIP)'],
      ['clearclip', 'patch by patch (ClearCLIP)'],
      ['naclip', 'patch by patch (NACLIP)'],
      // At the end: a hundred times the work.
      ['crops', 'crop by crop'],
    ] as const) {
      const notes = clipNotes(opened.facts, mode);
      choices.push({ id: `${id}:${mode}`, title: `${name}, ${way}`, uses: [id], notes });
    }
  }
  return choices;
}

/** A student with its teacher or, where that is not here, with others of the same width: copies of it, perhaps. */
async function studentChoices(student: Student, clips: readonly Clip[]): Promise<ModelChoice[]> {
  const { id, name, opened } = student;
  const { facts, teacher } = opened;
  const choice = (clip: Clip, title: string, more: string[] = []): ModelChoice => ({
    id: id === builtIn.student ? id : `${id}+${clip.id}`,
    title,
    uses: [id, clip.id],
    notes: [...studentNotes(facts, clip.opened.facts), ...more],
  });
  if (id === builtIn.student) {
    const own = clips.find((clip) => clip.id === builtIn.teacher);
    return own ? [choice(own, name)] : [];
  }
  const fitting = clips.filter((clip) => clip.opened.facts.width === facts.width);
  for (const clip of teacher === '' ? [] : fitting) {
    if (sameTeacher(teacher, teacherIdentity(clip.name, await clip.hash()))) return [choice(clip, name)];
  }
  const wanted = teacher === '' ? 'its file does not say which' : shortTeacher(teacher);
  if (fitting.length === 0) {
    const problem = `Its teacher is not here: a CLIP whose embeddings have ${facts.width} values (${wanted}). Add that CLIP.`;
    return [{ id, title: name, uses: [id], notes: [], problem }];
  }
  const note =
    teacher === ''
      ? 'Its file does not say which CLIP was its teacher: words mean something only with that one.'
      : `Its teacher, ${wanted}, is not here; this CLIP has the same width, and is right only if it is a copy of it.`;
  return fitting.map((clip) => choice(clip, `${name} with ${clip.name}`, [note]));
}
