/** The tools of the page: one folder and one line each. The first is loaded with the page, the others when they are opened. */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { SegmentPage } from '../segment/segment-page.tsx';
import { address } from './address.ts';

export interface Tool {
  /** In the address: `#train`. */
  readonly id: string;
  /** In the navigation. */
  readonly title: string;
  /** Whether it has something to show in a browser without WebGPU. Default false. */
  readonly worksWithoutGpu?: boolean;
  /** Default true. */
  readonly usesGpu?: boolean;
  readonly load: () => Promise<ComponentType> | ComponentType;
}

export const tools: readonly [Tool, ...Tool[]] = [
  { id: 'segment', title: 'Segment', worksWithoutGpu: true, load: () => SegmentPage },
  { id: 'train', title: 'Train', load: async () => (await import('../train/train-page.tsx')).TrainPage },
  { id: 'how', title: 'How it works', load: async () => (await import('../explain/explain-page.tsx')).ExplainPage },
  { id: 'bench', title: 'Bench', load: async () => (await import('../bench/bench-page.tsx')).BenchPage },
  {
    id: 'study',
    title: 'Study',
    usesGpu: false,
    load: async () => (await import('../study/study-page.tsx')).StudyPage,
  },
];

/** The tool that is open: the one that the address names, or the first. */
export const openTool: ReadonlySignal<Tool> = computed(
  () => tools.find(({ id }) => id === address.value.id) ?? tools[0],
);
