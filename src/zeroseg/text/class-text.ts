import { ArgumentError, shownValue } from '../../gpu/index.ts';

/** A class as somebody wrote it: what it is called, what the text encoder is asked for, and the colour that it shall have. */
export interface ClassChoice {
  /** The first of its words. */
  readonly name: string;
  /** The name and its synonyms. */
  readonly words: readonly string[];
  readonly colour?: readonly [red: number, green: number, blue: number];
}

/** One letter of a list, and whether quotes take its meaning away. */
interface Letter {
  readonly letter: string;
  readonly isQuoted: boolean;
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
 * @throws ArgumentError when a quote is not closed, a colour is none, or a class has no name.
 */
export function parseClassText(text: string): ClassChoice[] {
  return split(lettersOf(withoutComments(text)), ',\n\r').flatMap((item) => {
    const trimmed = trim(item);
    return trimmed.length === 0 ? [] : classOf(trimmed);
  });
}

function withoutComments(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/^[ \t]*#.*$/gm, '');
}

function lettersOf(text: string): Letter[] {
  const letters: Letter[] = [];
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i]!;
    if (letter !== '"') letters.push({ letter, isQuoted });
    else if (isQuoted && text[i + 1] === '"') {
      letters.push({ letter, isQuoted });
      i++;
    } else isQuoted = !isQuoted;
  }
  if (isQuoted) throw new ArgumentError(`a quote (") is not closed in ${shownValue(text, 60)}`);
  return letters;
}

/** The pieces between letters that separate. */
function split(letters: readonly Letter[], separators: string): Letter[][] {
  const pieces: Letter[][] = [[]];
  for (const one of letters) {
    if (!one.isQuoted && separators.includes(one.letter)) pieces.push([]);
    else pieces.at(-1)!.push(one);
  }
  return pieces;
}

function trim(letters: readonly Letter[]): readonly Letter[] {
  const isSpace = ({ letter, isQuoted }: Letter): boolean => !isQuoted && /\s/.test(letter);
  const first = letters.findIndex((one) => !isSpace(one));
  return first < 0 ? [] : letters.slice(first, letters.findLastIndex((one) => !isSpace(one)) + 1);
}

const textOf = (letters: readonly Letter[]): string => letters.map(({ letter }) => letter).join('');

function classOf(item: readonly Letter[]): ClassChoice {
  const at = item.findLastIndex(({ letter, isQuoted }) => letter === '=' && !isQuoted);
  const colour = at < 0 ? undefined : parseColour(textOf(trim(item.slice(at + 1))), textOf(item));
  const words = split(at < 0 ? item : item.slice(0, at), '|')
    .map((word) => textOf(trim(word)))
    .filter((word) => word.trim() !== '');
  const [name] = words;
  if (name === undefined) throw new ArgumentError(`a class has no name in ${shownValue(textOf(item), 60)}`);
  return { name, words: [...new Set(words)], ...(colour && { colour }) };
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
