export {
  ForwardInspector,
  type GroupedImage,
  type GroupSettings,
  type GroupStage,
  type MaskedImage,
  type PassNoise,
} from './forward-inspector.ts';
export { type PatchGroups, patchGroups, repaintedImage } from './patch-results.ts';
