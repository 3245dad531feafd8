import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { buildProgram, runProgram } from '../../support/programs.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-signals-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const cli = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });
// Works on after the first signal, the second time so that nothing else of JavaScript runs.
const busy = await buildProgram({
  text: `import { catchInterruption } from 'ROOT/cli/src/shell/interruption.ts';
    const interruption = catchInterruption();
    interruption.onStop(() => {
      console.log('asked by ' + interruption.signal);
      setTimeout(() => { console.log('busy'); for (;;); }, 300);
    });
    console.log('begun');
    setInterval(() => {}, 1000);`,
});

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

describe.each(Object.keys(signals) as (keyof typeof signals)[])('%s', (signal) => {
  test('the first asks, an echo of it is not heard, the second ends the process', async () => {
    const child = spawn(process.execPath, [busy]);
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
      if (out === 'begun\n') child.kill(signal);
      // `npm run` passes a Ctrl-C on that the terminal has sent already.
      if (String(text).startsWith('asked')) child.kill(signal);
      if (String(text) === 'busy\n') child.kill(signal);
    });
    const ended = await new Promise((resolve) => child.on('close', (_, by) => resolve(by)));
    expect([out, ended]).toEqual([`begun\nasked by ${signal}\nbusy\n`, signal]);
  });

  test('a command stops in order and leaves nothing half made', async () => {
    const out = join(base, signal);
    const { code, ...said } = await runProgram([cli, 'scenes', '--out', join(out, 'scenes'), '--count', '1000000'], {
      begun: (child) => {
        const timer = setInterval(async () => {
          if ((await readdir(out).catch(() => [])).some((name) => name.endsWith('.tmp'))) {
            clearInterval(timer);
            child.kill(signal);
          }
        }, 20);
      },
    });
    expect([code, said.out.trim().split('\n').at(-1), said.err]).toEqual([
      signals[signal],
      'stopped; nothing was written',
      '',
    ]);
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('standard output and standard error', () => {
  const shell = async (command: string) => {
    const child = spawn('bash', ['-c', command], { env: { ...process.env, CLI: `${process.execPath} ${cli}` } });
    let err = '';
    child.stderr.on('data', (text) => (err += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    return { code, err };
  };

  test.each([
    ['a full disk', '$CLI --help > /dev/full', { code: 1, err: 'zeroseg: standard output: the disk is full\n' }],
    [
      'nobody who reads',
      '$CLI --help > >(exec true; exit); exit $?',
      { code: 141, err: 'zeroseg: standard output: nobody reads it any more\n' },
    ],
    ['standard error on a full disk', '$CLI export --model nowhere --out x 2> /dev/full', { code: 1, err: '' }],
    ['standard error closed', '$CLI export --model nowhere --out x 2>&-', { code: 1, err: '' }],
    [
      'standard error without a reader',
      '$CLI export --model nowhere --out x 2> >(exit); exit $?',
      { code: 1, err: '' },
    ],
    ['both closed', '$CLI export --model nowhere --out x >&- 2>&-', { code: 1, err: '' }],
  ])('%s', async (_, command, expected) => {
    expect(await shell(command)).toEqual(expected);
  });
});
