export { readBounded } from './bounded-read.ts';
export { FileError } from './file-error.ts';
export {
  hashFiles,
  isLeftover,
  isLeftoverOf,
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
export { FolderLock, LockError, lockFile } from './folder-lock.ts';
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
export { isSystemError } from './system-error.ts';
