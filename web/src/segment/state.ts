/** What the visitor looks at: a photo, words, and what a model makes of both. */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { proxy } from 'comlink';
import { address } from '../app/address.ts';
import { gpu, support } from '../app/gpu-state.ts';
import type { GivenFile } from '../app/visitor-files.ts';
import { engine } from '../engine/client.ts';
import { sentenceOf } from '../engine/sentence.ts';
import { addModels, choiceBy, choiceOf, lookAtShelf, shelf } from '../models/state.ts';
import { model, type Picture, picture } from '../picture/picture.ts';
import { samples } from '../picture/samples.ts';
import { type Rgb, wordColour } from './colours.ts';
import type { Asker, Doing, ExportKind, Segmented } from './messages.ts';

export interface Photo {
  readonly id: number;
  readonly name: string;
  readonly file: Blob;
  /** For `<img>`. */
  readonly url: string;
  readonly width: number;
  readonly height: number;
}

/** One of two pictures that are compared: a model and a wording, and what they gave. */
export interface Side {
  readonly model: Signal<string>;
  readonly words: Signal<readonly string[]>;
  readonly result: Signal<Segmented | undefined>;
  readonly doing: Signal<Doing | undefined>;
}

/** Longer side of the label map that is shown; that of the photo is made for downloads. */
const SHOWN_SIDE = 1024;

const side = (words: readonly string[]): Side => ({
  model: signal('built-in'),
  words: signal(words),
  result: signal(undefined),
  doing: signal(undefined),
});

export const first: Side = side(samples[0].words);
export const second: Side = side(samples[0].words);

export const photo: Signal<Photo | undefined> = signal(undefined);
export const problem: Signal<string | undefined> = signal(undefined);
/** Words that are not painted. */
export const hidden: Signal<ReadonlySet<string>> = signal(new Set());
export const opacity: Signal<number> = signal(0.55);
export const outlines: Signal<boolean> = signal(true);
/** Whether words are written on their segments. */
export const written: Signal<boolean> = signal(true);
export const comparing: Signal<boolean> = signal(false);
/** Where the line between the two sides is, 0 to 1. */
export const divide: Signal<number> = signal(0.5);
/** Colours that the visitor chose. */
const chosen: Signal<ReadonlyMap<string, Rgb>> = signal(new Map());
/** Words in the order in which they first came up: a word keeps its colour. */
const seen: Signal<readonly string[]> = signal(samples[0].words);

export const isBusy: ReadonlySignal<boolean> = computed(
  () => first.doing.value !== undefined || (comparing.value && second.doing.value !== undefined),
);

export function colourOf(word: string): Rgb {
  return chosen.value.get(word) ?? wordColour(Math.max(0, seen.value.indexOf(word)));
}

export function chooseColour(word: string, colour: Rgb): void {
  chosen.value = new Map(chosen.peek()).set(word, colour);
}

/** What segments: the models in the worker or, without a GPU, the recorded run. */
const segmenting = () => (support.peek()?.isThere ? engine.segment : engine.recorded);

let opening = 0;

/** Takes a picture: decodes it in the worker and has it segmented. The one before stays where this fails. */
async function openPhoto(file: Blob, name: string, words?: readonly string[]): Promise<void> {
  const number = ++opening;
  problem.value = undefined;
  try {
    const facts = await segmenting().open(file, name);
    if (number !== opening) return;
    const before = photo.peek();
    batch(() => {
      photo.value = { ...facts, name, file, url: URL.createObjectURL(file) };
      first.result.value = undefined;
      second.result.value = undefined;
      if (words) {
        for (const one of [first, second]) setWords(one, words);
        hidden.value = new Set();
      }
    });
    if (before) URL.revokeObjectURL(before.url);
  } catch (error) {
    if (number === opening) problem.value = sentenceOf(error);
  }
}

export async function openPicture(given: Picture | Promise<Picture>): Promise<void> {
  try {
    const { file, name, words } = await given;
    await openPhoto(file, name, words);
  } catch (error) {
    problem.value = sentenceOf(error);
  }
}

/** Takes models that were dropped, and segments by the first that can be used. */
export async function openModels(given: readonly GivenFile[]): Promise<void> {
  problem.value = undefined;
  const { ids, problems } = await addModels(given);
  const choice = choiceBy(ids);
  if (choice) first.model.value = choice.id;
  const unusable = shelf.peek()?.choices.find(({ id, problem: why }) => why !== undefined && ids.includes(id));
  const said = [...problems, ...(!choice && unusable ? [`${unusable.title}: ${unusable.problem}`] : [])];
  if (said.length > 0) problem.value = said.join(' ');
}

