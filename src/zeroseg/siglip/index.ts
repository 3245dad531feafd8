export { isSiglip, loadSiglipText, loadSiglipVision, siglipConfig } from './load.ts';
export { openSiglipFolder, type SiglipSource } from './open-siglip.ts';
export { type SiglipConfig, SiglipText, type SiglipTower, SiglipVision } from './towers.ts';
