import type { Device } from '../../gpu/index.ts';
import { type Launch, Recording, record } from '../graph/index.ts';
import { fuse } from './fuse.ts';
import { collect, schedule, writesVariable } from './lifetimes.ts';
import { checkResults, type Results, tensorsOf } from './results.ts';

/** The launches that `body` records and that are needed, one for each op, without memory and without compiling anything. */
export function launchesOf(device: Device, body: () => Results): Launch[] {
  return recorded(device, body).launches;
}

/** The launches that a step of `body` would run: some of {@link launchesOf} are left to others. */
export async function fusedLaunchesOf(device: Device, body: () => Results): Promise<readonly Launch[]> {
  const { launches, results } = recorded(device, body);
  return fuse(launches, new Set(results.map(({ storage }) => storage.root)));
}

function recorded(device: Device, body: () => Results) {
  const recording = new Recording(device, false);
  const results = record(recording, body);
  if (recording.misuse) throw recording.misuse;
  checkResults('launchesOf', results);
  const tensors = tensorsOf(results);
  return { launches: schedule(collect(tensors, recording.launches.filter(writesVariable))), results: tensors };
}
