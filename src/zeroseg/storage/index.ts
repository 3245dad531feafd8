export type { FileStatus, FileSystem, HeldLock } from './file-system.ts';
