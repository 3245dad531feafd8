/** Cells along a side of the finest grid of views: each is a pass of the teacher, and 64 × 64 of them take minutes a photo. */
export const LARGEST_GRID = 64;

/** How many grids there may be. */
export const MAX_GRIDS = 64;
