export { RunError } from './run-description.ts';
export { findModel, RunFolder } from './run-folder.ts';
