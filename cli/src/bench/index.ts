// 'zeroseg/bench': measures any device, in Node and in browsers. Nothing here may use what only one of them has.

export {
  type BenchOptions,
  type BenchProgress,
  type BenchResult,
  BUSY,
  bench,
  chooseWorkloads,
  type Row,
} from './bench.ts';
export { type BenchedDevice, benchedDevice, benchedLimits } from './benched-device.ts';
export {
  type Chart,
  type ChartText,
  chartColour,
  chartColours,
  faint,
  gridColour,
  growthChart,
  ink,
  limitChart,
  line,
  round,
  svg,
} from './charts.ts';
export { growthLines, growthPanels, measureGrowth } from './growth.ts';
export type { Limits, Probe } from './limits.ts';
export { type Clock, type Measured, Meter, type Times } from './meter.ts';
export { type Roofline, type RooflinePoint, roofAt, roofline } from './roofline.ts';
export { WHOLE_STEPS } from './steps.ts';
export { digits, limitLines, limitNote, markdownTable, rowTable, steadinessLine } from './tables.ts';
export { triedLines, tunedTable, tuneSteps } from './tuning.ts';
export { flopsOfWork, type Work, type WorkKind, workKinds, workOf } from './work.ts';
export { type Lend, lending, type Workload } from './workloads.ts';
