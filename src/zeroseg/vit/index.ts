export { loadVit, type VitOptions, vitConfig } from './load-vit.ts';
export { type VitConfig, VitEncoder } from './vit-encoder.ts';
