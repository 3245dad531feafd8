export { type ClipFolderOptions, clipCompanions, openClipFolder } from './folder.ts';
export {
  detectClipNames,
  loadClipText,
  loadClipVision,
  logitScale,
  readSettingTensors,
  type StoredTensors,
  trainableWeights,
} from './load.ts';
export { type ClipFiles, type ClipParts, clipSource, openClipFiles } from './open.ts';
export { filesToDownload, isAsPublished, type PublishedFile } from './published-files.ts';
export { settingsForm } from './settings.ts';
export {
  type ClipSource,
  sameTeacher,
  shortTeacher,
  type TeacherSource,
  type TextSource,
  teacherIdentity,
} from './source.ts';
export { clipConfig } from './tensor-sizes.ts';
