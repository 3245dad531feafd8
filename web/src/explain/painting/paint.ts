/** Drawing a square picture patch by patch. */

export interface PatchPaint {
  readonly cols: number;
  /** By patch: `'picture'` is its part of the source, a colour fills it, undefined leaves it blank. */
  readonly fill: (patch: number) => string | undefined;
  readonly source?: CanvasImageSource & { readonly width: number; readonly height: number };
  /** Between patches, as a share of one. */
  readonly gap?: number;
  /** Lines where neighbours differ in this. */
  readonly edges?: ArrayLike<number> | undefined;
  /** Patches that stand out; undefined: all alike. */
  readonly marked?: ReadonlySet<number> | undefined;
}

const FAINT = 0.25;

/** Clears a square canvas and paints it. */
export function paintPatches(context: CanvasRenderingContext2D, paint: PatchPaint): void {
  const { cols, fill, source, gap = 0, edges, marked } = paint;
  const { width: size } = context.canvas;
  context.clearRect(0, 0, size, size);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  const isAnyMarked = marked !== undefined && marked.size > 0;
  // Whole pixels, so that neighbours leave no seam.
  const cut = (i: number): number => Math.round((i * size) / cols);
  const inset = (gap * size) / cols / 2;
  const corner = (0.12 * size) / cols;
  for (let patch = 0; patch < cols * cols; patch++) {
    const what = fill(patch);
    if (what === undefined) continue;
    const [col, row] = [patch % cols, Math.floor(patch / cols)];
    const [left, top] = [cut(col) + inset, cut(row) + inset];
    const [wide, high] = [cut(col + 1) - cut(col) - 2 * inset, cut(row + 1) - cut(row) - 2 * inset];
    context.globalAlpha = isAnyMarked && !marked.has(patch) ? FAINT : 1;
    if (what === 'picture' && source) {
      const [sw, sh] = [source.width / cols, source.height / cols];
      context.drawImage(source, col * sw, row * sh, sw, sh, left, top, wide, high);
      continue;
    }
    context.fillStyle = what;
    if (gap === 0) context.fillRect(left, top, wide, high);
    else {
      context.beginPath();
      context.roundRect(left, top, wide, high, corner);
      context.fill();
    }
  }
  context.globalAlpha = 1;
  if (edges) {
    // Between two that are there: what is hidden has no edge.
    const different = (a: number, b: number): boolean => edges[a] !== edges[b] && edges[a]! >= 0 && edges[b]! >= 0;
    strokeEdges(context, cols, different, [['rgb(255 255 255 / 0.85)', size / 260]]);
  }
  if (isAnyMarked) outlinePatches(context, cols, marked);
}

/** A line around a set of patches, seen on any ground. */
export function outlinePatches(context: CanvasRenderingContext2D, cols: number, set: ReadonlySet<number>): void {
  const { width: size } = context.canvas;
  const different = (a: number, b: number): boolean => set.has(a) !== set.has(b);
  const lines: Line[] = [
    ['rgb(12 14 18 / 0.75)', Math.max(3, size / 90)],
    ['#fff', Math.max(1.5, size / 200)],
  ];
  strokeEdges(context, cols, different, lines);
}

type Line = readonly [colour: string, width: number];

function strokeEdges(
  context: CanvasRenderingContext2D,
  cols: number,
  isEdge: (a: number, b: number) => boolean,
  lines: readonly Line[],
): void {
  const { width: size } = context.canvas;
  const cut = (i: number): number => Math.round((i * size) / cols);
  context.beginPath();
  for (let row = 0; row < cols; row++) {
    for (let col = 0; col < cols; col++) {
      const patch = row * cols + col;
      // Outside counts as a patch, −1.
      if (col === 0 && isEdge(patch, -1)) line(context, 0, cut(row), 0, cut(row + 1));
      if (row === 0 && isEdge(patch, -1)) line(context, cut(col), 0, cut(col + 1), 0);
      const right = col + 1 < cols ? patch + 1 : -1;
      const below = row + 1 < cols ? patch + cols : -1;
      if (isEdge(patch, right)) line(context, cut(col + 1), cut(row), cut(col + 1), cut(row + 1));
      if (isEdge(patch, below)) line(context, cut(col), cut(row + 1), cut(col + 1), cut(row + 1));
    }
  }
  context.lineCap = 'square';
  for (const [colour, width] of lines) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

function line(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
}

/** RGBA pixels as something that can be drawn; made once for each array. */
export function asSource(pixels: Uint8ClampedArray<ArrayBuffer>): OffscreenCanvas {
  const known = sources.get(pixels);
  if (known) return known;
  const side = Math.sqrt(pixels.length / 4);
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, side, side), 0, 0);
  sources.set(pixels, canvas);
  return canvas;
}

const sources = new WeakMap<Uint8ClampedArray, OffscreenCanvas>();
