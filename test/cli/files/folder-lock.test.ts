import { spawn } from 'node:child_process';
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { writeFileAtomic } from '../../../cli/src/files/files.ts';
import { FolderLock, type LockOptions } from '../../../cli/src/files/folder-lock.ts';
import { LockError } from '../../../src/zeroseg/storage/index.ts';
import { buildProgram } from '../../support/programs.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-lock-'));
afterAll(() => rm(base, { recursive: true }));
let folder = '';
let number = 0;
beforeEach(() => {
  folder = join(base, String(number++));
});

const take = (options?: LockOptions) => FolderLock.take('test', folder, options);
const message = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no error',
    (error) =>
      String(error)
        .replaceAll(folder, 'FOLDER')
        .replace(hostname(), 'HOST')
        .replace(String(process.pid), 'PID')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'TIME'),
  );
const file = () => join(folder, 'zeroseg.lock');

describe('a lock on a folder', () => {
  test('has one holder, whom others are told', async () => {
    const lock = await take();
    expect(await message(take())).toMatchInlineSnapshot(
      `"LockError: test: FOLDER: process PID on HOST has been writing to it since TIME; wait for it, or stop it"`,
    );
    await lock.check();
    await lock.release();
    // Made for the lock alone, the folder goes with it.
    expect(await readdir(base)).not.toContain(folder);
    const next = await take();
    await lock.release();
    await next.check();
    await next.release();
  });

  test('that was taken away is noticed before anything appears', async () => {
    const spoil: (() => Promise<unknown>)[] = [
      () => rm(file()),
      () => writeFile(`${file()}2`, 'mine').then(() => rename(`${file()}2`, file())),
      () => rm(file()).then(() => symlink('elsewhere', file())),
      () => rename(folder, `${folder}-moved`),
    ];
    const messages: string[] = [];
    for (const act of spoil) {
      const lock = await take();
      await act();
      messages.push(await message(writeFileAtomic(join(folder, 'sub', 'a.txt'), 'a', { lock })));
      expect(await readdir(join(folder, 'sub')).catch(() => [])).toEqual([]);
      await lock.release();
      await rm(folder, { recursive: true, force: true });
    }
    expect(messages).toMatchInlineSnapshot(`
      [
        "LockError: test: FOLDER: its lock FOLDER/zeroseg.lock was taken away, so another process may be writing here; nothing more is written",
        "LockError: test: FOLDER: its lock FOLDER/zeroseg.lock was taken away, so another process may be writing here; nothing more is written",
        "LockError: test: FOLDER: its lock FOLDER/zeroseg.lock was taken away, so another process may be writing here; nothing more is written",
        "LockError: test: FOLDER: the folder has vanished while it was written to",
      ]
    `);
  });

  test('whose file is something else is refused, and the other left alone', async () => {
    await mkdir(folder, { recursive: true });
    const precious = join(base, 'precious');
    await writeFile(precious, 'precious');
    const messages: string[] = [];
    for (const make of [() => symlink(precious, file()), () => link(precious, file()), () => mkdir(file())]) {
      await make();
      messages.push(await message(take()));
      await rm(file(), { recursive: true });
    }
    expect(messages).toMatchInlineSnapshot(`
      [
        "FileError: test: FOLDER: FOLDER/zeroseg.lock is a link; remove it",
        "LockError: test: FOLDER: FOLDER/zeroseg.lock is no lock file of this program; remove it",
        "FileError: test: FOLDER: this is a folder, not a file",
      ]
    `);
    expect(await readFile(precious, 'utf8')).toBe('precious');
  });

  test('on a disk without locks belongs to who makes the file', async () => {
    const system = async () => undefined;
    const lock = await take({ system });
    expect(await message(take({ system }))).toMatchInlineSnapshot(
      `"LockError: test: FOLDER: process PID on HOST has been writing to it since TIME; wait, or delete FOLDER/zeroseg.lock if there is no such process (this disk has no locks that end with their process)"`,
    );
    await lock.release();
    await (await take({ system })).release();
  });

  test('keeps what a stranger wrote into the file off the terminal', async () => {
    const lock = await take();
    await writeFile(file(), JSON.stringify({ process: 1, host: '\u001b[2Jhost', since: 'now' }));
    expect(await message(take())).toMatchInlineSnapshot(
      `"LockError: test: FOLDER: another process is writing to it; wait for it, or stop it"`,
    );
    await lock.release();
  });
});

