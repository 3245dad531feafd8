import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import { measureInTurns } from './turns.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** Measures each library in a process of its own; on adapters that compute on the processor by the processor's clock. */
export function measure(workloads, libraries, { runs, adapter, build, verbose, progress }) {
  const files = new Map(workloads.map((workload) => [workload, referenceOf(workload, progress)]));
  return measureInTurns(workloads, libraries, {
    runs,
    clockOf: (software) => (software ? 'processor' : 'wall'),
    openPeer: (library) => {
      const worker = new Worker(verbose);
      return {
        open: () => worker.ask({ open: { library, adapter, build } }),
        prepare: (workload) => worker.ask({ prepare: { workload: workload.name, file: files.get(workload) } }),
        turn: (turn) => worker.ask({ turn }),
        stop: () => worker.stop(),
      };
    },
    progress: ({ workload, library, found }) => found && progress(`${workload} · ${library}: ${summary(found)}`),
  });
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
