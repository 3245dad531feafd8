// 'zeroseg/gpu-model': what a kernel would do on a GPU, found without one. Nothing here may use what only Node or only browsers have.

export type { Counts, Lanes, SiteCounts } from './counts.ts';
export { type CountedLaunch, countLaunch, launchesOnGpu } from './model.ts';
