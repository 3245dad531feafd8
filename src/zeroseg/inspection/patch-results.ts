/** What a {@link ForwardInspector} found, by patch and as a picture. */
import { argmaxColumns } from '../host/index.ts';
import { type Image, imagenetMean, imagenetStd, PixelError } from '../image/index.ts';
import type { ZeroSegConfig } from '../model/index.ts';
import type { GroupedImage, GroupStage, MaskedImage } from './forward-inspector.ts';

/** Where patches went, by the largest of either stage; −1 for a patch that the head did not see. */
export interface PatchGroups {
  /** Group and segment of each patch `[N]`. */
  readonly groupOf: Int16Array;
  readonly segmentOf: Int16Array;
  /** Segment of each group `[G]`. */
  readonly segmentOfGroup: Uint32Array;
  /** The number of each patch among the members of the first stage `[N]`. */
  readonly memberOf: Int32Array;
}

/**
 * The group and the segment of each patch of an image that a {@link ForwardInspector} looked into.
 *
 * ```ts
 * const { segmentOf } = patchGroups(model.config, seen, grouped);
 * segmentOf[0]; // the segment of the patch at the top left, or -1
 * ```
 */
export function patchGroups(
  { seg_input, seg_use_cls }: Pick<ZeroSegConfig, 'seg_input' | 'seg_use_cls'>,
  { idsKeep, idsRestore }: Pick<MaskedImage, 'idsKeep' | 'idsRestore'>,
  { stages }: Pick<GroupedImage, 'stages'>,
): PatchGroups {
  const [first, second] = stages as readonly [GroupStage, GroupStage];
  const before = seg_use_cls ? 1 : 0;
  const memberOf = Int32Array.from(idsRestore, (place, patch) => {
    if (seg_input === 'full') return before + patch;
    return place < idsKeep.length ? before + place : -1;
  });
  const groupOfMember = argmaxColumns(first.assign, first.groups, first.members);
  const segmentOfGroup = argmaxColumns(second.assign, second.groups, second.members);
  const groupOf = Int16Array.from(memberOf, (member) => (member < 0 ? -1 : groupOfMember[member]!));
  const segmentOf = groupOf.map((group) => (group < 0 ? -1 : segmentOfGroup[group]!));
  return { groupOf, segmentOf, segmentOfGroup, memberOf };
}

/** Added to the variance of a patch (MAE). */
const EPSILON = 1e-6;

/**
 * The image with its hidden patches as the decoder painted them; those that the encoder saw stay as they are. `image` is the
 * model's square, of which the pass was made.
 *
 * ```ts
 * const picture = repaintedImage(model.config, square, await inspector.see(planes, maskNoise, 0.6));
 * ```
 *
 * @throws PixelError when the image is not as large as the model's input.
 */
export function repaintedImage(
  { image: side, patch, norm_pix }: Pick<ZeroSegConfig, 'image' | 'patch' | 'norm_pix'>,
  image: Image,
  { mask, pred }: Pick<MaskedImage, 'mask' | 'pred'>,
): Image {
  if (image.width !== side || image.height !== side) {
    throw new PixelError(
      `repaintedImage: the image must be ${side} x ${side}, as the model takes it; got ${image.width} x ${image.height}`,
    );
  }
  const data = Uint8Array.from(image.data);
  if (!pred) return { ...image, data };
  const cols = side / patch;
  const values = 3 * patch * patch;
  for (const [number, hidden] of mask.entries()) {
    if (hidden === 0) continue;
    const [top, left] = [Math.floor(number / cols) * patch, (number % cols) * patch];
    const placeOf = (k: number): number => {
      const pixel = Math.floor(k / 3);
      return 3 * ((top + Math.floor(pixel / patch)) * side + left + (pixel % patch)) + (k % 3);
    };
    const normalised = (k: number): number =>
      (image.data[placeOf(k)]! / 255 - imagenetMean[k % 3]!) / imagenetStd[k % 3]!;
    const { mean, deviation } = norm_pix ? statistics(values, normalised) : { mean: 0, deviation: 1 };
    for (let k = 0; k < values; k++) {
      const value = pred[number * values + k]! * deviation + mean;
      const byte = Math.round(255 * (value * imagenetStd[k % 3]! + imagenetMean[k % 3]!));
      data[placeOf(k)] = Math.max(0, Math.min(255, byte));
    }
  }
  return { ...image, data };
}

/** Mean and (unbiased) deviation of a patch, by which MAE normalises its target. */
function statistics(count: number, value: (k: number) => number): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (let k = 0; k < count; k++) sum += value(k);
  const mean = sum / count;
  for (let k = 0; k < count; k++) squares += (value(k) - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / (count - 1) + EPSILON) };
}
