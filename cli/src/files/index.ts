export { FileError, writeFileAtomic } from './files.ts';
export { LockError } from './folder-lock.ts';