/** A file of the first side to take along; `label` is what a cut-out shows. */
export async function exportFile(kind: ExportKind, label?: number): Promise<Blob | undefined> {
  const [current, result] = [photo.peek(), first.result.peek()];
  if (!current || !result) return undefined;
  const words = result.names.slice(1);
  const request = { asker: 'export' as const, photo: current.id, model: first.model.peek(), words };
  const colours = result.names.map(colourOf);
  const options = {
    kind,
    photoName: current.name,
    model: choiceOf(request.model)?.title ?? request.model,
    colours,
    ...(label !== undefined && { label }),
  };
  try {
    return await segmenting().export(request, options);
  } catch (error) {
    problem.value = sentenceOf(error);
    return undefined;
  }
}

export function setWords(one: Side, words: readonly string[]): void {
  batch(() => {
    one.words.value = words;
    const fresh = words.filter((word) => !seen.peek().includes(word));
    if (fresh.length > 0) seen.value = [...seen.peek(), ...fresh];
  });
}

/** What is there already is not added. */
export function addWords(one: Side, words: readonly string[]): void {
  setWords(one, [...new Set([...one.words.peek(), ...words])]);
}

export function removeWord(one: Side, word: string): void {
  setWords(
    one,
    one.words.peek().filter((other) => other !== word),
  );
}

export function toggleWord(word: string): void {
  const next = new Set(hidden.peek());
  if (!next.delete(word)) next.add(word);
  hidden.value = next;
}

/** Size of the label map that is shown: whole pixels of the screen at most, and no fewer than a small picture is enlarged to. */
export function shownSize({ width, height }: Photo): { width: number; height: number } {
  const scale = SHOWN_SIDE / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Segments a side anew whenever what it depends on changes; what is under way then is not shown any more. */
function follow(one: Side, asker: Asker, isWanted: () => boolean): void {
  let latest = 0;
  effect(() => {
    const [current, model, words] = [photo.value, one.model.value, one.words.value];
    void losses.value;
    const number = ++latest;
    if (!current || !isWanted() || words.length === 0) {
      batch(() => {
        one.doing.value = undefined;
        if (words.length === 0) one.result.value = undefined;
      });
      void segmenting().stop(asker);
      return;
    }
    const request = { asker, photo: current.id, model, words, size: shownSize(current) };
    const onDoing = (doing: Doing): void => {
      if (number === latest) one.doing.value = doing;
    };
    void segmenting()
      .segment(request, proxy(onDoing))
      .then((result) => {
        if (number !== latest) return;
        batch(() => {
          one.result.value = result;
          problem.value = undefined;
        });
      })
      .catch((error: unknown) => {
        if (number === latest) problem.value = sentenceOf(error);
      })
      .finally(() => {
        if (number === latest) one.doing.value = undefined;
      });
  });
}

/** Counts the devices that were lost: each time, what there is is segmented again on a new one. */
const losses = signal(0);
/** Lost devices that are replaced; a driver that loses more is broken. */
const MAX_LOSSES = 3;

/** The model of the first side is in the address: a link of another tool chooses one, and a reload keeps it. */
function followAddress(): void {
  effect(() => {
    const { id, parameters } = address.value;
    const wanted = parameters.get('model');
    if (id !== 'segment' || wanted === null || wanted === first.model.peek()) return;
    first.model.value = wanted;
    // It may be new on the shelf.
    void lookAtShelf();
  });
  effect(() => {
    const { id } = address.value;
    const chosen = first.model.value;
    if (id !== 'segment' && id !== '') return;
    const hash = chosen === 'built-in' ? '#segment' : `#segment?${new URLSearchParams({ model: chosen })}`;
    if (chosen !== 'built-in' || location.hash.includes('?')) history.replaceState(undefined, '', hash);
  });
}

/** Begins to segment what there is, and again on another device when one is lost. */
export function startSegmenting(): void {
  if (support.peek()?.isThere) {
    followAddress();
    void lookAtShelf();
  }
  effect(() => {
    const { choices } = shelf.value ?? {};
    if (!choices) return;
    // Of a model that was deleted.
    for (const { model } of [first, second]) {
      if (!choices.some(({ id }) => id === model.peek())) model.value = 'built-in';
    }
  });
  follow(first, 'first', () => true);
  follow(second, 'second', () => comparing.value);
  effect(() => {
    const current = photo.value;
    if (current) picture.value = { file: current.file, name: current.name, words: first.words.value };
    model.value = first.model.value;
  });
  const onLost = (): void => {
    if (losses.peek() === MAX_LOSSES) {
      problem.value = 'The GPU was lost again and again; restart the browser, or update the graphics driver.';
      return;
    }
    losses.value++;
    void engine.gpu.facts().then((facts) => {
      gpu.value = facts;
    });
  };
  void engine.gpu.onLost(proxy(onLost));
}
