export type { Archive, ArchivedFile } from './archive.ts';
export { FileTree, isArchiveName } from './file-tree.ts';
export { archivePattern, compressedPattern, openArchive } from './open-archive.ts';
