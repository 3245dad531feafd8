import { describe, expect, it } from 'vitest';
import { cleanText } from '../../../src/zeroseg/text/text-cleaning.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';

const tokenizer = await Tokenizer.clip();

/** Of all kinds that once took time by the square of their length, or could: text of so many characters. */
const kinds: Readonly<Record<string, (length: number) => string>> = {
  'one letter': (n) => 'a'.repeat(n),
  'one word': (n) => 'abcdefgh'.repeat(n / 8),
  'letters that no merge joins': (n) => Array.from({ length: n }, (_, i) => 'qzxjkv'[(i * 7919) % 6]).join(''),
  spaces: (n) => ' '.repeat(n),
  ampersands: (n) => '&'.repeat(n),
  entities: (n) => '&amp;'.repeat(n / 5),
  'entities in each other': (n) => `&${'amp;'.repeat(n / 4)}`,
  'numbers in each other': (n) => `&${'#38;'.repeat(n / 4)}`,
  'full-width numbers in each other': (n) => `&${'#65286;'.repeat(n / 7)}`,
  'semicolons in each other': (n) => `${'&#59'.repeat(n / 4)};`,
  'a name without end': (n) => `&${'a'.repeat(n)}`,
  'a number without end': (n) => `&#${'1'.repeat(n)};`,
  'an escape without end': (n) => `\x1b[${'1;'.repeat(n / 2)}`,
  'one mark': (n) => `a${'\u0301'.repeat(n)}`,
  'marks out of order': (n) => `a${'\u0301\u0316'.repeat(n / 2)}`,
  'marks on letters': (n) => 'a\u0301\u0316'.repeat(n / 3),
  emoji: (n) => '👩‍💻'.repeat(n / 5),
  'mixed scripts': (n) => 'aбγ字한'.repeat(n / 5),
  quotes: (n) => "'".repeat(n),
  'half of a special token': (n) => '<|'.repeat(n / 2),
};

describe('takes time that grows with the text, not with its square', { timeout: 120_000 }, () => {
  for (const [name, make] of Object.entries(kinds)) {
    it(name, () => {
      const time = (length: number): number => {
        const text = make(length);
        const began = performance.now();
        cleanText(text);
        tokenizer.encode(text);
        return performance.now() - began;
      };
      const [short, long] = [8_000, 128_000];
      time(short);
      // Sixteen times the length: a square would take 256 times as long. Garbage and neighbours on the processor take some.
      const before = Math.max(3, Math.min(time(short), time(short)));
      // Again where something else had the machine meanwhile.
      let best = Number.POSITIVE_INFINITY;
      for (let turn = 0; turn < 6 && best >= 100; turn++) best = Math.min(best, time(long) / before);
      expect(best).toBeLessThan(100);
    });
  }
});

it('long runs of marks have the normal form that short ones have', () => {
  const marks = ['\u0301', '\u0316', '\u0344', '\u0345', '\u0334', '\u0f73', '\u05b0', '\u034f', '\u093c', '\u0327'];
  for (const base of ['', 'a', 'é', 'ệ', '한', '\u0b47']) {
    const run = Array.from({ length: 300 }, (_, i) => marks[(i * 7) % marks.length]).join('');
    expect(cleanText(base + run)).toBe((base + run).normalize('NFC').toLowerCase());
  }
});

it('references in each other come to the same, however deep', () => {
  for (const depth of [1, 5, 7, 8, 9, 50]) {
    expect(cleanText(`&${'amp;'.repeat(depth)}lt;b`)).toBe('<b');
    expect(cleanText(`&am${'&#112;'.repeat(1)};${'amp;'.repeat(depth)}gt;`)).toBe('>');
    expect(cleanText(`${'&#59'.repeat(depth)}; dog`)).toBe('; dog');
  }
});
