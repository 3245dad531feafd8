/** The page's worker: the device, the models, and the working part of each tool. */
import { expose, proxy } from 'comlink';
import { RecordedRun } from '../segment/recorded.ts';
import { SegmentTool } from '../segment/tool.ts';
import { Gpu } from './gpu.ts';
import { Models } from './models.ts';
import { Scenes } from './scenes.ts';

const gpu = new Gpu();
const models = new Models(gpu);

const engine = {
  gpu: proxy(gpu),
  scenes: proxy(new Scenes()),
  recorded: proxy(new RecordedRun()),
  segment: proxy(new SegmentTool(gpu, models)),
};

export type Engine = typeof engine;

expose(engine);
