/** What an evaluation leaves to be looked at: the worst photos beside their truth, and what was taken for what. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Colour, LOCK_FILE, rounded } from '@zeroseg/core/internal';
import { ConfusionMatrix, type EvaluatedPhoto, SegmentationScore } from '@zeroseg/core/zeroseg';
import {
  FileError,
  FolderLock,
  hasFields,
  isListOf,
  isText,
  recordText,
  refuseLinks,
  systemReason,
  writeFileAtomic,
} from '../files/index.ts';
import { encodeJpeg } from '../photos/index.ts';
import { evaluationPage, type PageWords } from './evaluation-page.ts';
import type { EvaluationResult, PhotoScore } from './evaluation-result.ts';
import { photoStrip } from './photo-strip.ts';

const FORMAT = 'zeroseg-evaluation-1';
/** What messages begin with. */
const OP = 'eval --save';

/** Photos that are kept with pictures: the worst. */
const MAX_PHOTOS = 100;
/** Gathers photos while they are evaluated; writes at the end, so that a stopped evaluation leaves what was there. */
export class EvaluationFolder {
  readonly folder: string;
  readonly #lock: FolderLock;
  readonly #classes: number;
  readonly #ignore: number;
  readonly #colour: (label: number) => Colour;
  readonly #confusion: ConfusionMatrix;
  readonly #photos: PhotoScore[] = [];
  /** Pictures of the worst so far, by id. */
  readonly #pictures = new Map<string, { readonly score: number; readonly jpeg: Uint8Array }>();

  private constructor(lock: FolderLock, classes: number, ignore: number | null, colour: (label: number) => Colour) {
    this.folder = lock.folder;
    this.#lock = lock;
    this.#classes = classes;
    this.#ignore = ignore ?? -1;
    this.#colour = colour;
    this.#confusion = new ConfusionMatrix(classes, this.#ignore);
  }

  /** Takes the folder's lock: to be closed. @throws FileError for a folder that holds anything but an earlier evaluation. */
  static async open(
    folder: string,
    options: { readonly classes: number; readonly ignore: number | null; colour(label: number): Colour },
  ): Promise<EvaluationFolder> {
    await refuseOthers(folder);
    const lock = await FolderLock.take(OP, folder);
    try {
      await refuseOthers(folder);
    } catch (error) {
      await lock.release();
      throw error;
    }
    return new EvaluationFolder(lock, options.classes, options.ignore, options.colour);
  }

  /** Lets others write. */
  async close(): Promise<void> {
    await this.#lock.release();
  }

  async add(photo: EvaluatedPhoto): Promise<void> {
    const { id, labels, prediction } = photo;
    const score = new SegmentationScore(this.#classes, this.#ignore);
    score.add(prediction.data, labels.data);
    this.#confusion.add(prediction.data, labels.data);
    const ious = score.iou();
    const meanIou = score.meanIou();
    this.#photos.push({
      id,
      mean_iou: meanIou,
      pixel_accuracy: score.pixelAccuracy(),
      classes: ious.flatMap((iou, label) =>
        iou === null ? [] : { label, iou, pixels: score.labelled[label]!, predicted: score.predicted[label]! },
      ),
    });
    if (meanIou === null) return;
    if (this.#pictures.size >= MAX_PHOTOS) {
      const [best] = [...this.#pictures]
        .map(([known, { score: of }]) => ({ id: known, mean_iou: of }))
        .sort((x, y) => worstFirst(y, x));
      if (!best || worstFirst(best, { id, mean_iou: meanIou }) < 0) return;
      this.#pictures.delete(best.id);
    }
    this.#pictures.set(id, { score: meanIou, jpeg: await encodeJpeg(photoStrip(photo, this.#ignore, this.#colour)) });
  }

  /** Writes `evaluation.html`, `evaluation.json` and `photos/`; returns the page's path. */
  async write(result: EvaluationResult, words: PageWords): Promise<string> {
    const within = { within: this.folder, lock: this.#lock };
    await this.#lock.check();
    await refuseLinks(this.folder, 'photos');
    for (const file of (await earlierFiles(this.folder)) ?? []) {
      if (/^photos\/\d+\.jpg$/.test(file)) await rm(join(this.folder, file), { force: true });
    }
    const sorted = this.#photos.sort(worstFirst);
    const photos: PhotoScore[] = [];
    for (const [i, photo] of sorted.entries()) {
      const picture = this.#pictures.get(photo.id);
      const file = picture && `photos/${i + 1}.jpg`;
      if (picture && file) await writeFileAtomic(join(this.folder, file), picture.jpeg, within);
      photos.push(file ? { ...photo, file } : photo);
    }
    const { classes, counts } = this.#confusion;
    const rows = Array.from({ length: classes }, (_, c) => [...counts.subarray(c * classes, (c + 1) * classes)]);
    const fields = {
      format: FORMAT,
      ...result,
      files: photos.flatMap(({ file }) => file ?? []),
      confusion: rows,
      worst_first: rounded(photos),
    };
    const page = join(this.folder, 'evaluation.html');
    await writeFileAtomic(page, evaluationPage(words, result, photos, this.#confusion, this.#colour), within);
    await writeFileAtomic(join(this.folder, 'evaluation.json'), recordText(fields), within);
    return page;
  }
}

async function refuseOthers(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    const reason = error.code === 'ENOTDIR' ? 'this is a file; give a folder' : systemReason(error);
    throw new FileError(OP, folder, reason, { cause: error });
  });
  if (entries.some((name) => !name.startsWith('.') && name !== LOCK_FILE) && !(await earlierFiles(folder))) {
    throw new FileError(OP, folder, 'there is something else in this folder; give a new one');
  }
}

/** By their scores, those without one last; of the same scores by their ids. */
function worstFirst(a: Pick<PhotoScore, 'id' | 'mean_iou'>, b: Pick<PhotoScore, 'id' | 'mean_iou'>): number {
  const [x, y] = [a.mean_iou ?? 2, b.mean_iou ?? 2];
  return x - y || (a.id < b.id ? -1 : 1);
}

/** The pictures of an earlier evaluation in a folder; undefined where there is none. */
async function earlierFiles(folder: string): Promise<readonly string[] | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(join(folder, 'evaluation.json'), 'utf8'));
    const isOurs = hasFields({ format: (value) => value === FORMAT, files: isListOf(isText) })(found);
    return isOurs ? (found as { files: string[] }).files : undefined;
  } catch {
    return undefined;
  }
}
