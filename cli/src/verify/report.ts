import { DeviceError, type DType, type HostArray, type Shape, ZeroSegError } from '@zeroseg/core';
import { formatShape, sameShape, shownValue, size, toInt32, type WritableTensor } from '@zeroseg/core/internal';
import { type StoredTensor, toFloat32 } from '@zeroseg/core/nn';
/** One thing that was checked. */
export interface VerifyRow {
  /** The manifest's name. */
  readonly manifest: string;
  /** What belongs together in a table: an op, or the part of a model such as `act` or `grad`. */
  readonly family: string;
  /** The tensor or rule. */
  readonly name: string;
  /** `max |got − want| / max |want|`; for integers and label maps the fraction of elements that differ. */
  readonly error: number;
  readonly tolerance: number;
  readonly pass: boolean;
  /** Why it failed, or what was compared in a way of its own. */
  readonly note?: string;
}

/** What an implementation computed. Integers as any array of whole numbers. */
export interface Computed {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

/** The tensors of one fixture file. */
export type FixtureTensors = ReadonlyMap<string, StoredTensor>;

/** A fixture asks for something in a way that cannot be followed; becomes a failed row. */
export class FixtureError extends ZeroSegError {
  override readonly name = 'FixtureError';
  readonly code = 'fixture';
}

const integers: ReadonlySet<string> = new Set(['I64', 'I32', 'I16', 'I8', 'U64', 'U32', 'U16', 'U8', 'BOOL']);

/** Whether a stored tensor holds whole numbers, which must be equal. */
export function isInteger(stored: StoredTensor): boolean {
  return integers.has(stored.dtype);
}

export interface CompareOptions {
  /** Elements that are left out of the comparison (true). */
  readonly skip?: (i: number) => boolean;
  /** Measure against this magnitude instead of the largest of the expected values. */
  readonly magnitude?: number;
  /** Integers only: the fraction of elements that may differ. Default: none. */
  readonly mayDiffer?: number;
  readonly note?: string;
}

/** Collects the rows of one manifest and what was computed for it. */
export class Report {
  readonly manifest: string;
  readonly rows: VerifyRow[] = [];
  /** By file of the fixture, then by key. */
  readonly outputs: Map<string, Map<string, WritableTensor>> = new Map();
  readonly #onRow: ((row: VerifyRow) => void) | undefined;

  constructor(manifest: string, onRow?: (row: VerifyRow) => void) {
    this.manifest = manifest;
    this.#onRow = onRow;
  }

  add(family: string, name: string, result: { error: number; tolerance: number; pass: boolean; note?: string }): void {
    const row: VerifyRow = { manifest: this.manifest, family, name, ...result };
    this.rows.push(row);
    this.#onRow?.(row);
  }

  fail(family: string, name: string, note: string): void {
    this.add(family, name, { error: Number.POSITIVE_INFINITY, tolerance: 0, pass: false, note });
  }

  /** A rule: both sides must be the same JSON. */
  equal(family: string, name: string, got: unknown, want: unknown): void {
    const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
    if (a === b) {
      this.add(family, name, { error: 0, tolerance: 0, pass: true });
      return;
    }
    let note = `got ${shorten(a)}, expected ${shorten(b)}`;
    if (Array.isArray(got) && Array.isArray(want)) {
      const texts = (list: unknown[]) => list.map((item) => JSON.stringify(item));
      const [ours, theirs] = [texts(got), texts(want)];
      const at =
        ours.length < theirs.length
          ? theirs.findIndex((text, i) => text !== ours[i])
          : ours.findIndex((text, i) => text !== theirs[i]);
      note = `element ${at} is ${shorten(ours[at])}, expected ${shorten(theirs[at])}`;
    }
    this.fail(family, name, note);
  }

  /** A number of the manifest against its tolerance, relative to itself. */
  number(family: string, name: string, got: number, want: unknown, tolerance: number): void {
    if (typeof want !== 'number') {
      this.fail(family, name, `the manifest must have a number; it has ${shownValue(want)}`);
      return;
    }
    const error = relative(Math.abs(got - want), Math.abs(want));
    const note = `got ${got}, expected ${want}`;
    this.add(
      family,
      name,
      error <= tolerance ? { error, tolerance, pass: true } : { error, tolerance, pass: false, note },
    );
  }

  /** Numbers that are measured against a magnitude of their own. */
  scaled(
    family: string,
    name: string,
    got: ArrayLike<number>,
    want: ArrayLike<number>,
    { tolerance, magnitude, note }: { tolerance: number; magnitude: number; note?: string },
  ): void {
    let error = 0;
    let at = 0;
    for (let i = 0; i < want.length; i++) {
      const off = relative(Math.abs((got[i] as number) - (want[i] as number)), magnitude);
      if (off > error) [error, at] = [off, i];
    }
    const pass = error <= tolerance;
    const words = pass ? note : `element ${at} is ${got[at]}, expected ${want[at]}${note ? ` (${note})` : ''}`;
    this.add(family, name, { error, tolerance, pass, ...(words === undefined ? {} : { note: words }) });
  }

