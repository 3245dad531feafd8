// npm run bench:peers: the same work in @zeroseg/core and in other libraries that compute with WebGPU. See README.md.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkTarget, countOf, readOptions, refuse } from '../options.mjs';
import { measure } from './measure.mjs';
import { markdown } from './table.mjs';
import { workloads } from './workloads.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const libraries = ['zeroseg', 'tfjs', 'jax', 'ort', 'ort-fused', 'ort-older'];

const command = 'bench:peers';
const options = readOptions(command, {
  filter: { type: 'string', default: '' },
  libraries: { type: 'string', default: libraries.join() },
  runs: { type: 'string', default: '9' },
  adapter: { type: 'string' },
  json: { type: 'string' },
  build: { type: 'string', default: resolve(here, '../../dist') },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
});

if (options.help) {
  console.log(`npm run bench:peers -- [options]
  --filter TEXT      only workloads whose names contain one of these, separated by commas
  --libraries LIST   of ${libraries.join(', ')}
  --runs N           rounds; in each every library has a turn (default 9)
  --adapter NAME     lavapipe, swiftshader, hardware, or part of an adapter's name
  --json FILE        everything that was measured
  --build FOLDER     the build of @zeroseg/core to measure (default dist)
  --verbose          what the libraries print, on stderr`);
  process.exit(0);
}

const wanted = options.filter.split(',').map((text) => text.trim().toLowerCase());
const chosen = workloads.filter(({ name }) => wanted.some((text) => name.toLowerCase().includes(text)));
if (chosen.length === 0) refuse(command, `--filter: no workload is called '${options.filter}'`);
const taking = options.libraries.split(',');
for (const name of taking)
  if (!libraries.includes(name))
    refuse(command, `--libraries: there is no '${name}'; there are ${libraries.join(', ')}`);
const runs = countOf(command, 'runs', options.runs);
if (options.json) checkTarget(command, 'json', options.json);

if (!existsSync(join(here, 'node_modules'))) {
  console.error('installing the other libraries in bench/peers/node_modules …');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' });
}

const report = await measure(chosen, taking, {
  runs,
  adapter: options.adapter,
  build: resolve(options.build),
  verbose: options.verbose,
  progress: (line) => console.error(line),
});
console.log(markdown(report));
if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
