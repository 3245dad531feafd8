export { findModel, RunError, RunFolder } from './run-folder.ts';
