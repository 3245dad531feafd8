export { EvaluationFolder } from './evaluation-folder.ts';
