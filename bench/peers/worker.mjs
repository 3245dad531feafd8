// One library in a process of its own: it does what the parent's messages say, one at a time.
//   { open: { library, adapter, build } }         → { label, adapter, software }
//   { prepare: { workload, file } }               → { first, error, wrong }     compile, run, compare with the reference
//   { turn: { span, max } }              → { samples: [{ wall, processor }], counts }
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { globals } from 'webgpu';
import { countCalls } from './meter.mjs';
import { Peer } from './peer.mjs';
import { quietly } from './quietly.mjs';
import { workloads } from './workloads.mjs';

let peer;

const actions = {
  async open({ library: name, adapter, build }) {
    Object.assign(globalThis, globals);
    countCalls(globals);
    if (name !== 'zeroseg') {
      const { provide } = await import('../../dist/gpu/platform/provider.node.js');
      // An adapter gives one device, and libraries ask more than once.
      const requestAdapter = async () => (await provide(adapter ? { adapter } : {})).adapter;
      const gpu = { requestAdapter, wgslLanguageFeatures: new Set() };
      const value = { gpu, userAgent: 'Node', platform: 'Node', language: 'en', hardwareConcurrency: 1 };
      Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
    }
    const { open } = await import(`./libraries/${name}.mjs`);
    const zeroseg = name === 'zeroseg' ? await import(`${build}/index.js`) : undefined;
    const library = await open({ adapter, zeroseg });
    peer = new Peer(library, { processorTime, awaited: quietly });
    const { label, adapter: found, software } = library;
    return { label, adapter: found, software };
  },

  prepare: ({ workload: wanted, file }) =>
    peer.prepare(
      workloads.find(({ name }) => name === wanted),
      deserialize(readFileSync(file)),
    ),

  turn: (turn) => peer.turn(turn),
};

function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

process.on('message', async (message) => {
  const [[action, details]] = Object.entries(message);
  try {
    process.send({ result: await actions[action](details) });
  } catch (error) {
    process.send({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// A library that throws where nobody waits (jax-js sends off work in promises of its own) must not take the rest with it.
process.on('unhandledRejection', (error) => console.error(error));
// A parent that was interrupted leaves no processes behind.
process.on('disconnect', () => process.exit());