/** Rounds; more of them by hand: `ROUNDS=100 npx vitest run --project node test/cli/files/folder-lock.test.ts`. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 1);
const PROCESSES = 8;

test('a folder that another takes away again, which it made for nothing, is made again', async () => {
  // Each makes the folder, finds nothing to write, and removes it with its lock: over and over, beside each other.
  const turns = async (): Promise<number> => {
    let held = 0;
    for (let i = 0; i < 40; i++) {
      const lock = await take().catch((error) => {
        if (!(error instanceof LockError)) throw error;
      });
      if (lock) {
        held++;
        await lock.release();
      }
    }
    return held;
  };
  await rm(folder, { recursive: true, force: true });
  const held = await Promise.all(Array.from({ length: 6 }, turns));
  expect(held.reduce((a, b) => a + b)).toBeGreaterThan(20);
});

// Says when it holds the lock and when it no longer does, by a clock that all processes of a machine share.
const program = await buildProgram({
  text: `import { FolderLock } from 'ROOT/cli/src/files/folder-lock.ts';
    import { LockError } from 'ROOT/src/zeroseg/storage/errors.ts';
    const [folder] = process.argv.slice(2);
    const rest = (most) => new Promise((next) => setTimeout(next, most * Math.random()));
    const say = (what) => process.stdout.write(what + ' ' + process.hrtime.bigint() + '\\n');
    for (;;) {
      const lock = await FolderLock.take('test', folder).catch((error) => {
        if (!(error instanceof LockError)) throw error;
      });
      if (lock) {
        say('held');
        await rest(5);
        await lock.check();
        say('free');
        await lock.release();
      }
      await rest(3);
    }`,
});

test(`${PROCESSES} processes at once, killed again and again: never two holders`, async () => {
  let errors = '';
  let times = 0;
  let kills = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // What a killed process left.
    await mkdir(folder, { recursive: true });
    await writeFile(file(), JSON.stringify({ process: 1 + round, host: hostname(), since: '2026-01-01T00:00:00Z' }));
    const all = Array.from({ length: PROCESSES }, () => {
      const child = spawn(process.execPath, [program, folder]);
      const one = { child, said: '', killed: 0n, ended: new Promise<void>((done) => child.on('close', () => done())) };
      child.stdout.on('data', (data) => (one.said += data));
      child.stderr.on('data', (data) => (errors += data));
      return one;
    });
    const held = () => all.reduce((sum, { said }) => sum + (said.match(/held/g) ?? []).length, 0);
    while (held() < PROCESSES) await new Promise((next) => setTimeout(next, 5));
    for (const one of all) {
      one.killed = process.hrtime.bigint();
      one.child.kill('SIGKILL');
      kills++;
      await new Promise((next) => setTimeout(next, 10 * Math.random()));
    }
    await Promise.all(all.map(({ ended }) => ended));
    // From when each held the lock until it said that it would let go, or was killed.
    const spans = all.flatMap(({ said, killed }) => {
      const events = [...said.matchAll(/(held|free) (\d+)\n/g)].map(([, what, time]) => ({
        what,
        time: BigInt(time as string),
      }));
      return events.flatMap(({ what, time }, i) =>
        what === 'held' ? [[time, events[i + 1]?.time ?? killed] as const] : [],
      );
    });
    spans.sort(([a], [b]) => (a < b ? -1 : 1));
    const overlaps = spans.filter(([start], i) => i > 0 && start < (spans[i - 1] as (typeof spans)[number])[1]);
    expect(overlaps, `round ${round}`).toEqual([]);
    times += spans.length;
  }
  expect(errors).toBe('');
  expect(times).toBeGreaterThanOrEqual(ROUNDS * PROCESSES);
  console.info(`${ROUNDS} rounds, ${kills} kills, held ${times} times, by two at once never`);
});
