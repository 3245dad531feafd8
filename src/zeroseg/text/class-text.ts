import { ArgumentError, shownValue } from '../../gpu/index.ts';

/** A class as somebody wrote it: what it is called, what the text encoder is asked for, and the colour that it shall have. */
export interface ClassChoice {
  /** The first of its words. */
  readonly name: string;
  /** The name and its synonyms. */
  readonly words: readonly string[];
  readonly colour?: readonly [red: number, green: number, blue: number];
}

/**
 * Classes from a list as people write it: commas or ends of lines between them, `|` between synonyms, `=#rrggbb` behind for a colour;
 * double quotes around what is to be taken as it is, and a quote in there twice. Lines that begin with `#` and empty items are left out.
 *
 * ```ts
 * parseClassText('sofa|couch, cat=#ff8800, "salt, pepper"');
 * // [{ name: 'sofa', words: ['sofa', 'couch'] }, { name: 'cat', words: ['cat'], colour: [255, 136, 0] }, { name: 'salt, pepper', … }]
 * ```
 *
 * @throws ArgumentError when a quote is not closed, a colour is none, a class has no name, or there are more than 65,535 of them.
 */
export function parseClassText(text: string): ClassChoice[] {
  if (typeof text !== 'string')
    throw new ArgumentError(`parseClassText: text must be a string; got ${shownValue(text)}`);
  const list = marked(withoutComments(text));
  const classes: ClassChoice[] = [];
  for (const item of pieces(list, { from: 0, to: list.text.length }, ',\n\r')) {
    const inner = trim(list, item);
    if (inner.from === inner.to) continue;
    if (classes.length === MAX_CLASSES) throw new ArgumentError(`at most ${MAX_CLASSES} classes fit a label map`);
    classes.push(classOf(list, inner));
  }
  return classes;
}

/** What a label map of 16 bits can tell apart, less the background. */
const MAX_CLASSES = 65_535;

/** A text, and what each of its letters is. Lists may have millions of letters: a byte each, and no object. */
interface Marked {
  readonly text: string;
  readonly marks: Uint8Array;
}

/** Letters `from` to before `to`. */
interface Range {
  readonly from: number;
  readonly to: number;
}

const [PLAIN, QUOTED, DROPPED] = [0, 1, 2] as const;

function withoutComments(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/^[ \t]*#.*$/gm, '');
}

/** Quotes take the meaning of what is between them away, and are dropped. */
function marked(text: string): Marked {
  const marks = new Uint8Array(text.length);
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '"') marks[i] = isQuoted ? QUOTED : PLAIN;
    else if (isQuoted && text[i + 1] === '"') {
      marks[i++] = QUOTED;
      marks[i] = DROPPED;
    } else {
      marks[i] = DROPPED;
      isQuoted = !isQuoted;
    }
  }
  if (isQuoted) throw new ArgumentError(`a quote (") is not closed in ${shownValue(text, 60)}`);
  return { text, marks };
}

/** The pieces between letters that separate. */
function* pieces({ text, marks }: Marked, { from, to }: Range, separators: string): Generator<Range> {
  let begin = from;
  for (let i = from; i < to; i++) {
    if (marks[i] !== PLAIN || !separators.includes(text[i]!)) continue;
    yield { from: begin, to: i };
    begin = i + 1;
  }
  yield { from: begin, to };
}

function trim({ text, marks }: Marked, { from, to }: Range): Range {
  const isNothing = (i: number): boolean => marks[i] === DROPPED || (marks[i] === PLAIN && /\s/.test(text[i]!));
  let [first, end] = [from, to];
  while (first < end && isNothing(first)) first++;
  while (end > first && isNothing(end - 1)) end--;
  return { from: first, to: end };
}

function textOf({ text, marks }: Marked, { from, to }: Range): string {
  let found = '';
  for (let at = from; at < to; ) {
    const dropped = marks.subarray(at, to).indexOf(DROPPED);
    const end = dropped < 0 ? to : at + dropped;
    found += text.slice(at, end);
    at = end + 1;
  }
  return found;
}

function classOf(list: Marked, item: Range): ClassChoice {
  let at = item.to - 1;
  while (at >= item.from && !(list.text[at] === '=' && list.marks[at] === PLAIN)) at--;
  const hasColour = at >= item.from;
  const colour = hasColour
    ? parseColour(textOf(list, trim(list, { from: at + 1, to: item.to })), textOf(list, item))
    : undefined;
  const words = new Set<string>();
  for (const piece of pieces(list, { from: item.from, to: hasColour ? at : item.to }, '|')) {
    const word = textOf(list, trim(list, piece));
    if (word.trim() !== '') words.add(word);
  }
  const [name] = words;
  if (name === undefined) throw new ArgumentError(`a class has no name in ${shownValue(textOf(list, item), 60)}`);
  return { name, words: [...words], ...(colour && { colour }) };
}

/** `#rrggbb` or `#rgb`. */
function parseColour(text: string, item: string): readonly [number, number, number] {
  const [, short, long] = /^#(?:([0-9a-f]{3})|([0-9a-f]{6}))$/i.exec(text) ?? [];
  const digits = long ?? short?.replace(/./g, '$&$&');
  if (digits === undefined) {
    throw new ArgumentError(
      `${shownValue(item, 60)}: a colour is #rrggbb, such as cat=#ff8800; got ${shownValue(text, 30)} (quote a name that has a =)`,
    );
  }
  return [0, 2, 4].map((i) => Number.parseInt(digits.slice(i, i + 2), 16)) as unknown as readonly [
    number,
    number,
    number,
  ];
}
