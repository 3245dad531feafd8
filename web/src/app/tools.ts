/** The tools of the page: one folder and one line each. The first is loaded with the page, the others when they are opened. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { SegmentPage } from '../segment/segment-page.tsx';

export interface Tool {
  /** In the address: `#train`. */
  readonly id: string;
  /** In the navigation. */
  readonly title: string;
  /** Whether it has something to show in a browser without WebGPU. Default false. */
  readonly worksWithoutGpu?: boolean;
  readonly load: () => Promise<ComponentType> | ComponentType;
}

export const tools: readonly [Tool, ...Tool[]] = [
  { id: 'segment', title: 'Segment', worksWithoutGpu: true, load: () => SegmentPage },
];

/** What the address names: `#train?epochs=3` is the tool `train`, with parameters. */
export interface Place {
  readonly tool: Tool;
  readonly parameters: URLSearchParams;
}

function placeOf(hash: string): Place {
  const [, id = '', query = ''] = /^#([^?]*)\??(.*)$/.exec(hash) ?? [];
  return { tool: tools.find((tool) => tool.id === id) ?? tools[0], parameters: new URLSearchParams(query) };
}

const current: Signal<Place> = signal(placeOf(location.hash));

/** The tool that is open. */
export const place: ReadonlySignal<Place> = current;

export function followAddress(): void {
  addEventListener('hashchange', () => {
    current.value = placeOf(location.hash);
  });
}
