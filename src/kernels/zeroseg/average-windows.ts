import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
  tensor,
} from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';

/**
 * Maps of overlapping windows as one: at each pixel the mean over the windows that cover it, 0 where none does. `x` `[W, K, h, w]`, `corners`
 * `[top, left]` of each window → `[1, K, height, width]`. It has no gradient.
 *
 * ```ts
 * const map = averageWindows(windows, [[0, 0], [0, 112]], 224, 336); // windows [2, K, 224, 224]
 * ```
 *
 * @throws ShapeError when there are other corners than windows, or a window sticks out.
 */
export function averageWindows(
  x: Tensor,
  corners: readonly (readonly [top: number, left: number])[],
  height: number,
  width: number,
): Tensor {
  const [W = 0, K = 0, h = 0, w = 0] = x.shape;
  const fits = corners.every(([top, left]) => top >= 0 && left >= 0 && top + h <= height && left + w <= width);
  if (x.shape.length !== 4 || corners.length !== W || !fits) {
    throw new ShapeError(
      'averageWindows',
      `x must be [W, K, h, w] with a corner for each of W windows inside of ${height} × ${width}; got ${corners.length} corners`,
      { x: x.shape },
    );
  }
  const y = empty(x, [1, K, height, width]);
  const places = tensor(x.device, Uint32Array.from(corners.flat()));
  dispatch(average, { x, places, y }, { ...elementsOf(x.device, 4 * y.size), windows: W, K, h, w, height, width });
  return y;
}

// An element per pixel and map.
const average = /*#__PURE__*/ kernel({
  name: 'average windows',
  bind: { x: 'read T', places: 'read u32', y: 'write T' },
  params: { ...elementParams, windows: 'u32', K: 'u32', h: 'u32', w: 'u32', height: 'u32', width: 'u32' },
  override: elementOverride,
  grid: elementGrid,
  wgsl: elementLoop(`
    let line = i / params.width;
    let column = i - line * params.width;
    let k = line / params.height;
    let row = line - k * params.height;
    var sum = 0.0;
    var count = 0.0;
    for (var n = 0u; n < params.windows; n++) {
      // Of a pixel before the window these are too large.
      let down = row - places[2u * n];
      let across = column - places[2u * n + 1u];
      if (down < params.h && across < params.w) {
        sum += f32(x[((n * params.K + k) * params.h + down) * params.w + across]);
        count += 1.0;
      }
    }
    y[i] = T(sum / max(count, 1.0));`),
});
