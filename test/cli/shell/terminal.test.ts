import { expect, it, vi } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import { escapeHtml } from '../../../cli/src/html/index.ts';
import { errorWords, UsageError } from '../../../cli/src/shell/errors.ts';
import { count, countIn, Progress, printable, printableTerminal } from '../../../cli/src/shell/terminal.ts';
import { ArgumentError } from '../../../src/gpu/errors.ts';

/** What a terminal obeys, or what makes a line look like another. */
const commanding = /[^\P{Cc}\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Cs}/u;
const attacks = [
  '\x1b[2J',
  '\x1b]0;title\x07',
  '\x9b31m',
  '\r',
  '\n',
  '\b',
  '\x7f',
  '\u202e',
  '\u2066',
  '\u2028',
  '\ud800',
  '\0',
];

it('shows what could command it by its number, and leaves all else', () => {
  for (const attack of attacks) {
    expect(commanding.test(attack)).toBe(true);
    const shown = printable(`a${attack}b`);
    expect(commanding.test(shown), JSON.stringify(attack)).toBe(false);
    expect(JSON.parse(`"${printable(JSON.stringify(attack)).slice(1, -1)}"`)).toBe(attack);
  }
  expect(printable('a\x1b[31mb\nc')).toBe('a\\u001b[31mb\\u000ac');
  for (const text of ['dog\t5 %', 'ZoŽ, 字, 한, עברית', '👩‍💻', 'a\\nb', '–']) expect(printable(text)).toBe(text);
});

it('nothing of an argument reaches the terminal as a command, whatever the command', async () => {
  const lines: string[] = [];
  const terminal = { out: (line: string) => void lines.push(line), note: (line: string) => void lines.push(line) };
  // NUL ends a path: no command gets one.
  for (const word of [`x${attacks.filter((one) => one !== '\0').join('y')}z`, 'x\x1b[2J']) {
    for (const args of [
      [word],
      ['--help', word],
      [`--${word}`],
      ['train', '--cache', word, '--out', word],
      ['train', '--cache', word, '--out', word, '--config', word],
      ['train', '--batch', word],
      ['segment', word, '--model', word, '--clip', word, '--classes', word, '--out', word],
      ['eval', '--data', word, '--root', word, '--model', word, '--clip', word],
      ['eval', '--data', 'voc', '--root', word, '--model', word, '--clip', word],
      ['score', '--model', word, '--styles', word],
      ['cache', word, '--clip', word, '--out', word],
      ['verify', word],
      ['export', word, '--out', word],
      ['scenes', '--out', '/dev/null/x', '--classes', word],
      ['experiment', word, '--out', word],
      ['bench', '--filter', word, '--json', word],
      ['demo', '--photo', word, '--out', '/dev/null/x', '--model', word],
      ['train-teacher', '--out', '/dev/null/x', '--classes', word],
    ]) {
      lines.length = 0;
      expect(await commandLine(args, terminal), args.join(' ')).not.toBe(args[0] === '--help' ? -1 : 0);
      expect(
        lines.filter((line) => commanding.test(line)),
        JSON.stringify(args),
      ).toEqual([]);
    }
  }
  process.exitCode = 0;
});

it('neither does a file: messages, progress and reports', () => {
  for (const attack of attacks) {
    for (const error of [new UsageError(attack), new ArgumentError(`a${attack}b`)])
      expect(errorWords(error)).not.toMatch(commanding);
    const system = Object.assign(new Error(`ENOENT: no such file, open '${attack}'`), {
      code: 'ENOENT',
      path: `p${attack}`,
    });
    expect(errorWords(system)).not.toMatch(commanding);
    expect(escapeHtml(`a${attack}<b>`)).not.toMatch(commanding);
    const lines: string[] = [];
    const terminal = printableTerminal({ out: (line) => void lines.push(line), note: (line) => void lines.push(line) });
    const progress = new Progress(terminal, `t${attack}`, 2, 'photos');
    progress.say(attack);
    progress.at(1, attack);
    progress.stop();
    expect(lines.filter((line) => commanding.test(line))).toEqual([]);
  }
});

it('what is left is told from the second on: with the first, kernels are compiled', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const lines: string[] = [];
    const progress = new Progress(
      printableTerminal({ out: (line) => void lines.push(line), note: () => undefined }),
      'segmenting',
      7,
      'photos',
    );
    for (const [done, seconds] of [
      [1, 72],
      [2, 6],
      [3, 6],
    ] as const) {
      vi.advanceTimersByTime(1000 * seconds);
      progress.at(done);
    }
    expect(lines).toEqual([
      'segmenting: 1/7 photos',
      'segmenting: 2/7 photos · 6.0 s per photo · 30 s left',
      'segmenting: 3/7 photos · 6.0 s per photo · 24 s left',
    ]);
  } finally {
    vi.useRealTimers();
  }
});

it('counts', () => {
  expect([
    count(1, 'photos'),
    count(1, 'classes'),
    count(0, 'photos'),
    countIn(1, 1, 'photos'),
    countIn(1, 3, 'photos'),
  ]).toEqual(['1 photo', '1 class', '0 photos', '1 of 1 photo', '1 of 3 photos']);
});

it('tells errors of users from mistakes by their class', () => {
  const user = new ArgumentError('slidingWindows: height must be a whole number');
  user.message = 'x';
  expect(errorWords(user)).toBe('x');
  const notFound = Object.assign(new Error('ENOENT: no such file or directory, open x'), { code: 'ENOENT', path: 'x' });
  expect(errorWords(notFound)).toBe('x: there is no such file or folder');
  for (const mistake of [
    new TypeError('a'),
    new RangeError('a'),
    new SyntaxError('a'),
    new Error('a'),
    Object.assign(new Error('a'), { name: 'UsageError' }),
  ]) {
    expect(errorWords(mistake)).toBe(
      'unexpected error: a; run with DEBUG=zeroseg to see where it comes from, and report it',
    );
  }
});
