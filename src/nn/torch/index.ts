export { openTorch, type TorchWeights } from './open-torch.ts';
