export { FileError, LockError } from './errors.ts';
export {
  type FileStatus,
  type FileSystem,
  type HeldLock,
  LARGEST_READ,
  LOCK_FILE,
  type OpenFile,
} from './file-system.ts';
export { folderBytes } from './folder-bytes.ts';
export { HeldLocks } from './held-locks.ts';
export {
  brokenField,
  type Check,
  hasFields,
  isListOf,
  isMaybe,
  isNullOr,
  isNumber,
  isObject,
  isTableOf,
  isText,
  isWhole,
} from './json-fields.ts';
export { LARGEST_JSON, parseJsonFile, readJsonFile } from './json-files.ts';
export { memoryFileSystem } from './memory-file-system.ts';
export { opfsFileSystem } from './opfs.ts';
export { checkRange, checkSize, fileNames, pathNames, reasons } from './paths.ts';
