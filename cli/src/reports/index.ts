export { chartFile, jsonTarget, writeChart, writeJson } from './chart-file.ts';
export { demoPage } from './demo/page.ts';
export { encodeFindings, heroFile } from './demo/pictures.ts';
export { liveScoreTable, objectsFound, stateWords } from './demo/wording.ts';
export { lossFigure } from './experiment-figure.ts';
export { writeExperiment } from './experiment-report.ts';
export { LiveReport } from './live-report.ts';
export { scoreTable } from './score-table.ts';
export { writeReport } from './training-report.ts';
