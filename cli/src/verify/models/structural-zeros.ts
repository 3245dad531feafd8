import type { Fields } from '../manifest.ts';
import type { FixtureFile } from '../report.ts';

/**
 * A gradient that is zero in exact arithmetic is compared with the largest gradient of the whole model: here rounding may
 * leave this much.
 */
export const STRUCTURAL_ZERO = 1e-5;

/** Gradients that are zero in exact arithmetic: whole tensors, and rows of fused biases. */
export interface Zeros {
  readonly names: ReadonlySet<string>;
  readonly rows: ReadonlyMap<string, readonly [number, number]>;
  /** The largest gradient of the whole model. */
  readonly largest: number;
}

export function structuralZeros(manifest: Fields, file: FixtureFile): Zeros {
  const names = new Set(manifest.has('zero_gradient') ? (manifest.list('zero_gradient') as string[]) : []);
  const rows = new Map<string, readonly [number, number]>();
  if (manifest.has('zero_gradient_rows')) {
    const fields = manifest.object('zero_gradient_rows');
    for (const name of fields.keys()) {
      const [from = 0, to = 0] = fields.numbers(name);
      rows.set(name, [from, to]);
    }
  }
  let largest = 0;
  for (const key of file.keys('grad/'))
    for (const value of file.floats(key)) largest = Math.max(largest, Math.abs(value));
  return { names, rows, largest };
}

export function checkGradient(
  file: FixtureFile,
  key: string,
  got: { shape: readonly number[]; data: Float32Array },
  tolerance: number,
  { names, rows, largest }: Zeros,
): void {
  const name = key.slice('grad/'.length);
  const note = 'zero in exact arithmetic: relative to the largest gradient of the model';
  if (names.has(name)) {
    file.check('grad', key, got, STRUCTURAL_ZERO, { magnitude: largest, note });
    return;
  }
  const [from, to] = rows.get(name) ?? [0, 0];
  file.check('grad', key, got, tolerance, { skip: (i) => i >= from && i < to });
  if (to > from)
    file.check('grad (zero rows)', key, got, STRUCTURAL_ZERO, {
      magnitude: largest,
      note,
      skip: (i) => i < from || i >= to,
    });
}
