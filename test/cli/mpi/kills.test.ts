/** `mpirun -n N zeroseg train` and `cache`: processes are killed at random moments, and other numbers of them go on. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readCache } from '@zeroseg/core/zeroseg';
import { expect, test } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { readSafetensors, toFloat32 } from '../../../src/nn/safetensors/index.ts';
import { seeded } from '../../support/check-op.ts';
import {
  temporaryFolder,
  useCommandLine,
  writeCache,
  writeClip,
  writeConfig,
  writePhotos,
} from '../../support/made-up.ts';
import { hasMpirun, mpirun, processOfRank } from '../../support/mpirun.ts';
import { buildProgram, type Ended } from '../../support/programs.ts';

/** Kills of each kind, and which; more by hand: `KILLS=10 SEED=2 npx vitest run --project node test/cli/mpi/kills.test.ts`. */
const KILLS = Number(process.env['KILLS'] ?? 1);
const SEED = Number(process.env['SEED'] ?? 1);

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const program = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });

interface Killed extends Ended {
  readonly rank: number;
  readonly processes: number;
  /** Whether it was at work already; if not, it was starting. */
  readonly wasWorking: boolean;
  /** From the kill to the end of the job. */
  readonly seconds: number;
}

/**
 * Runs a command in so many processes, and kills one: either while they start, or once what is done has grown by a few and a moment more.
 * Undefined where the job was over before.
 */
async function killOne(
  args: readonly string[],
  {
    processes,
    rank,
    random,
    done,
  }: Record<'processes' | 'rank', number> & { random(): number; done(): Promise<number> },
): Promise<Killed | undefined> {
  const isEarly = random() < 0.25;
  const wanted = (await done()) + 2 + Math.floor(random() * 3);
  const pause = random() * (isEarly ? 1500 : 30);
  let [isOver, killed, wasWorking] = [false, 0, false];
  let all: number[] = [];
  const job = await mpirun(processes, [program, ...args], {
    env: { XDG_CACHE_HOME: at('no-tuning') },
    begun: async (pid) => {
      while (!isOver && !isEarly && (await done()) < wanted) await sleep(2);
      await sleep(pause);
      let victim: number | undefined;
      while (!isOver && (victim = processOfRank(pid, rank)) === undefined) await sleep(5);
      if (victim === undefined) return;
      all = Array.from({ length: processes }, (_, rank) => processOfRank(pid, rank) ?? 0).filter((id) => id > 0);
      wasWorking = !isEarly;
      killed = performance.now();
      process.kill(victim, 'SIGKILL');
    },
  });
  isOver = true;
  const seconds = (performance.now() - killed) / 1000;
  // Those that are ended by force may be there for a moment, and hold the lock of the folder.
  while (all.some((id) => existsSync(`/proc/${id}`))) await sleep(20);
  return killed === 0 ? undefined : { ...job, rank, processes, wasWorking, seconds };
}

/** Kills processes of a job that goes on again and again, in turn with two and three of them; the first of them first. */
async function killAgainAndAgain(
  seed: number,
  argsNow: () => readonly string[],
  done: () => Promise<number>,
): Promise<Killed[]> {
  const random = seeded(seed);
  const kills: Killed[] = [];
  let processes = 2;
  while (kills.length < KILLS) {
    const rank = kills.length === 0 ? 0 : Math.floor(random() * processes);
    const killed = await killOne(argsNow(), { processes, rank, random, done });
    if (!killed) break;
    kills.push(killed);
    const { code, err, out, seconds } = killed;
    expect(code, `${err}${out}`).not.toBe(0);
    expect(seconds).toBeLessThan(20);
    processes = 5 - processes;
  }
  if (process.env['KILLS'])
    console.log(
      kills.map((kill) => [kill.rank, kill.processes, kill.wasWorking, kill.seconds.toFixed(2)].join(' ')).join('\n'),
    );
  return kills;
}

const STEPS = KILLS * 4 + 4;

