export { EvaluationFolder } from './evaluation-folder.ts';
export { resultTable } from './result-table.ts';
