export { type BenchProgress, bench, chooseWorkloads } from './bench.ts';
export {
  type Chart,
  type ChartText,
  faint,
  gridColour,
  growthChart,
  ink,
  line,
  palette,
  round,
  shareChart,
  svg,
} from './charts.ts';
export { growthLines, growthPanels, measureGrowth } from './growth.ts';
export { Meter } from './meter.ts';
export { digits, limitLines, markdownTable, rowTable, shareNote } from './tables.ts';
export { tunedTable, tuneSteps } from './tuning.ts';
