import type { PhotoSource } from '../features/index.ts';
import type { SceneMaker } from './scene.ts';

/**
 * Made-up scenes as photos to compute features of, without files: scene `index` of `seed` is drawn when it is asked for. The same
 * maker, seed and count give the same photos, so a cache that was not finished goes on with them.
 *
 * ```ts
 * const source = scenePhotos(maker, { seed: 1, count: 300 });
 * await fillCache(device, { files, source, clip, grids: [1, 2, 3, 4], viewSource: 'native', studentSize: 64 });
 * ```
 */
export function scenePhotos(
  maker: SceneMaker,
  { seed, count }: { readonly seed: number; readonly count: number },
): PhotoSource {
  return {
    decoder: 'scenes',
    photos: Array.from({ length: count }, (_, index) => ({
      path: `scene-${String(index).padStart(6, '0')}`,
      status: async () => ({ size: 0, mtime: 0 }),
      bytes: async () => new Uint8Array(maker.scene(seed, index).image.data),
    })),
    // Nothing was encoded.
    decode: async (data) => {
      const side = Math.sqrt(data.length / 3);
      return { width: side, height: side, data };
    },
  };
}
