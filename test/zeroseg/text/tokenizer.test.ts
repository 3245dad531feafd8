import { describe, expect, test } from 'vitest';
import { CheckpointError } from '../../../src/nn/safetensors/index.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';
// Ids by openai/CLIP's simple_tokenizer.py with ftfy 6.3.1.
import reference from '../../fixtures/tokenizer.json' with { type: 'json' };

const required = reference.cases.filter((one) => !('needs_full_ftfy' in one));
const clip = await Tokenizer.clip();

/** Letters with and without word end, a merge for each row, start and end: a vocabulary as small tests have. */
function small(changes: object = {}, modelChanges: object = {}): object {
  const symbols = [
    'a',
    'b',
    'c',
    'a</w>',
    'b</w>',
    'c</w>',
    'ab',
    'ab</w>',
    'abc</w>',
    '<|startoftext|>',
    '<|endoftext|>',
  ];
  const vocab = Object.fromEntries(symbols.map((symbol, id) => [symbol, id]));
  const merges = ['a b', 'a b</w>', 'ab c</w>'];
  return { model: { type: 'BPE', end_of_word_suffix: '</w>', vocab, merges, ...modelChanges }, ...changes };
}

describe("CLIP's tokenizer", () => {
  test.each(required)('$group: $text', ({ text, ids, row, truncated }) => {
    expect(clip.encode(text)).toEqual(ids);
    expect([...clip.row(text)]).toEqual([...row, ...Array(77 - row.length).fill(0)]);
    expect(clip.fits(text)).toBe(!truncated);
  });

  test('the cases above are all but those that need the rest of ftfy', () => {
    expect(required).toHaveLength(101);
    expect(required.filter((one) => one.truncated)).toHaveLength(5);
  });

  test('49,408 ids, the last two start and end', () => {
    expect([clip.size, clip.start, clip.end]).toEqual([reference.vocabulary, reference.start, reference.end]);
  });

  test("the merges are OpenAI's, every byte of them", async () => {
    const [version, ...lines] = clip.mergesText().split('\n');
    expect(version).toBe('#version: 0.2');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(48_894);
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines.join('\n')));
    // sha256 of the lines 2 to 48,895 of bpe_simple_vocab_16e6.txt, joined by newlines
    const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
    expect(hex).toBe('f61f2adf497e6f5357c347aeb4646fabe82f341e946de5bdec5d2858e41bef4a');
  });

  test('it is made once', async () => {
    expect(await Tokenizer.clip()).toBe(clip);
  });

  test('special tokens in a text become their ids, in any case', () => {
    expect(clip.encode('a <|startoftext|>dog<|EndOfText|>')).toEqual([320, 49406, 1929, 49407]);
  });

  test('the long s ends words as s does, and a mark is no letter', () => {
    expect(clip.encode("'ſ")).toHaveLength(clip.encode('ſ').length + 1); // one piece: ', then the bytes of ſ
    expect(clip.decode(clip.encode("dog'ſ"))).toBe("dog 'ſ");
    expect(clip.decode(clip.encode('x\u0345y'))).toBe('x \u0345 y');
  });

  test('the same text gives the same ids when its words come out of the cache', () => {
    const text = 'Antidisestablishmentarianism, supercalifragilistic';
    expect(clip.encode(text)).toEqual(clip.encode(text));
    clip.encode(text).length = 0; // the caller owns what it got
    expect(clip.decode(clip.encode(text))).toBe('antidisestablishmentarianism , supercalifragilistic');
  });
});

