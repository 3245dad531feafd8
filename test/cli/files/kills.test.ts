import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { buildProgram, runProgram } from '../../support/programs.ts';

/** Kills of every program; all there are by hand: `KILLS=1000 npx vitest run --project node test/cli/files/kills.test.ts`. */
const KILLS = Number(process.env['KILLS'] ?? 3);

const base = await mkdtemp(join(tmpdir(), 'zeroseg-kills-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const killer = fileURLToPath(new URL('kill-at-write.mjs', import.meta.url));
const cli = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });

// What trainings and caches write, in their order, without a GPU between. Each goes on where it was, as the commands do.
const writers = await buildProgram({
  text: `import { openCache } from 'ROOT/src/zeroseg/features/cache.ts';
    import { hashPhoto } from 'ROOT/src/zeroseg/features/photo-source.ts';
    import { nodeFileSystem } from 'ROOT/cli/src/files/node-file-system.ts';
    import { sweepLeftovers, writeFileAtomic } from 'ROOT/cli/src/files/files.ts';
    import { FolderLock } from 'ROOT/cli/src/files/folder-lock.ts';
    import { RunError } from 'ROOT/src/zeroseg/runs/errors.ts';
    import { plainMetrics } from 'ROOT/src/zeroseg/runs/metrics-file.ts';
    import { RunStore } from 'ROOT/src/zeroseg/runs/run-store.ts';
    import { openRun } from 'ROOT/src/zeroseg/training/run.ts';
    import { createRun } from 'ROOT/test/support/run-description.ts';
    import { clearFolder, refuseOthers } from 'ROOT/cli/src/studies/demo-folder.ts';
    import { RunArchive } from 'ROOT/src/zeroseg/studies/run-archive.ts';
    import { writeSafetensors } from 'ROOT/src/nn/safetensors/index.ts';
    const bytesOf = (value) =>
      writeSafetensors([['x', { dtype: 'F32', shape: [256], data: new Float32Array(256).fill(value) }]]);
    const STEPS = 6;
    const programs = {
      async run(folder) {
        const isNew = (error) => {
          if (!(error instanceof RunError)) throw error;
          return createRun(folder);
        };
        const run = await openRun(nodeFileSystem(folder)).then(({ store }) => store).catch(isNew);
        const { step = 0 } = (await run.newest((reason) => console.log(reason))) ?? {};
        await run.begin(step);
        for (let i = step + 1; i <= STEPS; i++) {
          await run.append({ step: i, loss: 1 / i, terms: {} });
          if (i % 3 === 0) await run.saveSample(i, Uint8Array.of(i));
          const pieces = async function* (bytes) {
            for (let at = 0; at < bytes.length; at += 500) yield bytes.slice(at, at + 500);
          };
          // In pieces, while the run goes on.
          if (i % 2 === 0) {
            void run.save(i, { 'model.safetensors': pieces(bytesOf(i)), 'optimizer.safetensors': pieces(bytesOf(-i)) });
          }
        }
        await run.files.write('model.safetensors', bytesOf(STEPS));
        await run.close();
      },
      async teacher(folder) {
        const format = { op: 'train-teacher', description: 'log.json', parts: ['a.safetensors'], metrics: plainMetrics };
        const isNew = (error) => {
          if (!(error instanceof RunError)) throw error;
          return RunStore.create(nodeFileSystem(folder), format, async () => {});
        };
        const run = await RunStore.open(nodeFileSystem(folder), format).catch(isNew);
        const { step = 0 } = (await run.newest((reason) => console.log(reason))) ?? {};
        await run.files.write('log.json', '{"steps":' + step + '}');
        await run.begin(step);
        for (let i = step + 1; i <= STEPS; i++) {
          await run.append({ step: i });
          if (i % 3 > 0) continue;
          await run.files.write('teacher.safetensors', bytesOf(i));
          await run.save(i, { 'a.safetensors': bytesOf(i) });
          await run.files.write('log.json', '{"steps":' + i + '}');
        }
        await run.close();
      },
      async cache(folder, weights = 'w') {
        const key = { teacher: 't', weights, grids: [1], viewSource: 'native', teacherSize: 8, mean: [0, 0, 0],
          std: [1, 1, 1], views: 1, dim: 4, studentSize: null };
        const cache = await openCache(nodeFileSystem(folder), key, { shardSize: 2, force: true });
        for (let i = cache.length; i < 5; i++) {
          const stamp = { path: 'photo ' + i, size: 1, mtime: 1, hash: await hashPhoto(Uint8Array.of(i)) };
          await cache.add(stamp, new Float32Array(4).fill(i));
        }
        await cache.close();
      },
      async emptied(folder) {
        await programs.cache(folder, 'others');
      },
      async demo(folder) {
        await refuseOthers(folder);
        const lock = await FolderLock.take('demo', folder);
        await clearFolder(lock);
        for (const name of ['scenes/a.png', 'cache/b.json', 'model.safetensors']) {
          await writeFileAtomic(folder + '/' + name, bytesOf(1), { lock });
        }
        await lock.release();
      },
      async experiment(folder) {
        const files = nodeFileSystem(folder);
        const lock = await files.lock('experiment');
        await files.removeLeftovers();
        const runs = new RunArchive(files.folder('runs'));
        const identity = { settings: { seed: 1 } };
        if (!(await runs.find(identity))) {
          await runs.save({ identity, steps: 1 }, { model: bytesOf(1), metrics: [{ step: 1 }] });
        }
        const score = { all: 1, objects: 1, ground: 1, accuracy: 1, chance: 1, groupsUsed: 1, namesPresent: 1 };
        await runs.score(identity, { seed: 1 }, { parse: (found) => found.score, compute: async () => score });
        await lock.release();
      },
    };
    const [name, folder] = process.argv.slice(2);
    await programs[name](folder);`,
});

