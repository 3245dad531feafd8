import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClassText } from '../../../src/zeroseg/text/index.ts';

test('names, synonyms, colours', () => {
  expect(parseClassText(' sofa | couch=#f80 , cat = #00FF7f,dog,, wet grass ')).toEqual([
    { name: 'sofa', words: ['sofa', 'couch'], colour: [255, 136, 0] },
    { name: 'cat', words: ['cat'], colour: [0, 255, 127] },
    { name: 'dog', words: ['dog'] },
    { name: 'wet grass', words: ['wet grass'] },
  ]);
  expect(parseClassText('猫|ねこ, قط, 🐈=#123456').map(({ words }) => words)).toEqual([['猫', 'ねこ'], ['قط'], ['🐈']]);
});

test('quotes take commas, bars and signs as they are', () => {
  expect(parseClassText('"salt, pepper"|spice, "a|b", "E=mc2"=#000, "12"" ruler"')).toEqual([
    { name: 'salt, pepper', words: ['salt, pepper', 'spice'] },
    { name: 'a|b', words: ['a|b'] },
    { name: 'E=mc2', words: ['E=mc2'], colour: [0, 0, 0] },
    { name: '12" ruler', words: ['12" ruler'] },
  ]);
});

test('a file: one a line, notes behind #', () => {
  expect(
    parseClassText('\uFEFF# animals\r\ncat|kitten\r\n\r\n  # plants\ntree=#0a0\n').map(({ name }) => name),
  ).toEqual(['cat', 'tree']);
});

test('what is none is said', () => {
  const reason = (text: string) => {
    try {
      return parseClassText(text);
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(['cat, "dog', 'cat=red', '=#ff0000, dog', 'a=b'].map(reason)).toEqual([
    'a quote (") is not closed in "cat, \\"dog"',
    '"cat=red": a colour is #rrggbb, such as cat=#ff8800; got "red" (quote a name that has a =)',
    'a class has no name in "=#ff0000"',
    '"a=b": a colour is #rrggbb, such as cat=#ff8800; got "b" (quote a name that has a =)',
  ]);
});

test('any words come back from quotes', () => {
  const word = fc.string({ minLength: 1 }).filter((one) => one.trim() === one && !/[\r\n]/.test(one));
  const classes = fc.array(fc.uniqueArray(word, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(classes, (lists) => {
      const quote = (one: string) => `"${one.replaceAll('"', '""')}"`;
      const text = lists.map((words) => words.map(quote).join(' | ')).join(', ');
      expect(parseClassText(text).map(({ words }) => words)).toEqual(lists);
    }),
    { numRuns: 200 },
  );
});
