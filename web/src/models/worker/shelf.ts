/** The models that there are: the page's own, those that are kept in the browser, and those that were given for this visit. */
import type { GivenFile } from '../../app/visitor-files.ts';
import { sentenceOf } from '../../engine/sentence.ts';
import type { Added, Copying, Shelf, ShelfModel, Space, Unfinished } from '../messages.ts';
import { builtIn, choicesOf, partsOf, type Usable } from './choices.ts';
import { type Entry, foundIn, keptEntry, once, ownModels } from './entries.ts';
import { givenFolders } from './given-files.ts';
import {
  type About,
  askRoom,
  finishModel,
  keptBytes,
  keptModels,
  planModel,
  removeModel,
  space,
  whileHeld,
  writeStream,
} from './kept-files.ts';
import type { OpenedModel } from './opened-model.ts';

export class ModelShelf {
  readonly #own: ReadonlyMap<string, Entry> = ownModels();
  readonly #visit = new Map<string, Entry>();
  /** Kept models that were opened before. */
  readonly #kept = new Map<string, Entry>();
  readonly #hashes = new Map<string, () => Promise<string>>();
  readonly #copies = new Map<string, AbortController>();

  async list(): Promise<Shelf> {
    const { whole, parts } = await keptModels();
    const entries = await this.#entries(whole);
    const models: ShelfModel[] = [];
    const usable: Usable[] = [];
    for (const [id, { about, place, open }] of entries) {
      const { name, files, hub } = about;
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      const model = { id, name, place, bytes, ...(hub && { hub }) };
      try {
        const opened = await open();
        models.push({ ...model, bytes: bytes || (opened.bytes ?? 0), facts: opened.facts });
        usable.push({ id, name, opened, hash: () => this.#hashOf(id, entries) });
      } catch (error) {
        models.push({ ...model, problem: sentenceOf(error) });
      }
    }
    const unfinished: Unfinished[] = [];
    for (const [id, about] of parts) {
      if (about.hub) unfinished.push(await unfinishedOf(id, about));
      // A copy of a visitor's file that a closed tab left; one that is still being made, here or in another tab, is held.
      else await whileHeld(id, () => removeModel(id)).catch(() => undefined);
    }
    return { models, unfinished, choices: await choicesOf(usable) };
  }

  /** Puts what the visitor gave on the shelf, for this visit. */
  async add(given: readonly GivenFile[]): Promise<Added> {
    const [ids, problems]: [string[], string[]] = [[], []];
    if (given.length === 0) problems.push('This folder is empty: give one with a model in it.');
    for (const folder of givenFolders(given)) {
      for (const found of await foundIn(folder)) {
        if ('problem' in found) problems.push(found.problem);
        else {
          const id = newId();
          this.#visit.set(id, found);
          ids.push(id);
        }
      }
    }
    return { ids, problems };
  }

  /** Copies a model of this visit into the browser's own file system. */
  async keep(id: string, onProgress: (copying: Copying) => void): Promise<void> {
    const entry = this.#visit.get(id);
    if (!entry?.files) throw new Error('this model is not one that was given');
    const { about, files } = entry;
    const bytes = about.files.reduce((sum, { size }) => sum + size, 0);
    await askRoom(about.name, bytes);
    await this.#copying(id, async (signal) => {
      await planModel(id, about);
      let done = 0;
      try {
        for (const { name } of about.files) {
          const stream = (files.get(name) as File).stream();
          await writeStream(id, name, 0, stream, (count) => {
            signal.throwIfAborted();
            done += count;
            onProgress({ what: 'copying', done, bytes });
          });
        }
        onProgress({ what: 'checking', done: 0, bytes });
        const opened = await entry.open();
        const hash = opened.kind === 'clip' ? await opened.clip.weightsHash() : undefined;
        await finishModel(id, { ...about, hash });
      } catch (error) {
        await removeModel(id);
        throw error;
      }
    });
    this.#visit.delete(id);
  }

  /** Takes a model off the shelf, and its files out of the browser. */
  async remove(id: string): Promise<void> {
    this.stop(id);
    this.#hashes.delete(id);
    if (this.#visit.delete(id)) return;
    this.#kept.delete(id);
    await removeModel(id);
  }

  /** Downloads a CLIP by its name on the Hugging Face Hub, or goes on with one that was interrupted: that of this `id`. */
  async download(id: string, repo: string, onProgress: (copying: Copying) => void): Promise<void> {
    await this.#copying(id, async (signal) => {
      const { planDownload, downloadModel } = await import('./hub.ts');
      const { parts } = await keptModels();
      const about = parts.get(id) ?? (await planDownload(repo, signal));
      const hash = await downloadModel(id, about, { signal, onProgress });
      await finishModel(id, { ...about, hash });
    }).catch(async (error) => {
      // Without a plan there is nothing to go on with.
      if (!(await keptModels()).parts.has(id)) await removeModel(id);
      throw error;
    });
  }

  /** Stops copying or downloading; what was downloaded stays, to go on with. */
  stop(id: string): void {
    this.#copies.get(id)?.abort(new DOMException('stopped', 'AbortError'));
  }

  space(): Promise<Space> {
    return space();
  }

  /** What `openVocabulary` takes for a choice. */
  async open(choice: string) {
    const { model, clip, mode } = partsOf(choice);
    const entries = await this.#entries(
      model === builtIn.student || (model === undefined && clip === builtIn.teacher)
        ? new Map()
        : (await keptModels()).whole,
    );
    const opened = async (id: string): Promise<OpenedModel> => {
      const entry = entries.get(id);
      if (!entry) throw new Error('this model is not here any more; choose another');
      return entry.open();
    };
    const [first, second] = await Promise.all([model && opened(model), clip && opened(clip)]);
    const source = second && second.kind === 'clip' ? second.clip : undefined;
    if (!first || first.kind === 'clip') return { clip: source, dense: mode };
    if (first.kind === 'segclip') return { model: first.file };
    if (first.kind === 'groupvit') return { model: first.file, settings: first.settings };
    // Whether they belong together was found, and said, when they could be chosen.
    return { model: first.file, clip: source, teacher: 'any' as const };
  }

  async #entries(whole: ReadonlyMap<string, About>): Promise<Map<string, Entry>> {
    for (const [id, about] of whole) {
      if (!this.#kept.has(id)) this.#kept.set(id, keptEntry(id, about));
    }
    const kept = [...this.#kept].filter(([id]) => whole.has(id));
    return new Map([...this.#own, ...kept, ...this.#visit]);
  }

  #hashOf(id: string, entries: ReadonlyMap<string, Entry>): Promise<string> {
    const known = this.#hashes.get(id) ?? once(async () => hashOf(await (entries.get(id) as Entry).open()));
    this.#hashes.set(id, known);
    return known();
  }

  async #copying(id: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    this.#copies.set(id, controller);
    try {
      await whileHeld(id, () => work(controller.signal));
    } finally {
      this.#copies.delete(id);
    }
  }
}

async function hashOf(opened: OpenedModel): Promise<string> {
  return opened.kind === 'clip' ? opened.clip.weightsHash() : '';
}

function newId(): string {
  return crypto.randomUUID().slice(0, 8);
}

async function unfinishedOf(id: string, about: About): Promise<Unfinished> {
  const there = await Promise.all(about.files.map(({ name }) => keptBytes(id, name)));
  const bytes = about.files.reduce((sum, { size }) => sum + size, 0);
  return { id, repo: about.hub?.repo ?? about.name, done: there.reduce((a, b) => a + b, 0), bytes };
}
