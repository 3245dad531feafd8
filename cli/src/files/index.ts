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
  LOCK_FILE,
} from '@zeroseg/core/internal';
export { FileError, LockError } from '@zeroseg/core/zeroseg';
export { readBounded } from './bounded-read.ts';
export { tryLock } from './file-lock.ts';
export {
  type FileContent,
  hashFiles,
  isLeftover,
  isLeftoverOf,
  isSameFile,
  makeFolder,
  readJson,
  refuseLinks,
  standardStream,
  sweepLeftovers,
  syncFolder,
  systemReason,
  systemWords,
  temporaryName,
  type WriteOptions,
  writeFileAtomic,
  writeNamedFile,
} from './files.ts';
export { FolderLock } from './folder-lock.ts';
export { nodeFileSystem } from './node-file-system.ts';
export { recordText } from './record-text.ts';
export { followLauncher, writeError } from './standard-error.ts';
export { isSystemError } from './system-error.ts';
