import type { Device } from '../../gpu/index.ts';
import { type Launch, Recording, record } from '../graph/index.ts';
import { collect, schedule, writesVariable } from './lifetimes.ts';
import { checkResults, type Results, tensorsOf } from './results.ts';

/** The launches that a step of `body` would run, without memory and without compiling anything. */
export function launchesOf(device: Device, body: () => Results): Launch[] {
  const recording = new Recording(device, false);
  const results = record(recording, body);
  if (recording.misuse) throw recording.misuse;
  checkResults('launchesOf', results);
  return schedule(collect(tensorsOf(results), recording.launches.filter(writesVariable)));
}
