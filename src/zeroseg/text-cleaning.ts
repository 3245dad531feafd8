import { decodeHTML, decodeHTMLStrict } from 'entities/decode';

/**
 * Text as CLIP's tokenizer sees it: repaired, HTML unescaped twice, white space squeezed to single spaces, lower case.
 *
 * ```ts
 * cleanText('  “Fish” &amp;amp;\tCHIPS ') // '"fish" & chips'
 * ```
 *
 * Follows `basic_clean` and `whitespace_clean` of openai/CLIP with ftfy 6.3.1, but for ftfy's detection of wrongly
 * decoded text (`cafÃ©`) and its upper-case entity names (`&EACUTE;`). Takes any string; never throws.
 */
export function cleanText(text: string): string {
  const plain = unescapeHtml(unescapeHtml(repairText(text)));
  // Not \s and trim(): they take U+FEFF for white space, Python and Unicode do not.
  return plain
    .replace(/\p{White_Space}+/gu, ' ')
    .replace(/^ | $/g, '')
    .toLowerCase();
}

/**
 * What ftfy's `fix_text` does to text that was decoded rightly: entities, control characters, ligatures, full-width
 * forms, curly quotes and line breaks become plain; the result is in Unicode's normal form C.
 */
export function repairText(text: string): string {
  // Decided once: text that has a tag may mean its entities, and unescaping `&lt;` must not end the unescaping.
  const isMarkup = text.includes('<');
  for (;;) {
    const before = text;
    if (!isMarkup) text = text.replace(/&(#?[0-9A-Za-z]{1,24});/g, unescapeClosed);
    text = text
      .replace(/[\x80-\x9f]/g, windows1252)
      .replace(/[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]/g, (letter) => ligatures[letter]!)
      .replace(/[\u3000\uff01-\uffef]/g, (letter) => letter.normalize('NFKC'))
      .replace(/[\u02bc\u2018-\u201b]/g, "'")
      .replace(/[\u201c-\u201f]/g, '"')
      .replace(/\r\n?|[\u2028\u2029]/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/\x1b\[[\d;]*[A-Za-z]/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, '')
      .normalize('NFC');
    if (text === before) return text;
  }
}

/**
 * Replaces HTML5 character references once, as Python's `html.unescape`: names with or without semicolon (then the
 * longest that is listed), decimal and hexadecimal numbers.
 *
 * ```ts
 * unescapeHtml('&notit; &#x41; &#150;') // '¬it; A –'
 * ```
 */
export function unescapeHtml(text: string): string {
  return text.replace(/&(#\d+;?|#[xX][\da-fA-F]+;?|[A-Za-z][\dA-Za-z]*;?)/g, (reference, body: string) =>
    body.startsWith('#') ? numbered(body) : decodeHTML(reference),
  );
}

/** A reference with semicolon whose whole name is listed; any other stays as it is. */
function unescapeClosed(reference: string, body: string): string {
  if (/^#(\d+|[xX][\da-fA-F]+)$/.test(body)) return numbered(body);
  return decodeHTMLStrict(reference);
}

// The names come from `entities`, the numbers do not: it follows browsers, which keep control characters and
// non-characters; Python, and so CLIP, drops them.
function numbered(body: string): string {
  const isHex = /^#x/i.test(body);
  const code = Number.parseInt(body.slice(isHex ? 2 : 1), isHex ? 16 : 10);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '\ufffd';
  if (code >= 0x80 && code <= 0x9f) return windows1252(String.fromCharCode(code));
  const isControl = code < 0x20 && !'\t\n\f\r'.includes(String.fromCharCode(code));
  const isNonCharacter = (code & 0xfffe) === 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
  return isControl || isNonCharacter || code === 0x7f ? '' : String.fromCodePoint(code);
}

// Bytes 80 to 9F of Windows-1252. Written out, since some runtimes decode `windows-1252` as Latin-1 (Node without
// full ICU does). 81, 8D, 8F, 90 and 9D have no character and stay.
const c1 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

function windows1252(control: string): string {
  return c1[control.charCodeAt(0) - 0x80]!;
}

const ligatures: Readonly<Record<string, string>> = {
  ['\u0132']: 'IJ',
  ['\u0133']: 'ij',
  ['\u0149']: 'ʼn',
  ['\u01c4']: 'DŽ',
  ['\u01c5']: 'Dž',
  ['\u01c6']: 'dž',
  ['\u01c7']: 'LJ',
  ['\u01c8']: 'Lj',
  ['\u01c9']: 'lj',
  ['\u01ca']: 'NJ',
  ['\u01cb']: 'Nj',
  ['\u01cc']: 'nj',
  ['\u01f1']: 'DZ',
  ['\u01f2']: 'Dz',
  ['\u01f3']: 'dz',
  ['\ufb00']: 'ff',
  ['\ufb01']: 'fi',
  ['\ufb02']: 'fl',
  ['\ufb03']: 'ffi',
  ['\ufb04']: 'ffl',
  ['\ufb05']: 'ſt',
  ['\ufb06']: 'st',
};
