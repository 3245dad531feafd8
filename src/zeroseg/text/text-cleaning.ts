import { characterEntities } from 'character-entities';
import { characterEntitiesLegacy } from 'character-entities-legacy';

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
  for (let pass = 1; ; pass++) {
    const before = text;
    if (!isMarkup) text = pass < NESTED_PASSES ? text.replace(closedReference, unescapeClosed) : unescapeNested(text);
    text = plainLetters(text);
    if (text === before) return text;
  }
}

const closedReference = /&(#?[0-9A-Za-z]{1,24});/g;
const wholeReference = /^&(#?[0-9A-Za-z]{1,24});$/;
/** The longest of them. */
const REFERENCE_LENGTH = 27;

/** From so many passes on, references that come out of references are resolved in one go: n in each other would take n passes. */
const NESTED_PASSES = 8;

function plainLetters(text: string): string {
  const plain = text
    .replace(/[\x80-\x9f]/g, windows1252)
    .replace(/[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]/g, (letter) => ligatures[letter]!)
    .replace(/[\u3000\uff01-\uffef]/g, (letter) => letter.normalize('NFKC'))
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replace(/\x1b\[[\d;]*[A-Za-z]/g, '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replace(/[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, '');
  return composed(plain);
}

/**
 * Normal form C in time that grows with the text: engines put marks in order by insertion, which takes minutes for a million of
 * them on one letter. Long runs are ordered here before, which changes nothing about the form.
 */
function composed(text: string): string {
  return text.replace(/\p{M}{65,}/gu, marksInOrder).normalize('NFC');
}

/** Marks in canonical order: those of one class stay as they are, and no mark passes one that begins a new letter (class 0). */
function marksInOrder(run: string): string {
  const parts = new Map([...new Set(run)].map((mark) => [mark, [...mark.normalize('NFD')]] as const));
  const classes = classesOf([...new Set([...parts.values()].flat())]);
  const out: string[] = [];
  const waiting: string[][] = Array.from({ length: Math.max(0, ...classes.values()) + 1 }, () => []);
  let highest = 0;
  const flush = (): void => {
    for (let number = 1; number <= highest; number++) {
      for (const mark of waiting[number]!) out.push(mark);
      waiting[number] = [];
    }
    highest = 0;
  };
  let isOrdered = true;
  for (const mark of run) {
    for (const part of parts.get(mark)!) {
      const number = classes.get(part)!;
      if (number === 0) {
        flush();
        out.push(part);
        continue;
      }
      isOrdered &&= number >= highest;
      highest = Math.max(highest, number);
      waiting[number]!.push(part);
    }
  }
  if (isOrdered) return run;
  flush();
  return out.join('');
}

/** The marks' canonical classes, numbered from 1 in their order; 0 for what begins a letter. */
function classesOf(marks: readonly string[]): Map<string, number> {
  // Unicode's tables are not to be had in JavaScript, but whether two marks change places is.
  const swaps = (first: string, second: string): boolean => (first + second).normalize('NFD') !== first + second;
  const startsLetter = (mark: string): boolean => !swaps(mark, LOWEST_MARK) && !swaps(HIGHEST_MARK, mark);
  const classes = new Map(marks.map((mark) => [mark, 0]));
  let number = 0;
  let before: string | undefined;
  for (const mark of marks
    .filter((one) => !startsLetter(one))
    .sort((a, b) => (swaps(a, b) ? 1 : swaps(b, a) ? -1 : 0))) {
    if (before === undefined || swaps(mark, before)) number++;
    classes.set(mark, number);
    before = mark;
  }
  return classes;
}

/** A mark of class 1 and the one of class 240: whatever changes places with neither has class 0. */
const LOWEST_MARK = '\u0334';
const HIGHEST_MARK = '\u0345';

/**
 * Resolves closed references until none is left, also those that others leave: `&amp;amp;lt;`, or `&am&#112;;`. Letters go onto
 * a stack one by one; one that closes a reference puts what this stands for back in front of what is still to be read.
 */
function unescapeNested(text: string): string {
  const [AND, SEMICOLON, NUMBER_SIGN] = [0x26, 0x3b, 0x23];
  const isOfReference = (code: number): boolean =>
    code === NUMBER_SIGN ||
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a);
  const out = new Uint16Array(text.length);
  let length = 0;
  /** Places in `out` of ampersands after which only letters of references came. */
  let open: number[] = [];
  const pending: number[] = [];
  for (let next = 0; next < text.length || pending.length > 0; ) {
    const code = pending.pop() ?? text.charCodeAt(next++);
    out[length++] = code;
    if (code === AND) open.push(length - 1);
    else if (code === SEMICOLON && open.length > 0) {
      const start = open.pop()!;
      const isShort = length - start <= REFERENCE_LENGTH;
      const reference = isShort ? String.fromCharCode(...out.subarray(start, length)) : '';
      const body = wholeReference.exec(reference)?.[1];
      const meant = body === undefined ? reference : plainLetters(unescapeClosed(reference, body));
      if (meant === reference) open = [];
      else {
        length = start;
        for (let i = meant.length - 1; i >= 0; i--) pending.push(meant.charCodeAt(i));
      }
    } else if (!isOfReference(code)) open = [];
  }
  const parts: string[] = [];
  for (let at = 0; at < length; at += 8192) {
    parts.push(String.fromCharCode(...out.subarray(at, Math.min(length, at + 8192))));
  }
  return parts.join('');
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
    body.startsWith('#') ? numbered(body) : (named(body) ?? longestNamed(body) ?? reference),
  );
}

/** A reference with semicolon whose whole name is listed; any other stays as it is. */
function unescapeClosed(reference: string, body: string): string {
  if (/^#(\d+|[xX][\da-fA-F]+)$/.test(body)) return numbered(body);
  return named(`${body};`) ?? reference;
}

/** What a name with its semicolon stands for, or one of the old names that do without. */
function named(body: string): string | undefined {
  const name = body.endsWith(';') ? body.slice(0, -1) : body;
  return (body.endsWith(';') || withoutSemicolon.has(name)) && Object.hasOwn(characterEntities, name)
    ? characterEntities[name]
    : undefined;
}

/** The longest old name that a body begins with, and what follows it. */
function longestNamed(body: string): string | undefined {
  for (let length = Math.min(LONGEST_OLD_NAME, body.length - 1); length > 1; length--) {
    const found = named(body.slice(0, length));
    if (found !== undefined) return found + body.slice(length);
  }
  return undefined;
}

const withoutSemicolon: ReadonlySet<string> = /*#__PURE__*/ new Set(characterEntitiesLegacy);
const LONGEST_OLD_NAME = 6;

// Browsers keep control characters and non-characters; Python, and so CLIP, drops them.
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
