/**
 * The page's worker: the device, the models, and the working part of each tool. What the first view does not need is loaded when
 * it is asked for: `train: later(async () => new (await import('../train/worker/tool.ts')).TrainTool(gpu))`, and
 * `const tool = held(() => engine.train())` and `await (await tool()).start()` on the page.
 */
import { expose, type ProxyMarked, proxy } from 'comlink';
import { RecordedRun } from '../segment/worker/recorded.ts';
import { SegmentTool } from '../segment/worker/tool.ts';
import { Gpu } from './gpu.ts';
import { Models } from './models.ts';

const gpu = new Gpu();
const models = new Models(gpu);

/** A part that is made when it is first asked for, and once. */
function later<T extends object>(make: () => Promise<T>): () => Promise<T & ProxyMarked> {
  let made: Promise<T & ProxyMarked> | undefined;
  return () => {
    made ??= make().then(proxy);
    made.catch(() => {
      made = undefined; // the next call tries again
    });
    return made;
  };
}

const scenes = later(async () => new (await import('./scenes.ts')).Scenes());

const engine = {
  gpu: proxy(gpu),
  scenes,
  bench: later(async () => new (await import('../bench/tool.ts')).BenchTool()),
  study: later(async () => (await import('../study/tool.ts')).StudyTool.open()),
  recorded: proxy(new RecordedRun()),
  shelf: proxy(models.shelf),
  segment: proxy(new SegmentTool(gpu, models)),
  train: later(
    async () => new (await import('../train/worker/tool.ts')).TrainTool(gpu, async () => (await scenes()).atlas()),
  ),
  explain: later(async () => new (await import('../explain/tool.ts')).ExplainTool(gpu, models)),
};

export type Engine = typeof engine;

expose(engine);