describe('rows', () => {
  test('a text that just fits, and one that is cut', () => {
    expect([...clip.row('a dog', 4)]).toEqual([49406, 320, 1929, 49407]);
    expect(clip.fits('a dog', 4)).toBe(true);
    expect([...clip.row('a dog .', 4)]).toEqual([49406, 320, 1929, 49407]);
    expect(clip.fits('a dog .', 4)).toBe(false);
    expect([...clip.row('', 3)]).toEqual([49406, 49407, 0]);
    expect([...clip.row('dog', 2)]).toEqual([49406, 49407]);
  });

  test('a context without room for start and end is an error', () => {
    expect(() => clip.row('dog', 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: row: the context must be an integer of 2 or more, for start and end, up to 1048576; got 1]`,
    );
  });
});

describe('decoding', () => {
  test('words, signs and letters of any script come back', () => {
    for (const text of ['a photo of a dog .', 'größe', '👍🏽 ok', 'العربية', '猫 と 犬']) {
      expect(clip.decode(clip.encode(text))).toBe(text);
    }
  });

  test('a row is read from start to end', () => {
    expect(clip.decode(clip.row('two dogs'))).toBe('two dogs');
  });

  test('half a character becomes U+FFFD', () => {
    const ids = clip.encode('𒀀');
    expect(ids.length).toBeGreaterThan(1);
    expect(clip.decode(ids.slice(0, -1))).toBe('\ufffd');
  });

  test('an id that is none is an error', () => {
    expect(() => clip.decode([320, 49408])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decode: ids must be in the vocabulary of 49408; got 49408]`,
    );
    expect(() => clip.decode([0.5])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: decode: ids must be in the vocabulary of 49408; got 0.5]`,
    );
  });
});

describe('from files', () => {
  test('the list of merges alone makes the same tokenizer, with Windows line ends too', () => {
    for (const text of [clip.mergesText(), clip.mergesText().replaceAll('\n', '\r\n')]) {
      const again = Tokenizer.fromMerges(text);
      expect(again.size).toBe(49_408);
      for (const { text, ids } of required) expect(again.encode(text)).toEqual(ids);
    }
  });

  test("of OpenAI's longer list CLIP's 48,894 are used", () => {
    const more = Tokenizer.fromMerges(`${clip.mergesText()}superlong tail\n`);
    expect(more.size).toBe(49_408);
  });

  test('a few merges make 514 ids more', () => {
    const tokenizer = Tokenizer.fromMerges('#version: 0.2\na b\nab c</w>\n');
    expect(tokenizer.size).toBe(516);
    expect(tokenizer.encode('abc ab')).toEqual([513, 64, 256 + 65]);
  });

  test('a vocabulary of its own', () => {
    const { model } = small() as { model: { vocab: Record<string, number>; merges: string[] } };
    const tokenizer = Tokenizer.fromMerges(model.merges.join('\n'), model.vocab);
    expect([...tokenizer.row('abc ab cab', 11)]).toEqual([9, 8, 7, 2, 7, 10, 0, 0, 0, 0, 0]);
  });

  test('tokenizer.json, with merges of both forms, as text and parsed', () => {
    const pairs = small(
      {},
      {
        merges: [
          ['a', 'b'],
          ['a', 'b</w>'],
          ['ab', 'c</w>'],
        ],
      },
    );
    for (const json of [small(), pairs, JSON.stringify(small())]) {
      const tokenizer = Tokenizer.fromTokenizerJson(json);
      expect([tokenizer.size, tokenizer.start, tokenizer.end]).toEqual([11, 9, 10]);
      expect([...tokenizer.row('abc ab cab', 11)]).toEqual([9, 8, 7, 2, 7, 10, 0, 0, 0, 0, 0]);
      expect(tokenizer.decode([8, 7, 2, 7])).toBe('abc ab cab');
    }
  });

  test('added tokens belong to the vocabulary', () => {
    const json = small() as { model: { vocab: Record<string, number> } };
    delete json.model.vocab['<|startoftext|>'];
    delete json.model.vocab['<|endoftext|>'];
    const tokens = [
      { id: 30, content: '<|startoftext|>' },
      { id: 49, content: '<|endoftext|>' },
    ];
    const tokenizer = Tokenizer.fromTokenizerJson({ ...json, added_tokens: tokens });
    expect([tokenizer.size, tokenizer.start, tokenizer.end]).toEqual([50, 30, 49]);
  });

  test('an unknown byte becomes the unknown token, where the file has one of its own', () => {
    const json = small(
      {
        added_tokens: [
          { id: 10, content: '<unk>' },
          { id: 11, content: '<|endoftext|>' },
        ],
      },
      { unk_token: '<unk>' },
    );
    expect(Tokenizer.fromTokenizerJson(json).encode('ax')).toEqual([0, 10]);
  });

  test('an unknown byte is an error otherwise: the end token must not stand for it', () => {
    for (const unk_token of [undefined, '<|endoftext|>']) {
      const tokenizer = Tokenizer.fromTokenizerJson(small({}, { unk_token }));
      expect(() => tokenizer.encode('cab bax')).toThrowError(
        new CheckpointError('tokenizer.json', 'the vocabulary has no symbol "x</w>", which "bax" needs'),
      );
    }
  });
});

describe('bad files', () => {
  const json = (changes: object, modelChanges?: object) => () =>
    Tokenizer.fromTokenizerJson(small(changes, modelChanges));

  test('tokenizer.json', () => {
    expect(() => Tokenizer.fromTokenizerJson('{')).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the text is no JSON]`,
    );
    expect(() => Tokenizer.fromTokenizerJson('[]')).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: model.merges must be a list]`,
    );
    expect(json({ model: undefined })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: model.merges must be a list]`,
    );
    expect(json({}, { type: 'Unigram' })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the model must be byte-pair encoding (BPE) with the word end "</w>", as CLIP's; got "Unigram" with "</w>"]`,
    );
    expect(json({}, { end_of_word_suffix: '' })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the model must be byte-pair encoding (BPE) with the word end "</w>", as CLIP's; got "BPE" with ""]`,
    );
    expect(json({}, { vocab: {} })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the vocabulary must be an object of ids by symbol]`,
    );
    expect(json({}, { vocab: { a: '0' } })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the id of "a" must be an integer from 0 to 16777216; got "0"]`,
    );
    expect(json({}, { vocab: { a: 0, b: 0 }, merges: [] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the symbols "a" and "b" have the same id, 0]`,
    );
    expect(json({}, { vocab: { a: 0 }, merges: [] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the vocabulary must have the token "<|startoftext|>"]`,
    );
    expect(json({ added_tokens: [{ id: 11, content: '<pad>' }] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: "<|endoftext|>" must have the largest id, since the text encoder reads its result at the first largest id; its id is 10, that of "<pad>" is 11]`,
    );
  });

  test('merges', () => {
    expect(json({}, { merges: undefined })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: model.merges must be a list]`,
    );
    expect(json({}, { merges: ['a b', ['a']] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: merge 1 must be two symbols; got ["a"]]`,
    );
    expect(json({}, { merges: ['a b', 'b c'] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: merge 1, "b c": the vocabulary has no symbol "bc"]`,
    );
    expect(json({}, { merges: ['a b</w>', 'a b'] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: tokenizer.json: the vocabulary must list symbols in the order of the merges; merge 1, "a b", makes id 6, a merge before it 7]`,
    );
    expect(() => Tokenizer.fromMerges('#version: 0.2\na b\nabc\n')).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: merges.txt: line 3 must be two symbols; got "abc"]`,
    );
    expect(() => Tokenizer.fromMerges('a b\nabc d\n')).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: merges.txt: merge 1, "abc d": the vocabulary has no symbol "abc"]`,
    );
    expect(() => Tokenizer.fromMerges('a b\n', {})).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: merges.txt: the vocabulary must be an object of ids by symbol]`,
    );
  });
});
