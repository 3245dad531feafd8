/** Levels that JSON may be nested in: no file of any use comes near, and what walks through values may be recursive. */
const DEEPEST = 200;

/**
 * `JSON.parse`, which also refuses text that is nested deeper than 200 levels: `JSON.parse` reads a million brackets, and the next
 * one to look into the value overflows the stack.
 *
 * @throws SyntaxError as `JSON.parse` does: whoever knows what the text is says what is wrong with it.
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text.charCodeAt(i);
    if (inString) {
      if (letter === 0x5c) i++;
      else if (letter === 0x22) inString = false;
    } else if (letter === 0x22) inString = true;
    else if (letter === 0x5b || letter === 0x7b) {
      if (++depth > DEEPEST) throw new SyntaxError(`it is nested deeper than ${DEEPEST} levels`);
    } else if (letter === 0x5d || letter === 0x7d) depth--;
  }
  return JSON.parse(text);
}

/** {@link parseJson}, or undefined where the text is no JSON, or there is none: for what says itself what it must be. */
export function jsonOrNothing(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/**
 * A value as messages show it: JSON, cut where it is long. Never throws, whatever the value is.
 *
 * ```ts
 * shownValue(['a', 1]); // '["a",1]'
 * ```
 */
export function shownValue(value: unknown, longest = 100): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A bigint, a circle, or too deep.
  }
  text ??= value === undefined ? 'nothing' : `a ${typeof value}`;
  return text.length <= longest ? text : `${text.slice(0, longest - 3)}...`;
}
