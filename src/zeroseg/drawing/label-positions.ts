/** Where to write a segment's name. */
export interface SegmentCentre {
  /** The class of the segment. */
  readonly label: number;
  /** A pixel well inside the segment. */
  readonly x: number;
  readonly y: number;
  /** Pixels of the segment. */
  readonly area: number;
}

/**
 * One point for each connected segment (four neighbours) of at least `smallest` pixels, largest first: far from the
 * segment's border, and among such points near its centre of mass, so that the name of a ring or a crescent does not
 * land in its hole.
 */
export function segmentCentres(
  labels: ArrayLike<number>,
  width: number,
  height: number,
  smallest = 1,
): SegmentCentre[] {
  const { segment, sums } = connect(labels, width, height);
  const inside = distanceToBorder(segment, width, height);
  const best = sums.map(() => ({ score: Number.NEGATIVE_INFINITY, x: 0, y: 0 }));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const { area, sumX, sumY } = sums[segment[at]!]!;
      const score = inside[at]! - 0.2 * Math.hypot(x - sumX / area, y - sumY / area);
      const spot = best[segment[at]!]!;
      if (score > spot.score) Object.assign(spot, { score, x, y });
    }
  }
  return sums
    .map(({ label, area }, i) => ({ label, x: best[i]!.x, y: best[i]!.y, area }))
    .filter(({ area }) => area >= smallest)
    .sort((a, b) => b.area - a.area);
}

interface Sums {
  readonly label: number;
  area: number;
  sumX: number;
  sumY: number;
}

/** Numbers the connected segments and adds up their pixels. */
function connect(labels: ArrayLike<number>, width: number, height: number): { segment: Int32Array; sums: Sums[] } {
  const segment = new Int32Array(width * height).fill(-1);
  const stack = new Int32Array(width * height);
  const sums: Sums[] = [];
  for (let start = 0; start < segment.length; start++) {
    if (segment[start] !== -1) continue;
    const label = labels[start]!;
    const sum: Sums = { label, area: 0, sumX: 0, sumY: 0 };
    const number = sums.push(sum) - 1;
    let depth = 0;
    stack[depth++] = start;
    segment[start] = number;
    while (depth > 0) {
      const at = stack[--depth]!;
      const x = at % width;
      sum.area++;
      sum.sumX += x;
      sum.sumY += (at - x) / width;
      const visit = (next: number, exists: boolean): void => {
        if (!exists || segment[next] !== -1 || labels[next] !== label) return;
        segment[next] = number;
        stack[depth++] = next;
      };
      visit(at - 1, x > 0);
      visit(at + 1, x < width - 1);
      visit(at - width, at >= width);
      visit(at + width, at < segment.length - width);
    }
  }
  return { segment, sums };
}

/** Distance of each pixel to another segment or the edge of the image, by two chamfer sweeps (1 and sqrt 2). */
function distanceToBorder(segment: Int32Array, width: number, height: number): Float32Array {
  const distance = new Float32Array(width * height);
  const near = (at: number, x: number, y: number, dx: number, dy: number): number => {
    const outside = x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height;
    const other = at + dy * width + dx;
    const step = dx !== 0 && dy !== 0 ? Math.SQRT2 : 1;
    return outside || segment[other] !== segment[at] ? step / 2 : distance[other]! + step;
  };
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      distance[at] = Math.min(
        near(at, x, y, -1, 0),
        near(at, x, y, 0, -1),
        near(at, x, y, -1, -1),
        near(at, x, y, 1, -1),
      );
    }
  }
  for (let y = height - 1, at = width * height - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--, at--) {
      distance[at] = Math.min(
        distance[at]!,
        near(at, x, y, 1, 0),
        near(at, x, y, 0, 1),
        near(at, x, y, 1, 1),
        near(at, x, y, -1, 1),
      );
    }
  }
  return distance;
}
