import { spawn } from 'node:child_process';
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { writeFileAtomic } from '../../src/node/files.ts';
import { FolderLock, type LockOptions } from '../../src/node/folder-lock.ts';
import { buildProgram } from './programs.ts';

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

/** Rounds; more of them by hand: `ROUNDS=100 npx vitest run --project node test/node/folder-lock.test.ts`. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 2);
const PROCESSES = 8;

// Each holder makes a file that must not be there, and removes it; killed in between, it leaves its process number in it.
const program = await buildProgram({
  text: `import { FolderLock, LockError } from 'SRC/node/folder-lock.ts';
    import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
    const [folder] = process.argv.slice(2);
    const mark = folder + '.holder';
    const isAlive = (id) => { try { process.kill(id, 0); return true; } catch { return false; } };
    const rest = (most, least = 0) => new Promise((next) => setTimeout(next, least + most * Math.random()));
    const own = mark + process.pid;
    writeFileSync(own, String(process.pid));
    for (;;) {
      const lock = await FolderLock.take('test', folder).catch((error) => {
        if (!(error instanceof LockError)) { process.stdout.write('X' + error.stack + '\\n'); process.exit(1); }
      });
      if (!lock) { await rest(3); continue; }
      try { linkSync(own, mark); } catch {
        const other = Number(readFileSync(mark, 'utf8'));
        // One that is being killed counts as alive for a moment after its locks are gone.
        await rest(0, 100);
        if (isAlive(other)) process.stdout.write('2');
        rmSync(mark, { force: true });
        linkSync(own, mark);
      }
      process.stdout.write('1');
      await rest(5);
      await lock.check();
      rmSync(mark, { force: true });
      await lock.release();
    }`,
});

test(`${PROCESSES} processes at once, killed again and again: never two holders`, async () => {
  await mkdir(base, { recursive: true });
  let text = '';
  let kills = 0;
  const begin = () => {
    const child = spawn(process.execPath, [program, folder]);
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += `X${data}`));
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    return { child, ended };
  };
  for (let round = 0; round < ROUNDS; round++) {
    // What a killed process left.
    await mkdir(folder, { recursive: true });
    await writeFile(file(), JSON.stringify({ process: 1 + round, host: hostname(), since: '2026-01-01T00:00:00Z' }));
    const before = text.length;
    const all = Array.from({ length: PROCESSES }, begin);
    while (text.length < before + PROCESSES) await new Promise((next) => setTimeout(next, 5));
    for (const { child, ended } of all) {
      child.kill('SIGKILL');
      kills++;
      await ended;
      await new Promise((next) => setTimeout(next, 10 * Math.random()));
    }
    await rm(`${folder}.holder`, { force: true });
  }
  expect(text.replace(/1+/g, '')).toBe('');
  expect(text.length).toBeGreaterThanOrEqual(ROUNDS * PROCESSES);
  expect(kills).toBe(ROUNDS * PROCESSES);
  console.info(`${ROUNDS} rounds, ${kills} kills, held ${text.length} times, by two at once never`);
});
