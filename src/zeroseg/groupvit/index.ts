export { groupVitConfig, isGroupVit, loadGroupVitText, loadGroupVitVision } from './load.ts';
export { type GroupVitConfig, GroupVitText, GroupVitVision } from './towers.ts';
