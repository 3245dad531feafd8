import { ArgumentError } from '../../gpu/index.ts';
import { hashText } from '../../nn/layers/index.ts';
import { cleanText } from './text-cleaning.ts';

/** What turns texts into rows of token ids: a `Tokenizer`, or {@link hashedTokens}. */
export interface TextTokens {
  /** One more than the largest id. */
  readonly size: number;
  /** Start, the ids of the text, end, zeros up to `context` ids. */
  row(text: string, context: number): Int32Array;
  /** Whether {@link row} keeps the whole text. */
  fits(text: string, context: number): boolean;
}

/**
 * Ids by hashing words into a vocabulary of any size, for text towers whose tokenizer is not known. Equal words get equal
 * ids; that is all the meaning they have. The two largest ids are start and end, as in CLIP.
 */
export function hashedTokens(vocabulary: number): TextTokens {
  if (!Number.isSafeInteger(vocabulary) || vocabulary < 4)
    throw new ArgumentError(`hashedTokens: the vocabulary must hold 4 ids or more; got ${vocabulary}`);
  const ids = (text: string) =>
    [...cleanText(text).matchAll(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu)].map(
      ([word]) => 1 + (hashText(word) % (vocabulary - 3)),
    );
  return {
    size: vocabulary,
    fits: (text, context) => ids(text).length + 2 <= context,
    row: (text, context) => {
      const row = new Int32Array(context);
      row.set([vocabulary - 2, ...ids(text).slice(0, context - 2), vocabulary - 1]);
      return row;
    },
  };
}
