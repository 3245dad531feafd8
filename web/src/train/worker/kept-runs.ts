/** The runs that this browser keeps: where their files are, and what is said of them. */
import { type FileSystem, folderBytes, type KeptRun, opfsFileSystem, readRun } from '@zeroseg/core/zeroseg';
import type { Before, RunCard, RunHistory } from '../messages.ts';
import type { Plan } from '../plan.ts';

/** `page.json` of a run: what its page must know beside what the run says of itself. */
export interface PageRun {
  readonly title: string;
  readonly begun: string;
  readonly plan: Plan;
  /** The folder of the features, below `features`. */
  readonly features: string;
  /** Whether the teacher has seen all pictures. */
  readonly isLooked: boolean;
  /** Whether it is to train: a page that opens it goes on. */
  readonly isWanted: boolean;
  readonly before?: Before;
}

const PAGE_FILE = 'page.json';

/**
 * In the private file system of this page:
 *
 *     train/runs/ID/page.json       what was asked for
 *     train/runs/ID/run/            the run, as the library keeps it
 *     train/features/NAME/          what the teacher saw, for all runs on the same pictures
 */
export class KeptRuns {
  readonly #root: FileSystem;

  private constructor(root: FileSystem) {
    this.#root = root;
  }

  static async open(): Promise<KeptRuns> {
    return new KeptRuns(await opfsFileSystem('train'));
  }

  /** The folder of the page's own things about a run. */
  folder(id: string): FileSystem {
    return this.#root.folder(`runs/${id}`);
  }

  run(id: string): FileSystem {
    return this.folder(id).folder('run');
  }

  features(name: string): FileSystem {
    return this.#root.folder(`features/${name}`);
  }

  async page(id: string): Promise<PageRun> {
    const bytes = await this.folder(id).read(PAGE_FILE);
    return JSON.parse(new TextDecoder().decode(bytes)) as PageRun;
  }

  async write(id: string, page: PageRun): Promise<void> {
    await this.folder(id).write(PAGE_FILE, JSON.stringify(page, undefined, 2));
  }

  /** The newest first. What a page that was closed at once left behind is passed over. */
  async list(): Promise<RunCard[]> {
    const cards: RunCard[] = [];
    for (const id of (await this.#root.list('runs')).reverse()) {
      if (await this.folder(id).status(PAGE_FILE)) cards.push(await this.#card(id));
    }
    return cards;
  }

  async history(id: string): Promise<RunHistory> {
    const { title, plan, before, isWanted } = await this.page(id);
    const kept = await this.#kept(id);
    return {
      ...{ id, title, plan, before, isWanted },
      steps: kept?.steps ?? plan.steps,
      metrics: kept?.metrics ?? [],
      samples: kept?.samples.map(({ step }) => step) ?? [],
      rates: kept?.description.rates ?? [],
    };
  }

  /** A sheet of samples after a step. */
  async sheet(id: string, step: number): Promise<Blob | undefined> {
    const sample = (await this.#kept(id))?.samples.find((one) => one.step === step);
    return sample && new Blob([await this.run(id).read(sample.path)], { type: 'image/png' });
  }

  /** The trained model or, of a run that is not at its end, that of its newest checkpoint; undefined before the first. */
  async model(id: string): Promise<Blob | undefined> {
    const path = (await this.#kept(id))?.model;
    return path === undefined ? undefined : new Blob([await this.run(id).read(path)]);
  }

  /** Removes a run, and features that no other one needs. */
  async remove(id: string): Promise<void> {
    const lock = await this.folder(id).lock('remove');
    const { features } = await this.page(id);
    await lock.release();
    await this.#root.remove(`runs/${id}`);
    const others = await this.#root.list('runs');
    const used = await Promise.all(
      others.map((other) =>
        this.page(other).then(
          (page) => page.features,
          () => undefined,
        ),
      ),
    );
    if (!used.includes(features)) await this.#root.remove(`features/${features}`);
  }

  async #card(id: string): Promise<RunCard> {
    const { title, begun, plan, features } = await this.page(id);
    const kept = await this.#kept(id);
    const last = kept?.metrics.at(-1);
    return {
      ...{ id, title, begun, plan },
      steps: kept?.steps ?? plan.steps,
      done: last?.step ?? 0,
      isEnded: kept?.isEnded ?? false,
      accuracy: kept?.metrics.findLast(({ probe }) => probe?.['accuracy'] !== undefined)?.probe?.['accuracy'],
      loss: last?.loss,
      bytes: (await folderBytes(this.folder(id))) + (await folderBytes(this.features(features))),
    };
  }

  /** The run itself; undefined before it has begun. */
  async #kept(id: string): Promise<KeptRun | undefined> {
    const files = this.run(id);
    return (await files.status('config.json')) ? readRun(files) : undefined;
  }
}
