/** One library in a worker of its own, so that nothing of one stays with another. Its code is loaded here, and nowhere else. */
import type * as zeroseg from 'bench-peers/libraries/zeroseg.mjs';
import { countCalls } from 'bench-peers/meter.mjs';
import { type Library, Peer, type Prepared } from 'bench-peers/peer.mjs';
import { type Expected, type Workload, workloads } from 'bench-peers/workloads.mjs';
import { expose } from 'comlink';

export type PeerName = 'zeroseg' | 'tfjs' | 'jax';

const open: Readonly<Record<PeerName, () => Promise<Library>>> = {
  async zeroseg() {
    const { open } = (await import('bench-peers/libraries/zeroseg.mjs')) as typeof zeroseg;
    return open({ zeroseg: await import('@zeroseg/core') });
  },
  tfjs: async () => (await import('bench-peers/libraries/tfjs.mjs')).open(),
  jax: async () => (await import('bench-peers/libraries/jax.mjs')).open(),
};

let peer: Peer | undefined;

const worker = {
  async open(name: PeerName): Promise<Library> {
    countCalls(globalThis);
    const library = await open[name]();
    peer = new Peer(library);
    const { label, adapter, software } = library;
    return { label, ...(adapter !== undefined && { adapter }), ...(software !== undefined && { software }) };
  },
  /** What is right, in float64. */
  expected(name: string): Expected[] {
    const workload = workloadOf(name);
    return workload.expected(workload.inputs());
  },
  prepare: (name: string, expected: readonly Expected[]): Promise<Prepared> =>
    (peer as Peer).prepare(workloadOf(name), expected),
  turn: (turn: { span: number; max: number }) => (peer as Peer).turn(turn),
};

function workloadOf(name: string): Workload {
  return workloads.find((one) => one.name === name) as Workload;
}

export type PeerWorker = typeof worker;

// A library that throws where nobody waits (jax-js sends off work in promises of its own) must not fail the page.
addEventListener('unhandledrejection', (event) => event.preventDefault());

expose(worker);
