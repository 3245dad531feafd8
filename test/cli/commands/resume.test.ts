import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import {
  temporaryFolder,
  useCommandLine,
  writeCache,
  writeClip,
  writeConfig,
  writePhotos,
} from '../../support/made-up.ts';
import { buildProgram } from '../../support/programs.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const program = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });
const STEPS = 12;

beforeAll(async () => {
  await writePhotos(at('photos'), 8);
  await writeClip(at('clip'));
  await writeConfig(at('small.json'));
  await writeCache(at('cache'));
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
}

/** Runs the program, and sends `signal` once the metrics of the run have so many lines. */
async function stopChild(
  args: readonly string[],
  signal: { name: NodeJS.Signals; run: string; lines: number },
): Promise<Ended> {
  // Without what was tuned on this machine: the runs that are not stopped compute in this process, without it too.
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, XDG_CACHE_HOME: at('no-tuning') },
  });
  let out = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (out += text));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out })));
  let over = false;
  void ended.then(() => (over = true));
  while (!over && (await lines(signal.run)).length < signal.lines) await new Promise((next) => setTimeout(next, 2));
  child.kill(signal.name);
  return ended;
}

async function lines(run: string): Promise<string[]> {
  const text = await readFile(join(run, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** The metrics without what the clock says. */
async function metrics(run: string): Promise<object[]> {
  return (await lines(run)).map((line) => {
    const { seconds: _, imagesPerSecond: __, ...rest } = JSON.parse(line) as Record<string, number>;
    return rest;
  });
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: { readonly step: number };
}

/** Spans of a row lie behind or within each other, all phases are there, and batches are read while the device computes. */
function checkTrace({ traceEvents }: { readonly traceEvents: readonly TraceEvent[] }): void {
  const spans = traceEvents.filter(({ ph }) => ph === 'X').sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const open = new Map<number, number[]>();
  for (const { name, tid, ts, dur } of spans) {
    const ends = (open.get(tid) ?? []).filter((end) => end > ts);
    for (const end of ends) expect(ts + dur, `${name} at ${ts}`).toBeLessThanOrEqual(end);
    open.set(tid, [...ends, ts + dur]);
  }
  const named = (wanted: string) => spans.filter(({ name }) => name === wanted);
  for (const name of ['read', 'decode', 'upload', 'compute']) {
    expect(new Set(named(name).map(({ args }) => args.step)), name).toEqual(new Set([1, 2, 3, 4, 5]));
  }
  for (const name of ['copy', 'checkpoint', 'fetch', 'write']) {
    expect(new Set(named(name).map(({ args }) => args.step)), name).toEqual(new Set([3]));
  }
  expect(traceEvents.filter(({ name, ph }) => name === 'read back' && ph === 'b').length).toBeGreaterThanOrEqual(5);
  const isComputing = (at: number) => named('compute').some(({ ts, dur }) => ts <= at && at < ts + dur);
  const [, ...later] = named('read');
  expect(later.filter(({ ts }) => isComputing(ts)).length).toBeGreaterThanOrEqual(later.length / 2);
}

test('killed, stopped and resumed, a run gives the same numbers as one that was not', async () => {
  const args = [
    'train',
    '--cache',
    at('cache'),
    '--config',
    at('small.json'),
    '--steps',
    String(STEPS),
    '--save-every',
    '3',
    ...['--ema', '0.8', '--mirror', '--order', 'windowed', '--micro', 'auto', '--gpu-memory', '1'],
  ];
  const whole = await zeroseg(...args, '--out', at('whole'), '--trace', at('trace.json'), '--trace-steps', '5');
  expect(whole.code, whole.err).toBe(0);
  expect(whole.out).toMatch(/trace: \S+trace\.json, for ui\.perfetto\.dev; the device waited [\d.]+ % of the time/);
  checkTrace(JSON.parse(await readFile(at('trace.json'), 'utf8')));

  const run = at('parts');
  const killed = await stopChild([...args, '--out', run], { name: 'SIGKILL', run, lines: 4 });
  expect(killed.code, killed.out).toBe(null);
  expect(await readdir(run)).not.toContain('model.safetensors');
  // Half a line, as a kill in the middle of a write leaves it, and half a checkpoint.
  await writeFile(join(run, 'metrics.jsonl'), `${await readFile(join(run, 'metrics.jsonl'), 'utf8')}{"step":`);

  const stopped = await stopChild(['train', '--out', run, '--resume'], { name: 'SIGINT', run, lines: 8 });
  expect(stopped.code, stopped.out).toBe(130);
  expect(stopped.out).toMatch(/stopped after step \d+ of 12, saved; go on with: zeroseg train --out \S+ --resume/);
  expect(await readdir(run)).toContain('report.html');

  const resumed = await zeroseg(...args, '--out', run, '--resume');
  expect(resumed.code, resumed.err).toBe(0);
  expect(await metrics(run)).toEqual(await metrics(at('whole')));
  expect(await metrics(run)).toHaveLength(STEPS);
  const model = (folder: string) => readFile(join(folder, 'model.safetensors'));
  expect((await model(run)).equals(await model(at('whole')))).toBe(true);
  expect(whole.out).toMatch(
    /^micro-batch 4: \S+ MB planned; nine tenths of the memory \(--gpu-memory 1\) hold no more$/m,
  );
  expect(whole.out).toContain('the model is the moving average of its weights, decay 0.8');
  const exported = await zeroseg('export', '--model', run, '--out', at('half.safetensors'));
  expect(exported.out).toMatch(/the weights after 12 steps \(their moving average over training, decay 0\.8\)$/);
});

test('a run that is done is left as it is', async () => {
  const before = await lines(at('whole'));
  const { code, out, err } = await zeroseg('train', '--out', at('whole'), '--resume', '--trace', at('none.json'));
  expect([code, err]).toEqual([0, `trace: ${at('none.json')} is not written: no step was made`]);
  expect(await readdir(base)).not.toContain('none.json');
  expect(out).toContain(`${STEPS} steps, 2 an epoch, going on after step ${STEPS}`);
  expect(await lines(at('whole'))).toEqual(before);
});

test('a run that is done is made longer, from the checkpoint before a damaged one', async () => {
  const run = at('whole');
  const before = await metrics(run);
  const newest = join(run, 'checkpoints', 'step-000012', 'model.safetensors');
  const bytes = await readFile(newest);
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] as number) ^ 1;
  await writeFile(newest, bytes);
  const { code, out, err } = await zeroseg('train', '--out', run, '--resume', '--steps', '14');
  expect(code, err).toBe(0);
  expect(err).toBe(`${newest}: the file is damaged: wrong checksum; going on from the checkpoint of step 9`);
  expect(out).toContain(
    'made longer: 7 epochs instead of 6; from here on, the learning rate is that of the longer training',
  );
  const after = await metrics(run);
  expect(after).toHaveLength(14);
  expect(after.slice(0, 9)).toEqual(before.slice(0, 9));
  const { settings } = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'));
  expect([settings.epochs, settings.warmup]).toEqual([7, 1.5]);
  const shorter = await zeroseg('train', '--out', run, '--resume', '--steps', '10');
  expect([shorter.code, shorter.err.replace(base, 'BASE')]).toEqual([
    1,
    'zeroseg: train: BASE/whole: this run was begun differently (epochs was 7, is 5 now); resume it as it was, or begin another in a new folder',
  ]);
});

test('a signal before the first step: nothing is saved, and the run begins when it is resumed', async () => {
  const args = ['train', '--cache', at('cache'), '--config', at('small.json'), '--steps', '1', '--out', at('early')];
  const before = process.listenerCount('SIGTERM');
  const listening = setInterval(() => {
    if (process.listenerCount('SIGTERM') > before) process.emit('SIGTERM');
  }, 1);
  const { code, out } = await zeroseg(...args).finally(() => clearInterval(listening));
  expect(code).toBe(143);
  expect(out).toContain('stopped before the first step, with nothing to save; go on with: zeroseg train --out');
  expect(await lines(at('early'))).toEqual([]);
  const again = await zeroseg('train', '--out', at('early'), '--resume');
  expect(again.code, again.err).toBe(0);
  expect(await lines(at('early'))).toHaveLength(1);
});

test('a signal while caching: what is done is kept, and the same command goes on', async () => {
  const args = [
    'cache',
    at('photos'),
    '--clip',
    at('clip'),
    '--out',
    at('second'),
    '--grids',
    '1,2',
    '--image-size',
    '16',
  ];
  // In this process, since the work is too short to be hit from outside: sent as soon as somebody listens.
  const listening = setInterval(() => {
    if (process.listenerCount('SIGTERM') > before) process.emit('SIGTERM');
  }, 1);
  const before = process.listenerCount('SIGTERM');
  const { code, out } = await zeroseg(...args).finally(() => clearInterval(listening));
  expect(code).toBe(143);
  expect(out).toMatch(/stopped: \d of 8 photos in \S+; run the same command to go on/);
  const again = await zeroseg(...args);
  expect(again.code).toBe(0);
  expect(again.out).toMatch(/second: 8 photos/);
});