interface Program {
  readonly name: string;
  /** Arguments of a call that writes to `out`. */
  args(out: string): readonly string[];
  /** What lies there before. */
  prepare?(out: string): Promise<void>;
}

const model = join(base, 'model.safetensors');
const scenes = (out: string, count: number) => [cli, 'scenes', '--out', out, '--count', String(count), '--size', '16'];

const programs: readonly Program[] = [
  ...['run', 'teacher', 'cache', 'experiment'].map((name) => ({ name, args: (out: string) => [writers, name, out] })),
  {
    name: 'cache in place of another',
    args: (out) => [writers, 'emptied', out],
    prepare: async (out) => {
      expect((await runProgram([writers, 'cache', out])).code).toBe(0);
    },
  },
  {
    name: 'demo in place of another',
    args: (out) => [writers, 'demo', out],
    prepare: async (out) => {
      expect((await runProgram([writers, 'demo', out])).code).toBe(0);
      await writeFile(join(out, 'scenes', 'old.png'), 'old');
    },
  },
  { name: 'export', args: (out) => [cli, 'export', '--model', model, '--out', join(out, 'student.safetensors')] },
  { name: 'scenes', args: (out) => scenes(join(out, 'scenes'), 2) },
  {
    name: 'scenes in place of others',
    args: (out) => scenes(join(out, 'scenes'), 2),
    prepare: async (out) => {
      const { code, err } = await runProgram(scenes(join(out, 'scenes'), 1));
      expect(code, err).toBe(0);
    },
  },
];

beforeAll(async () => {
  const x = { dtype: 'F32', shape: [4000], data: new Float32Array(4000).fill(0.5) } as const;
  const info = { format: 'zeroseg-model-1', step: '7', teacher: '', config: JSON.stringify(tinyConfig) };
  await writeFile(model, writeSafetensors([['x', x]], info));
});

/** Every file in a folder, hidden ones too, by name. Times differ from call to call. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const all: Record<string, string> = {};
  for (const file of files.sort()) {
    const text = (await readFile(file, 'latin1')).replace(/"ended": "[^"]*"/, '"ended": TIME');
    all[file.slice(folder.length + 1)] = createHash('sha256').update(text).digest('hex').slice(0, 8);
  }
  return all;
}

describe('a kill at any change to the disk leaves what the next call makes whole', () => {
  test.each(programs)('$name', async ({ name, args, prepare }) => {
    const whole = join(base, name, 'whole');
    const count = join(base, `${name}.count`);
    await mkdir(join(base, name));
    await prepare?.(whole);
    const ended = await runProgram(['--import', killer, ...args(whole)], { env: { COUNT: count } });
    expect(ended.code, ended.err).toBe(0);
    const expected = await contents(whole);
    expect(Object.keys(expected).filter((file) => /\.tmp|\.lock/.test(file))).toEqual([]);
    const changes = Number(await readFile(count, 'utf8'));
    const kills = Math.min(KILLS, changes);
    for (let i = 0; i < kills; i++) {
      // Spread evenly, the first and the last among them.
      const at = 1 + Math.round((i * (changes - 1)) / Math.max(1, kills - 1));
      const out = join(base, name, `killed at ${at}`);
      await prepare?.(out);
      const killed = await runProgram(['--import', killer, ...args(out)], { env: { KILL_AT: String(at) } });
      expect([killed.signal, killed.err], `to be killed at ${at} of ${changes}`).toEqual(['SIGKILL', '']);
      const next = await runProgram(args(out));
      expect([next.code, next.err], `killed at ${at} of ${changes}`).toEqual([0, '']);
      expect(await contents(out), `killed at ${at} of ${changes}`).toEqual(expected);
      await rm(out, { recursive: true });
    }
    console.info(`${name}: ${kills} kills at ${changes} changes to the disk`);
  });
});
