// What is made of the tiles of `tile-kernel.ts`: those for operands in f16, and others. Loaded on demand, with those for Apple's GPUs.
import { directWgsl } from './direct-tiles.ts';
import type { WgslTools } from './kernel-interface.ts';
import type { TileSpec } from './tile-kernel.ts';

/**
 * The tiles that a device takes: what a program has asked for, or by the vendor. Workgroup memory bounds Apple's GPUs, and halves take half of
 * it; on others widening them costs what that saves, by the model of GPUs. Large tiles of f32 in whole vec4s are there those of `direct-tiles.ts`.
 */
export function formed(wgsl: string, spec: TileSpec, tools: WgslTools): string {
  const { form, threadTile, a, b, epilogue } = spec;
  if (typeof form === 'object') return form.wgsl(wgsl, spec, { ...tools, halfTiles });
  if (/^f16app/.test(form)) return halfTiles(wgsl, spec);
  const isFour = a.four && b.four && epilogue.four;
  return /^f32app/.test(form) && isFour && threadTile === 8 ? directWgsl(spec, tools) : wgsl;
}

/**
 * Operands lie in workgroup memory as they are, in half of it, and are widened where they are multiplied: to the bit what the tiles of f32
 * compute. `wgsl`: those, as written or without space that separates nothing.
 */
export function halfTiles(wgsl: string, { threadTile }: TileSpec): string {
  // Behind the last operand threads exchange sums, which stay f32.
  const end = wgsl.lastIndexOf('bTile[');
  const behind = wgsl.slice(end).replace(/\baTile\b/g, 'exchange');
  const exchange = behind.includes('exchange') ? `var<workgroup> exchange: array<vec4f, ${16 * threadTile + 8}>;` : '';
  return (wgsl.slice(0, end) + behind)
    .replace(/alias V ?= ?vec4f;/, `alias V = vec4h;\n${exchange}`)
    .replace(/([ab]Tile: ?array<)vec4f/g, '$1vec4h');
}
