import { PCA } from 'ml-pca';

/** The share of tokens at either end that is drawn at full strength. */
const CUT = 0.03;

/**
 * Tokens as colours: red, green and blue are the three directions in which the tokens of the whole picture differ most. They are
 * found once for a picture, so that a token keeps its colour whatever is hidden around it.
 */
export class TokenColours {
  readonly #pca: PCA;
  readonly #dim: number;
  /** Where 0 and 255 are, by component. */
  readonly #ranges: readonly (readonly [number, number])[];

  constructor(tokens: Float32Array, dim: number) {
    this.#dim = dim;
    this.#pca = new PCA(rowsOf(tokens, dim), { method: 'NIPALS', nCompNIPALS: 3 });
    const projected = this.#project(tokens);
    this.#ranges = [0, 1, 2].map((component) => {
      const values = projected.map((row) => row[component]!).sort((a, b) => a - b);
      const at = (fraction: number) => values[Math.round(fraction * (values.length - 1))]!;
      return [at(CUT), at(1 - CUT)];
    });
  }

  /** Colours of the kept tokens in the places of their patches `[patches, 3]`. */
  byPatch(tokens: Float32Array, idsKeep: Uint32Array, patches: number): Uint8Array {
    const out = new Uint8Array(3 * patches);
    for (const [place, row] of this.#project(tokens).entries()) {
      for (const [component, [low, high]] of this.#ranges.entries()) {
        const fraction = (row[component]! - low) / (high - low || 1);
        out[3 * idsKeep[place]! + component] = 30 + 205 * Math.max(0, Math.min(1, fraction));
      }
    }
    return out;
  }

  #project(tokens: Float32Array): number[][] {
    return this.#pca.predict(rowsOf(tokens, this.#dim), { nComponents: 3 }).to2DArray();
  }
}

function rowsOf(tokens: Float32Array, dim: number): number[][] {
  return Array.from({ length: tokens.length / dim }, (_, row) =>
    Array.from(tokens.subarray(row * dim, (row + 1) * dim)),
  );
}

/** Kept tokens as unit vectors in the places of their patches `[patches, dim]`; their mean, which all share, is taken off. */
export function unitTokens(tokens: Float32Array, dim: number, idsKeep: Uint32Array, patches: number): Float32Array {
  const count = idsKeep.length;
  const mean = new Float64Array(dim);
  for (let at = 0; at < tokens.length; at++) mean[at % dim]! += tokens[at]! / count;
  const out = new Float32Array(patches * dim);
  for (const [place, patch] of idsKeep.entries()) {
    const row = Float64Array.from(mean, (value, i) => tokens[place * dim + i]! - value);
    const length = Math.hypot(...row) || 1;
    for (let i = 0; i < dim; i++) out[patch * dim + i] = row[i]! / length;
  }
  return out;
}
