import { ShapeError } from '../../tensor/values/index.ts';
/**
 * The token embeddings of a text tower on the host, and which row belongs to which token: the table of ViT-L/14 is 152 MB, more
 * than many devices bind at once, and a batch of texts needs a few hundred rows of it.
 *
 * A *sparse* table has rows for some tokens only, `[ids + 1, width]`: one for each of `ids`, and a last one for every other
 * token. So a small CLIP keeps CLIP's tokenizer of 49,408 tokens and needs no row for words it never saw.
 *
 * ```ts
 * const table = new TokenTable(new Float32Array(3 * 64), 64, Uint32Array.of(320, 49407));
 * table.row(320); // 0
 * table.row(1929); // 2: the row of all others
 * ```
 *
 * @throws ShapeError when values and ids do not fit.
 */
export class TokenTable {
  readonly values: Float32Array;
  readonly width: number;
  /** The tokens that have a row, ascending; undefined where all have. */
  readonly ids: Uint32Array | undefined;
  readonly #rows: ReadonlyMap<number, number> | undefined;

  constructor(values: Float32Array, width: number, ids?: Uint32Array) {
    const rows = values.length / width;
    if (!Number.isInteger(rows) || (ids && rows !== ids.length + 1)) {
      const rule = ids ? `a row for each of its ${ids.length} tokens and one for all others` : 'whole rows';
      throw new ShapeError('token table', `it must have ${rule} of ${width} values`, { values: [values.length] });
    }
    this.values = values;
    this.width = width;
    this.ids = ids;
    this.#rows = ids && new Map(Array.from(ids, (id, row) => [id, row]));
  }

  /** How many rows there are. */
  get length(): number {
    return this.values.length / this.width;
  }

  /** The row of a token. */
  row(id: number): number {
    return this.#rows ? (this.#rows.get(id) ?? this.length - 1) : id;
  }
}
