import { type Device, DeviceError } from '../../gpu/index.ts';
import { checkDevice } from '../../tensor/graph/index.ts';
import type { TileForm } from './tile-kernel.ts';

/**
 * Lets products of f16 tensors multiply in f16 on this device, from now on, and add 16 products up in f16 before the sum becomes f32. GPUs
 * that do two multiply-adds of f16 for one of f32 take less time for it; nothing changes on CPU adapters, and nothing for products of f32.
 *
 * What it costs, for `y = Σ a b` and u = 2⁻¹¹: `|error| ≤ 16 u Σ |a b|` beside the rounding of y itself; where products have either sign,
 * 3 times the rounding of y (root of the mean square, inner axes of 64 to 4,096). **What is out of f16's range is lost on the way**,
 * though y be in it: 16 products must not add up to more than 65,504, which they cannot where `|a b| < 4094`; of products below 6e-5
 * digits are lost, and those below 3e-8 altogether. The usual sums are f32 and have no such limits, so this is off unless a program that
 * knows its numbers asks for it.
 *
 * ```ts
 * if (device.features.has('shader-f16')) useHalfSums(device);
 * ```
 *
 * @throws DeviceError on a device without `shader-f16`.
 */
export function useHalfSums(device: Device): void {
  checkDevice('useHalfSums', device);
  if (!device.features.has('shader-f16')) {
    throw new DeviceError(`useHalfSums: '${device.name}' has no f16 (shader-f16); products there are of f32`);
  }
  device.form = (dtype) => (dtype === 'f16' ? halfSums : undefined);
}

const halfSums: TileForm = {
  name: 'half sums',
  wgsl: (usual, spec, { halfTiles }) => {
    const wgsl = halfTiles(usual, spec);
    const sums = [...wgsl.matchAll(/s(\d\d) ?\+= ?a/g)].map(([, place]) => place as string);
    // Behind the last operand, of which the loops' ends are next, stands the barrier of the turn.
    const end = wgsl.indexOf('workgroupBarrier', wgsl.lastIndexOf('bTile['));
    const turn = wgsl
      .slice(0, end)
      .replace(/for ?\(var four/, `${sums.map((place) => `var h${place} = vec4h();`).join('\n')}\n$&`)
      .replace(/vec4f\(([ab]Tile\[[^\]]*\])\)/g, '$1')
      .replace(/s(\d\d) ?\+= ?a/g, 'h$1 += a');
    return `${turn}${sums.map((place) => `s${place} += vec4f(h${place});`).join('\n')}\n${wgsl.slice(end)}`;
  },
};
