/** Input that nobody means well with: real files with damage, values of other kinds, numbers beyond all measure. */
import fc from 'fast-check';

/** Names that every JavaScript object has. */
export const objectNames: readonly string[] = [
  'constructor',
  '__proto__',
  'prototype',
  'toString',
  'toLocaleString',
  'valueOf',
  'hasOwnProperty',
  'isPrototypeOf',
  'propertyIsEnumerable',
  '__defineGetter__',
  '__lookupSetter__',
];

const strangeNumbers = [0, -0, -1, 1, 0.5, 1e9, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, 1e300, -1e300, Number.MAX_VALUE];

/** Any JSON value, and among them those that break programs. */
export const strangeValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    ...strangeNumbers,
    null,
    true,
    false,
    '',
    [],
    {},
    [null],
    [[]],
    'x'.repeat(5000),
    '\x1b[31m',
    '\ud800',
  ),
  fc.constantFrom(...objectNames),
  fc.constantFrom<unknown>(JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": {"image": 8}}'), { length: 1e9 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A JSON value with some of its parts replaced, taken out or added. */
export function damagedJson(value: unknown): fc.Arbitrary<unknown> {
  const change = fc.record({
    where: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'repeat'),
    by: strangeValue,
    name: fc.constantFrom(...objectNames, 'x'),
  });
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => changed(value, changes)),
    },
    { weight: 1, arbitrary: strangeValue },
  );
}

interface Change {
  readonly where: number;
  readonly how: string;
  readonly by: unknown;
  readonly name: string;
}

function changed(value: unknown, changes: readonly Change[]): unknown {
  const root = { value: structuredClone(value) };
  for (const { where, how, by, name } of changes) {
    const places: [holder: Record<string, unknown>, key: string][] = [];
    const visit = (holder: unknown, depth: number): void => {
      if (typeof holder !== 'object' || holder === null || depth > 8 || places.length > 2000) return;
      for (const key of Object.keys(holder)) {
        places.push([holder as Record<string, unknown>, key]);
        visit((holder as Record<string, unknown>)[key], depth + 1);
      }
    };
    visit(root, 0);
    // Shallow places first, twice as often: there are many in the depths.
    const [holder, key] = places[Math.floor(where * where * places.length)] ?? [
      root as Record<string, unknown>,
      'value',
    ];
    const define = (at: string, what: unknown) =>
      Object.defineProperty(holder, at, {
        value: structuredClone(what),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    if (how === 'replace') define(key, by);
    else if (how === 'add' && !Array.isArray(holder)) define(name, by);
    else if (how === 'repeat' && Array.isArray(holder)) holder.push(...holder.slice(0, 50));
    else if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  }
  return root.value;
}

/** A file with some bytes changed, cut out, put in or moved; most of the damage is near its start, where headers are. */
export function damagedBytes(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    where: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    from: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    how: fc.constantFrom('flip', 'flip', 'set', 'number', 'cut', 'remove', 'insert', 'splice'),
    byte: fc.integer({ min: 0, max: 255 }),
    length: fc.integer({ min: 1, max: 64 }),
  });
  return fc
    .record({
      seed: fc.integer({ min: 0, max: seeds.length - 1 }),
      other: fc.integer({ min: 0, max: seeds.length - 1 }),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
    })
    .map(({ seed, other, changes }) => {
      let bytes = Uint8Array.from(seeds[seed]!);
      for (const { where, from, how, byte, length } of changes) {
        const at = Math.floor(where ** 3 * bytes.length);
        if (how === 'flip' && bytes.length > 0) bytes[at]! ^= 1 << (byte & 7);
        else if (how === 'set' && bytes.length > 0) bytes[at] = byte;
        else if (how === 'number') bytes.fill([0, 0xff, 0x7f, 0x80][byte & 3]!, at, at + ([4, 8][byte & 1] ?? 4));
        else if (how === 'cut') bytes = bytes.slice(0, Math.floor(where * bytes.length));
        else if (how === 'remove') bytes = joined(bytes.subarray(0, at), bytes.subarray(at + length));
        else if (how === 'insert')
          bytes = joined(bytes.subarray(0, at), new Uint8Array(length).fill(byte), bytes.subarray(at));
        else {
          const piece = seeds[other]!.subarray(Math.floor(from * seeds[other]!.length)).subarray(0, length * 16);
          bytes = joined(bytes.subarray(0, at), piece, bytes.subarray(at));
        }
      }
      return bytes;
    });
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Text out of pieces that mean something to some parser, and of anything. */
export const strangeText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '&',
        ';',
        '&amp;',
        '&#38;',
        '&#x1F600;',
        '&lt;',
        ',',
        '=',
        '@',
        ':',
        '/',
        '..',
        '\\',
        '"',
        '[',
        ']',
        '{',
        '}',
      ),
      fc.constantFrom(
        '\0',
        '\x1b[2J',
        '\r\n',
        '\n',
        '\t',
        '\u202e',
        '\u2028',
        '\ufeff',
        '\ud800',
        '\udc00',
        '\u0301',
        '\u200d',
      ),
      fc.constantFrom(
        '1',
        '-1',
        '1e9',
        '1e309',
        '0x10',
        '٣',
        '1_000',
        ' 5 ',
        'NaN',
        'Infinity',
        '9007199254740993',
        '00',
      ),
      fc.constantFrom('dog', 'a b', 'Ａ', 'ﬁ', '😀', 'ſ', 'İ', '<|endoftext|>', '{}', ...objectNames),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

/** Numbers as anybody may pass them to a function. */
export const strangeNumber: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(...strangeNumbers, Number.NaN, Number.POSITIVE_INFINITY),
  fc.integer({ min: -4, max: 1000 }),
  fc.double(),
);
