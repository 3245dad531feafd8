import { describe, expect, test } from 'vitest';
import { cleanText, repairText, unescapeHtml } from '../../../src/zeroseg/text/text-cleaning.ts';

describe('cleanText', () => {
  test.each([
    ['  A  Photo\tof\r\n a DOG ', 'a photo of a dog'],
    ['“Fish” &amp;amp; ‘CHIPS’', '"fish" & \'chips\''],
    ['no\u00a0break\u3000wide\u2003em', 'no break wide em'],
    ['ΟΔΟΣ', 'οδος'], // the last sigma has a form of its own
    ['', ''],
    ['\u200b', '\u200b'], // no white space in Unicode
    ['<&#xFEFF;', '<\ufeff'], // white space in JavaScript, not in Python
    ['&#32;x&nbsp;', 'x'],
  ])('%j', (text, clean) => {
    expect(cleanText(text)).toBe(clean);
  });
});

describe('repairText', () => {
  test.each([
    // 1 entities, as long as no tag is there
    ['&lt;b&gt; &eacute;', '<b> é'],
    ['&amp;amp;amp;', '&'],
    ['&amp;lt; &amp;lt;', '< <'], // the < that appears does not end it
    ['<b> &eacute;', '<b> &eacute;'],
    ['&eacute &notit; &nosuch;', '&eacute &notit; &nosuch;'],
    ['&#65;&#x42;&#X43;', 'ABC'],
    ['&#12a; &#x;', '&#12a; &#x;'],
    [`&#${'0'.repeat(22)}65; &#${'0'.repeat(23)}65;`, `A &#${'0'.repeat(23)}65;`],
    // 2 C1 controls
    ['\x80\x81\x85\x8d\x93\x9d\x9f', '€\x81…\x8d"\x9dŸ'],
    // 3 ligatures and digraphs
    ['Ĳĳŉ Ǆǅǆ Ǉǈǉ Ǌǋǌ Ǳǲǳ', "IJij'n DŽDždž LJLjlj NJNjnj DZDzdz"],
    ['ﬀﬁﬂﬃﬄﬅﬆ', 'fffiflffifflſtst'],
    // 4 full and half width
    ['ＡＢ！\u3000ｶﾞ￥', 'AB! ガ¥'],
    // 5 quotes
    ['ʼ‘’‚‛ “”„‟', "''''' \"\"\"\""],
    // 6 line breaks
    ['a\r\nb\rc\u2028d\u2029e\n', 'a\nb\nc\nd\ne\n'],
    // 7 terminal colours, 8 controls
    ['\x1b[1;31mred\x1b[0m \x1b[x \x1b', 'red  '],
    ['a\x00\x08\x0b\x0e\x1f\x7f\u206a\u206f\ufeff\ufff9\ufffcb\t\n\f', 'ab\t\n\f'],
    // 9 composed
    ['e\u0301 A\u030a', 'é Å'],
    // removing one thing makes another: again, until nothing changes
    ['&am\x00p;lt;', '<'],
    ['\x1b[\x001mx', '[1mx'],
  ])('%j', (text, repaired) => {
    expect(repairText(text)).toBe(repaired);
  });
});

describe('unescapeHtml', () => {
  test.each([
    ['&amp;lt;', '&lt;'], // once
    ['&copy 2020 &ampx', '© 2020 &x'],
    ['&notit; &notin; &not;in', '¬it; ∉ ¬in'],
    ['&NotEqualTilde; &CounterClockwiseContourIntegral;', '≂̸ ∳'],
    ['R&D &c &; & &# &#; &#x; &#xg;', 'R&D &c &; & &# &#; &#x; &#xg;'],
    ['&#65 &#x42x &#67;', 'A Bx C'],
    ['&#128;&#x81;&#159;', '€\x81Ÿ'],
    ['&#0;&#xD800;&#xDFFF;&#1114112;&#99999999999999999999;', '\ufffd'.repeat(5)],
    ['[&#1;&#x0b;&#x1f;&#127;&#xfdd0;&#xfffe;&#x10ffff;]', '[]'],
    ['&#9;&#10;&#12;&#13;', '\t\n\f\r'],
  ])('%j', (text, plain) => {
    expect(unescapeHtml(text)).toBe(plain);
  });
});
