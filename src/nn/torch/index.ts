export { isTorchFile, openTorch, type TorchWeights } from './open-torch.ts';
