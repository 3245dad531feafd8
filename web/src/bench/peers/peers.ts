/** The same work in other libraries: each in a worker of its own, in turns. See bench/peers. */
import { type Signal, signal } from '@preact/signals';
import { type Comparison, measureInTurns, type PlacedPeer } from 'bench-peers/turns.mjs';
import { type Expected, type Workload, workloads } from 'bench-peers/workloads.mjs';
import { wrap } from 'comlink';
import { doing, doOne } from '../state.ts';
import type { PeerName, PeerWorker } from './peer-worker.ts';

export type { Comparison } from 'bench-peers/turns.mjs';

const libraries: readonly PeerName[] = ['zeroseg', 'tfjs', 'jax'];

/** Rounds; in each every library has a turn. */
const ROUNDS = 9;

export const workNames: readonly string[] = workloads.map(({ name }) => name);
/** What takes seconds on a processor too. */
const shortNames: readonly string[] = [
  'matmul 512³',
  'softmax [2364, 197]',
  'layer norm [788, 768]',
  'GELU [788, 3072]',
];
export const chosenWork: Signal<ReadonlySet<string>> = signal(new Set(shortNames));

export const comparison: Signal<Comparison | undefined> = signal(undefined);

let stopping = new AbortController();

export function compare(): Promise<void> {
  return doOne('comparing', async () => {
    stopping = new AbortController();
    comparison.value = undefined;
    const chosen = workloads.filter(({ name }) => chosenWork.peek().has(name));
    const expected = await references(chosen);
    comparison.value = await measureInTurns(chosen, libraries, {
      runs: ROUNDS,
      signal: stopping.signal,
      // A page has no clock of the processor's time.
      clockOf: () => 'wall',
      openPeer: (library) => openPeer(library as PeerName, expected),
      progress({ workload, library }) {
        const done = chosen.findIndex(({ name }) => name === workload);
        doing.value = { name: `${workload} in ${titles[library as PeerName]}`, done, total: chosen.length };
      },
      onRow(soFar) {
        comparison.value = { ...soFar, rows: [...soFar.rows] };
      },
    });
  });
}

export function stopComparing(): void {
  stopping.abort();
}

const titles: Readonly<Record<PeerName, string>> = { zeroseg: 'this library', tfjs: 'TensorFlow.js', jax: 'jax-js' };

/** What is right, by the work's name: computed in a worker that measures nothing. */
async function references(chosen: readonly Workload[]): Promise<ReadonlyMap<string, readonly Expected[]>> {
  const { worker, remote } = startWorker();
  const failed = failureOf(worker, 'other libraries');
  const found = new Map<string, readonly Expected[]>();
  try {
    for (const { name } of chosen) {
      doing.value = { name: `${name}: the reference in float64`, done: 0, total: chosen.length };
      found.set(name, await Promise.race([remote.expected(name), failed]));
    }
  } finally {
    worker.terminate();
  }
  return found;
}

function openPeer(library: PeerName, expected: ReadonlyMap<string, readonly Expected[]>): PlacedPeer {
  const { worker, remote } = startWorker();
  const failed = failureOf(worker, titles[library]);
  return {
    open: () => Promise.race([remote.open(library), failed]),
    prepare: ({ name }) => Promise.race([remote.prepare(name, expected.get(name) ?? []), failed]),
    turn: (turn) => Promise.race([remote.turn(turn), failed]),
    stop: () => worker.terminate(),
  };
}

/** Fails when the worker's script does not load, or throws where nobody waits. */
function failureOf(worker: Worker, what: string): Promise<never> {
  const failed = new Promise<never>((_, fail) => {
    worker.addEventListener('error', ({ message }) => {
      fail(
        new Error(message || `the code for ${what} could not be loaded; it is not kept for visits without a network`),
      );
    });
  });
  failed.catch(() => {}); // while nobody waits
  return failed;
}

function startWorker() {
  const worker = new Worker(new URL('./peer-worker.ts', import.meta.url), { type: 'module', name: 'peer' });
  return { worker, remote: wrap<PeerWorker>(worker) };
}
