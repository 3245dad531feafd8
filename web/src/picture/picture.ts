/** The picture that is open, one for all tools: the tool that opens another says so here, the next one takes it over. */
import { type Signal, signal } from '@preact/signals';
import { engine, held } from '../engine/client.ts';
import type { Sample } from './samples.ts';

export interface Picture {
  readonly file: Blob;
  readonly name: string;
  /** What is in it, where that is known. */
  readonly words?: readonly string[] | undefined;
}

export const picture: Signal<Picture | undefined> = signal(undefined);
/** The model that looks at it. */
export const model: Signal<string> = signal('built-in');

const scenes = held(() => engine.scenes());

/** How a tool takes a picture, or one that is still being fetched. */
export type OpenPicture = (given: Picture | Promise<Picture>) => Promise<void>;

export async function fetchSample({ url, title, file, words }: Sample): Promise<Picture> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${title} could not be loaded (${response.status}); reload the page`);
  return { file: await response.blob(), name: file, words };
}

/** A scene that nobody has seen yet, and what is in it as words. */
export async function drawScene(): Promise<Picture> {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const { png, words } = await (await scenes()).draw(seed);
  return { file: png, name: `scene ${seed}`, words };
}
