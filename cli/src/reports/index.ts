export { chartFile, jsonTarget, writeChart, writeJson } from './chart-file.ts';
export { encodeFindings } from './demo-pictures.ts';
export { demoPage } from './demo-report.ts';
export { lossFigure } from './experiment-figure.ts';
export { writeExperiment } from './experiment-report.ts';
export { scoreTable } from './score-table.ts';
export { writeReport } from './training-report.ts';