async function losses(run: string): Promise<number[]> {
  const text = await readFile(at(run, 'metrics.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { loss: number }).loss);
}

test.skipIf(!hasMpirun)(
  'a training whose processes are killed, and go on in other numbers, ends with its weights',
  async () => {
    await writeConfig(at('small.json'));
    await writeCache(at('cache'));
    const args = ['train', '--cache', at('cache'), '--config', at('small.json'), '--steps', String(STEPS)];
    // Four micro-batches for up to three processes. What has no gradient but rounding stays, which Adam would enlarge.
    args.push('--micro', '1', '--set', 'adam_eps=0.001', '--save-every', '1', '--out');
    const whole = await zeroseg(...args, at('whole'));
    expect(whole.code, whole.err).toBe(0);

    const resumed = () => (existsSync(at('run', 'config.json')) ? ['--resume'] : []);
    const kills = await killAgainAndAgain(
      SEED,
      () => [...args, at('run'), ...resumed()],
      async () => (await losses('run')).length,
    );
    expect(kills.length).toBeGreaterThan(0);
    for (const { err, rank, processes } of kills.filter(({ wasWorking }) => wasWorking)) {
      const speaker = rank === 0 ? 'rank 1: ' : '';
      const words = `zeroseg: ${speaker}train: stopped while waiting for the other processes: rank ${rank} has ended`;
      expect(err, `rank ${rank} of ${processes}`).toContain(words);
    }
    const last = await zeroseg(...args, at('run'), ...resumed());
    expect(last.code, last.err).toBe(0);

    const [found, wanted] = [await losses('run'), await losses('whole')];
    expect(found).toHaveLength(STEPS);
    for (const [i, loss] of found.entries()) {
      expect(Math.abs(loss / (wanted[i] as number) - 1), `loss of step ${i + 1}`).toBeLessThan(1e-6);
    }
    const weights = async (run: string) => {
      const file = at(run, 'model.safetensors');
      return readSafetensors(new Uint8Array(await readFile(file)), file).tensors;
    };
    const [own, others] = [await weights('run'), await weights('whole')];
    expect([...own.keys()]).toEqual([...others.keys()]);
    let largest = 0;
    for (const [name, tensor] of own) {
      const [x, y] = [toFloat32(tensor), toFloat32(others.get(name) as typeof tensor)];
      const off = Math.max(...x.map((value, i) => Math.abs(value - (y[i] as number))));
      largest = Math.max(largest, off);
      expect(off, name).toBeLessThan(1e-6);
    }
    if (process.env['KILLS']) console.log(`weights: off by ${largest} at most`);
  },
);

test.skipIf(!hasMpirun)(
  'a cache whose processes are killed, and go on in other numbers, is that of one process',
  async () => {
    const photos = KILLS * 6 + 6;
    await writePhotos(at('photos'), photos);
    await writeClip(at('clip'));
    const args = [
      'cache',
      at('photos'),
      '--clip',
      at('clip'),
      '--grids',
      '1,2',
      '--image-size',
      '16',
      '--file-rows',
      '1',
    ];
    const whole = await zeroseg(...args, '--out', at('features'));
    expect(whole.code, whole.err).toBe(0);

    const done = async (): Promise<number> => {
      const names = await readdir(at('parts'), { recursive: true }).catch(() => []);
      return names.filter((name) => /features-\d+\.json$/.test(name)).length;
    };
    const kills = await killAgainAndAgain(SEED + 1, () => [...args, '--out', at('parts')], done);
    expect(kills.length).toBeGreaterThan(0);
    const last = await zeroseg(...args, '--out', at('parts'));
    expect(last.code, last.err).toBe(0);
    const [parts, alone] = [
      await readCache(nodeFileSystem(at('parts'))),
      await readCache(nodeFileSystem(at('features'))),
    ];
    expect(parts.paths).toEqual(alone.paths);
    expect(parts.length).toBe(photos);
    for (let i = 0; i < photos; i++) {
      expect(await parts.features(i)).toEqual(await alone.features(i));
      expect(await parts.image(i)).toEqual(await alone.image(i));
    }
    expect(await parts.verify()).toEqual([]);
    await parts.close();
    await alone.close();
  },
);
