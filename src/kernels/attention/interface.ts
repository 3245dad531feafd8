// What the kernels of all variants share: parameters, and code that is repeated.
import { expBelow, notNumbers, type Piece } from '../../gpu/index.ts';

export type Operand = 'q' | 'k' | 'v' | 'y';

/** Where the rows of an operand lie: first element, and strides from image to image, from head to head, from row to row. */
export type Place = `${Operand}${'Start' | 'Image' | 'Head' | 'Row'}`;
/** `causal`: how many keys the first query sees, each next one more; 0 where all see all. */
export type Extent = 'images' | 'heads' | 'queries' | 'keys' | 'width' | 'causal';
export type Params = Record<Extent | Place, 'u32'> & { readonly scale: 'f32' };

export type AttentionParams = { readonly [K in keyof Params]: number };

export const attentionParams = {
  .../*#__PURE__*/ uniforms('images', 'heads', 'queries', 'keys', 'width', 'causal'),
  scale: 'f32',
  .../*#__PURE__*/ uniforms('qStart', 'qImage', 'qHead', 'qRow', 'kStart', 'kImage', 'kHead', 'kRow'),
  .../*#__PURE__*/ uniforms('vStart', 'vImage', 'vHead', 'vRow', 'yStart', 'yImage', 'yHead', 'yRow'),
} as Params;

function uniforms(...names: (Extent | Place)[]): Record<string, 'u32'> {
  return Object.fromEntries(names.map((name) => [name, 'u32']));
}

export const ground: Piece = {
  name: 'ground',
  needs: [expBelow, notNumbers],
  wgsl: `
const LOWEST = -3.40282346e38;
// Of the sum of a query's weights, which is at least 1: 0 if all its scores are -∞, not finite if one is NaN or ∞. Both give NaN.
fn inverseOf(sum: f32) -> f32 { return select(nanFrom(sum), 1.0 / sum, sum > 0.0 && isFinite(sum)); }
fn logOf(sum: f32) -> f32 { return select(nanFrom(sum), log(sum), sum > 0.0 && isFinite(sum)); }
fn qBase(image: u32, head: u32) -> u32 { return params.qStart + image * params.qImage + head * params.qHead; }
fn kBase(image: u32, head: u32) -> u32 { return params.kStart + image * params.kImage + head * params.kHead; }
fn vBase(image: u32, head: u32) -> u32 { return params.vStart + image * params.vImage + head * params.vHead; }
fn yBase(image: u32, head: u32) -> u32 { return params.yStart + image * params.yImage + head * params.yHead; }`,
};

export function memoize<K, V>(kernels: Map<K, V>, key: K, make: () => V): V {
  let made = kernels.get(key);
  if (!made) kernels.set(key, (made = make()));
  return made;
}

export function times(n: number, code: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => code(i)).join('\n');
}

export function list(n: number, code: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => code(i)).join(', ');
}
