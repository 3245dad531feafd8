export { checkKept, clearFolder, refuseOthers } from './demo-folder.ts';
export { NEW, prepareStudy, STUDY_GRIDS, type StudyOptions } from './prepare-study.ts';
export { cacheSceneViews, paintScenes } from './scene-data.ts';
