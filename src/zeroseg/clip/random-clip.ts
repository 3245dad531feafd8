import type { Device } from '../../gpu/index.ts';
import {
  type Initializer,
  normalNumber,
  ones,
  type Random,
  random,
  type Weights,
  weightsFrom,
  zeros,
} from '../../nn/layers/index.ts';
import { type Shape, size } from '../../tensor/values/index.ts';
import { TokenTable } from '../text/index.ts';
import { type ClipConfig, ClipText, ClipVision } from './towers.ts';

/**
 * CLIPs of random weights, by name: nothing to download, and no meaning either. `random-tiny` shows the whole path in
 * minutes; `random-vit-l-14` has the size of the paper's teacher, to measure what that costs.
 */
export const randomClips: Readonly<Record<string, ClipConfig>> = {
  'random-tiny': {
    vision: { width: 64, heads: 2, layers: 2, patch: 8, image: 32 },
    text: { width: 64, heads: 2, layers: 2, vocab: 49408, context: 77 },
    projection: 64,
    activation: 'quick_gelu',
    layer_norm_eps: 1e-5,
  },
  'random-vit-l-14': {
    vision: { width: 1024, heads: 16, layers: 24, patch: 14, image: 224 },
    text: { width: 768, heads: 12, layers: 12, vocab: 49408, context: 77 },
    projection: 768,
    activation: 'quick_gelu',
    layer_norm_eps: 1e-5,
  },
};

/** The image tower of a random CLIP. */
export function randomClipVision(device: Device, config: ClipConfig, seed = 0): ClipVision {
  return new ClipVision(lively(device, seed, 'vision'), config);
}

/** The text tower of a random CLIP. */
export function randomClipText(device: Device, config: ClipConfig, seed = 0): ClipText {
  const { vocab, width } = config.text;
  const table = spread(1)([vocab, width], random(seed, 'text.table'));
  return new ClipText(lively(device, seed, 'text'), config, new TokenTable(table, width));
}

/**
 * Weights of variance 1 / inputs instead of CLIP's 0.02 at the start of training, with which every photo would come out
 * nearly the same. Features must differ between photos, or there is nothing to learn from them; here the cosines between
 * photos lie around 0.8. (Wilder weights give 0.4, and features that a student cannot predict: it then learns their mean.)
 */
function lively(device: Device, seed: number, tower: string): Weights {
  return weightsFrom(device, (name, shape) => initial(name)(shape, random(seed, `${tower}.${name}`)));
}

function initial(name: string): Initializer {
  if (name.endsWith('.bias')) return zeros;
  if (name.startsWith('norm') || /\.norm(s\.)?\d*\.weight$/.test(name)) return ones;
  if (name === 'positions' || name === 'class_embedding') return spread(0.5);
  return (shape, uniform) => spread(1 / Math.sqrt(size(shape.slice(1))))(shape, uniform);
}

/** Normal numbers; a large ViT has 300 million of them, so no closure per element. */
function spread(deviation: number): Initializer {
  return (shape: Shape, uniform: Random) => {
    const out = new Float32Array(size(shape));
    for (let i = 0; i < out.length; i++) out[i] = deviation * normalNumber(uniform);
    return out;
  };
}
