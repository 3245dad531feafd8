/** A recorded run, for browsers without a GPU: the sample scenes as the built-in model saw them once. Naming needs no GPU. */
import { readSafetensors, type StoredTensor, toFloat32 } from '@zeroseg/core/nn';
import {
  type DividedWindow,
  type Division,
  type Image,
  type KnownWords,
  type NamingRules,
  nameSegments,
  type Vocabulary,
} from '@zeroseg/core/zeroseg';
import { decodePhoto } from '../../engine/photos.ts';
import type { Doing, ExportOptions, PhotoFacts, Segmented, Segmenting, SegmentRequest } from '../messages.ts';
import { centresOf, countsOf } from './centres.ts';

const file = new URL('../../../samples/recorded.safetensors', import.meta.url);

/** What `record-samples.mjs` says of a sample in the file's metadata. */
interface RecordedSample extends Omit<Division, 'windows'> {
  readonly file: string;
  readonly boxes: readonly DividedWindow['box'][];
}

interface Recording {
  readonly vocabulary: Vocabulary;
  /** How the model's file says that segments are named. */
  readonly naming: NamingRules;
  readonly divisions: ReadonlyMap<string, Division>;
}

export class RecordedRun implements Segmenting {
  #recording: Promise<Recording> | undefined;
  #photo: { readonly id: number; readonly name: string; readonly image: Image } | undefined;
  #photos = 0;

  async open(picture: Blob, name: string): Promise<PhotoFacts> {
    const { divisions } = await this.#load();
    if (!divisions.has(name))
      throw new Error('without a GPU there are only the sample pictures, which were looked at before');
    const image = await decodePhoto(picture, name);
    this.#photo = { id: ++this.#photos, name, image };
    return { id: this.#photos, width: image.width, height: image.height };
  }

  async segment({ photo, words, size }: SegmentRequest, onDoing: (doing: Doing) => void): Promise<Segmented> {
    onDoing({ what: 'words' });
    const { vocabulary, naming, divisions } = await this.#load();
    const { name } = this.#current(photo);
    const start = performance.now();
    const result = nameSegments(divisions.get(name) as Division, wordsOf(vocabulary, words), {
      ...naming,
      size,
    });
    const names = ['background', ...words];
    const [centres, counts] = [centresOf(result.labels), countsOf(result.labels, names.length)];
    const named = performance.now() - start;
    const known: KnownWords = {
      seen: 'drawings',
      objects: Object.fromEntries(vocabulary.names.map((one) => [one, []])),
      grounds: {},
      adjectives: [],
    };
    return { ...result, names, unknown: [], known, centres, counts, looked: undefined, named };
  }

  /** There is nothing to stop: naming is done at once. */
  stop(): void {}

  async export(request: SegmentRequest, options: ExportOptions): Promise<Blob> {
    const { image } = this.#current(request.photo);
    // Loaded when something is taken along first: the first load is small.
    const { exportResult } = await import('./exports.ts');
    return exportResult(image, await this.segment({ ...request, size: undefined }, () => {}), options);
  }

  #current(photo: number): { readonly name: string; readonly image: Image } {
    if (this.#photo?.id !== photo) throw new Error('another picture has taken its place');
    return this.#photo;
  }

  #load(): Promise<Recording> {
    this.#recording ??= load();
    this.#recording.catch(() => {
      this.#recording = undefined;
    });
    return this.#recording;
  }
}

async function load(): Promise<Recording> {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`the recorded run could not be loaded (${response.status}); reload the page`);
  const { metadata, tensors } = readSafetensors(new Uint8Array(await response.arrayBuffer()), 'recorded.safetensors');
  const stored = (name: string) => tensors.get(name) as NonNullable<ReturnType<typeof tensors.get>>;
  const floats = (name: string) => toFloat32(stored(name)).slice();
  const names: string[] = JSON.parse(metadata['names'] ?? '[]');
  const samples: RecordedSample[] = JSON.parse(metadata['samples'] ?? '[]');
  const divisions = samples.map(({ file: sample, boxes, ...division }): [string, Division] => [
    sample,
    {
      ...division,
      windows: boxes.map((box, i) => ({
        box,
        segmentOf: Uint8Array.from(toFloat32(stored(`${sample}.${i}.segmentOf`))),
        segments: floats(`${sample}.${i}.segments`),
        global: floats(`${sample}.${i}.global`),
        assignment: sharesOf(stored(`${sample}.${i}.shares`)),
      })),
    },
  ]);
  const vocabulary = { names, embeddings: floats('vocabulary'), scale: Number(metadata['scale']) };
  const naming: NamingRules = JSON.parse(metadata['naming'] ?? '{}');
  return { vocabulary, naming, divisions: new Map(divisions) };
}

function sharesOf(stored: StoredTensor): DividedWindow['assignment'] {
  const [, rows = 0, cols = 0] = stored.shape;
  return { rows, cols, shares: toFloat32(stored).slice() };
}

/** The part of a vocabulary that was asked for. */
function wordsOf({ names, embeddings, scale }: Vocabulary, words: readonly string[]): Vocabulary {
  const width = embeddings.length / names.length;
  const rows = new Float32Array(words.length * width);
  for (const [i, word] of words.entries()) {
    const at = names.indexOf(word);
    if (at < 0) throw new Error(`“${word}” is not among the ${names.length} words of the recorded run`);
    rows.set(embeddings.subarray(at * width, (at + 1) * width), i * width);
  }
  return { names: words, embeddings: rows, scale };
}
