/** A grid of patches or crops in a picture. */
export interface PatchGrid {
  readonly rows: number;
  readonly cols: number;
  readonly height: number;
  readonly width: number;
}
