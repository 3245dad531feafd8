export { fits, fittingMicro } from './costs.ts';
export { type DeviceMemory, estimatedMemory } from './device-memory.ts';
export { ASSUMED_SHARE, measuredDevice, namedDevice, type PlanDevice, planDeviceNames } from './devices.ts';
export type { Duration } from './durations.ts';
export { type Plan, type PlanOptions, planRun } from './plan.ts';
export { efficiency, type LinkName, links, type StepParts } from './ranks.ts';
export { scalingChart } from './scaling-chart.ts';
