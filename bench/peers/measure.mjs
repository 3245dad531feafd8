import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';

const here = dirname(fileURLToPath(import.meta.url));

/** A turn repeats its workload for so many milliseconds, or so often. */
const turn = { span: 40, max: 10 };

/**
 * Runs every workload in every library: a new process for each pair, so that nothing of one stays with another and every
 * first run is cold; turns go round, so that whatever else the machine does meets all of them.
 */
export async function measure(workloads, libraries, { runs, adapter, build, verbose, progress }) {
  const report = { adapter: '', software: true, runs, labels: {}, rows: [] };
  for (const workload of workloads) {
    const file = referenceOf(workload, progress);
    const results = {};
    const alive = [];
    try {
      for (const library of libraries) {
        const worker = new Worker(verbose);
        alive.push({ library, worker });
        results[library] = await prepare(worker, { library, adapter, build, workload, file, report });
        progress(`${workload.name} · ${library}: ${summary(results[library])}`);
      }
      const running = alive.filter(({ library }) => results[library].state !== 'none');
      for (let run = 0; run < runs; run++) {
        for (let i = 0; i < running.length; i++) {
          // Who begins changes from round to round.
          const { library, worker } = running[(i + run) % running.length];
          const { samples, counts } = await worker.ask({ turn });
          results[library].samples.push(...samples);
          results[library].counts = counts;
        }
      }
    } finally {
      await Promise.all(alive.map(({ worker }) => worker.stop()));
    }
    report.rows.push(row(workload, libraries, results, report.software));
  }
  return report;
}

async function prepare(worker, { library, adapter, build, workload, file, report }) {
  try {
    const { label, adapter: name, software } = await worker.ask({ open: { library, adapter, build } });
    report.labels[library] = label;
    if (name) Object.assign(report, { adapter: name, software });
    const { unsupported, first, error, wrong } = await worker.ask({ prepare: { workload: workload.name, file } });
    if (unsupported) return { state: 'none', samples: [] };
    return { state: wrong.length > 0 ? 'wrong' : 'right', wrong, error, first, samples: [] };
  } catch (failure) {
    return { state: 'none', failure: failure.message, samples: [] };
  }
}

function row({ name, goal }, libraries, results, software) {
  const cells = {};
  for (const library of libraries) {
    const { samples, ...rest } = results[library];
    const numbers = {};
    for (const clock of ['wall', 'processor']) {
      const times = samples.map((sample) => sample[clock]).sort((a, b) => a - b);
      if (times.length > 0) numbers[clock] = { best: times[0], median: times[Math.floor(times.length / 2)] };
    }
    cells[library] = { ...rest, ...numbers, samples: samples.length };
  }
  const clock = software ? 'processor' : 'wall';
  const others = libraries.filter((library) => library !== 'zeroseg' && cells[library].state === 'right');
  const fastest = others.sort((a, b) => cells[a][clock].median - cells[b][clock].median)[0];
  const ours = cells.zeroseg;
  const compared = fastest && ours?.state === 'right';
  const ratios = compared
    ? {
        median: cells[fastest][clock].median / ours[clock].median,
        best: Math.min(...others.map((library) => cells[library][clock].best)) / ours[clock].best,
        first: ours.first[clock] / Math.min(...others.map((library) => cells[library].first[clock])),
        peakBytes: ours.counts.peakBytes / Math.min(...others.map((library) => cells[library].counts.peakBytes)),
      }
    : undefined;
  return { name, goal, clock, fastest, ratios, cells };
}

function summary({ state, failure, wrong, error, first }) {
  if (failure) return `failed: ${failure.split('\n').slice(0, 3).join(' ')}`;
  if (state === 'none') return 'cannot do it';
  const text = `first run ${(first.wall / 1000).toFixed(2)} s, error ${error.toExponential(1)}`;
  return state === 'wrong' ? `WRONG (${wrong.slice(0, 3).join(', ')}), ${text}` : text;
}

/** The file with what is right, computed once as long as workloads and reference stay as they are. */
function referenceOf(workload, progress) {
  const hash = createHash('sha256').update(workload.name);
  for (const source of ['workloads.mjs', 'reference.mjs']) hash.update(readFileSync(join(here, source)));
  const folder = join(tmpdir(), 'zeroseg-bench-peers');
  const file = join(folder, `${hash.digest('hex').slice(0, 16)}.v8`);
  if (!existsSync(file)) {
    progress(`${workload.name}: computing the float64 reference`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, serialize(workload.expected(workload.inputs())));
  }
  return file;
}

class Worker {
  #child;

  constructor(verbose) {
    this.#child = fork(join(here, 'worker.mjs'), {
      stdio: ['ignore', ...(verbose ? [2, 2] : ['ignore', 'ignore']), 'ipc'],
      // Mesa would keep compiled shaders from one run to the next.
      env: { ...process.env, MESA_SHADER_CACHE_DISABLE: 'true' },
    });
  }

  ask(message) {
    return new Promise((answer, fail) => {
      const settle = (what, value) => {
        this.#child.off('message', hear);
        this.#child.off('exit', die);
        what(value);
      };
      const hear = ({ result, failure }) => (failure ? settle(fail, new Error(failure)) : settle(answer, result));
      const die = (code, signal) => settle(fail, new Error(`the process ended (${signal ?? code})`));
      this.#child.on('message', hear);
      this.#child.on('exit', die);
      this.#child.send(message);
    });
  }

  /** Ends the process: libraries keep it alive otherwise. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
