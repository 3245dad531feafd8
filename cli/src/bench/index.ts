export { type BenchProgress, bench, chooseWorkloads } from './bench.ts';
export {
  type Chart,
  type ChartText,
  faint,
  gridColour,
  growthChart,
  ink,
  limitChart,
  line,
  palette,
  round,
  svg,
} from './charts.ts';
export { growthLines, growthPanels, measureGrowth } from './growth.ts';
export { Meter } from './meter.ts';
export { digits, limitLines, limitNote, markdownTable, rowTable } from './tables.ts';
export { tunedTable, tuneSteps } from './tuning.ts';
