export { diagnose, diagnosisLines, isHealthy } from './doctor.ts';
export { infoJson, infoLines, inspectPlace } from './info.ts';