  /** Runs a part; what it throws becomes a failed row, except for a GPU that is gone. */
  async part(family: string, name: string, body: () => Promise<void> | void): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      // Anything but an error for users is a mistake of this program, and says so: the other parts are verified all the same.
      const isKnown = error instanceof ZeroSegError;
      this.fail(
        family,
        name,
        isKnown ? error.message : `unexpected error: ${error instanceof Error ? error.stack : error}`,
      );
    }
  }

  /** Keeps what was computed, under the fixture's own key, for `--out`. */
  keep(file: string, key: string, got: Computed, integer: boolean): void {
    const tensors = this.outputs.get(file) ?? new Map<string, WritableTensor>();
    this.outputs.set(file, tensors);
    const { shape } = got;
    tensors.set(
      key,
      integer
        ? { dtype: 'I32', shape, data: Int32Array.from(got.data) }
        : { dtype: 'F32', shape, data: Float32Array.from(got.data) },
    );
  }
}

/** One file of a fixture: what is taken from it, and what is compared with it. What nobody asked for shows at the end. */
export class FixtureFile {
  readonly name: string;
  readonly #tensors: FixtureTensors;
  readonly #report: Report;
  readonly #used = new Set<string>();

  constructor(name: string, tensors: FixtureTensors, report: Report) {
    this.name = name;
    this.#tensors = tensors;
    this.#report = report;
  }

  keys(prefix = ''): string[] {
    return [...this.#tensors.keys()].filter((key) => key.startsWith(prefix));
  }

  has(key: string): boolean {
    return this.#tensors.has(key);
  }

  /** A tensor that must be there, of a given shape if the caller knows it. */
  get(key: string, shape?: Shape): StoredTensor {
    const found = this.#tensors.get(key);
    if (!found) throw new FixtureError(`${this.name} has no tensor '${key}'`);
    this.#used.add(key);
    if (shape && !sameShape(found.shape, shape)) {
      throw new FixtureError(`${this.name}: '${key}' is ${formatShape(found.shape)}; expected ${formatShape(shape)}`);
    }
    return found;
  }

  floats(key: string, shape?: Shape): Float32Array {
    return toFloat32(this.get(key, shape)).slice();
  }

  /** Says that the manifest knows these keys, whatever comes of them. */
  know(keys: Iterable<string>): void {
    for (const key of keys) this.#used.add(key);
  }

  /** Compares with the tensor `key`: integers must be equal, floats agree to `tolerance`. */
  check(family: string, key: string, got: Computed, tolerance: number, options: CompareOptions = {}): void {
    let want: StoredTensor;
    try {
      want = this.get(key);
    } catch (error) {
      this.#report.fail(family, key, (error as Error).message);
      return;
    }
    const integer = isInteger(want);
    this.#report.keep(this.name, key, got, integer);
    this.#report.add(family, key, compare(got, want, tolerance, options));
  }

  /** A failed row for every tensor that nothing was compared with: a fixture is checked whole. */
  complainAboutUnused(allowed: (key: string) => boolean = () => false): void {
    for (const key of this.#tensors.keys()) {
      if (this.#used.has(key) || allowed(key)) continue;
      this.#report.fail('unknown', key, `${this.name} has the tensor '${key}', with which nothing was compared`);
    }
  }
}

/** Holds a result against a stored tensor, by the measure of the fixtures. NaN on either side fails. */
export function compare(
  got: Computed,
  want: StoredTensor,
  tolerance: number,
  { skip, magnitude, mayDiffer = 0, note }: CompareOptions = {},
): { error: number; tolerance: number; pass: boolean; note?: string } {
  const failed = (words: string) => ({ error: Number.POSITIVE_INFINITY, tolerance, pass: false, note: words });
  if (!sameShape(got.shape, want.shape)) {
    return failed(`the result is ${formatShape(got.shape)}; expected ${formatShape(want.shape)}`);
  }
  if (got.data.length !== size(want.shape)) return failed(`the result has ${got.data.length} values`);
  const integer = isInteger(want);
  const wanted: ArrayLike<number> = integer ? toInt32(want) : toFloat32(want);

  let top = 0;
  let worst = 0;
  let at = -1;
  let different = 0;
  for (let i = 0; i < wanted.length; i++) {
    const [g, w] = [got.data[i] as number, wanted[i] as number];
    if (Number.isNaN(w)) return failed(`the fixture holds NaN at ${i}`);
    if (Number.isNaN(g)) return failed(`element ${i} is NaN; expected ${w}`);
    if (skip?.(i)) continue;
    if (Number.isFinite(w)) top = Math.max(top, Math.abs(w));
    if (g === w) continue;
    different++;
    const off = Math.abs(g - w);
    if (off > worst || at < 0) [worst, at] = [off, i];
  }
  const extra = note === undefined ? {} : { note };
  const where = () =>
    `element ${at} of ${formatShape(want.shape)} is ${got.data[at]}, expected ${wanted[at]}${note ? ` (${note})` : ''}`;
  if (integer) {
    const error = wanted.length === 0 ? 0 : different / wanted.length;
    const pass = error <= mayDiffer;
    return pass
      ? { error, tolerance: mayDiffer, pass, ...extra }
      : { error, tolerance: mayDiffer, pass, note: where() };
  }
  const error = relative(worst, magnitude ?? top);
  const pass = error <= tolerance;
  return pass ? { error, tolerance, pass, ...extra } : { error, tolerance, pass, note: where() };
}

function relative(difference: number, magnitude: number): number {
  if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  if (difference === 0) return 0;
  return magnitude > 0 ? difference / magnitude : Number.POSITIVE_INFINITY;
}

function shorten(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Values of a stored tensor as the host hands them to the GPU: integers as u32 (negative ones by their bits). */
export function hostValues(stored: StoredTensor): { data: HostArray; dtype: DType } {
  if (!isInteger(stored)) return { data: toFloat32(stored).slice(), dtype: 'f32' };
  return { data: new Uint32Array(toInt32(stored)), dtype: 'u32' };
}
