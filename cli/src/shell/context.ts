import { type Device, openDevice } from '@zeroseg/core';
import type { WordStore } from '@zeroseg/core/zeroseg';
import { catchInterruption, type Interruption } from './interruption.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets beside its own arguments. */
export interface Context {
  readonly terminal: Terminal;
  /** Where vectors of words are kept between commands. Tests have none. */
  readonly words?: WordStore | undefined;
  /** An open device for all commands, which stays open. Default: each opens its own. */
  readonly device?: Device | undefined;
}

/** Words of the option that all commands with a GPU have. */
export const adapterOption = [
  '--adapter <name>',
  'GPU to use: part of its name, or hardware, lavapipe, swiftshader (default: the fastest there is)',
] as const;

/**
 * Opens a device, unless the context has one and no other is asked for, and takes Ctrl-C for as long as `work` goes on; afterwards
 * both are given back, so that the process ends.
 */
export async function withDevice<T>(
  { terminal, device: given }: Context,
  adapter: string | undefined,
  work: (device: Device, interruption: Interruption) => Promise<T>,
): Promise<T> {
  const isGiven = given !== undefined && adapter === undefined;
  const device = isGiven
    ? given
    : await openDevice({ ...(adapter ? { adapter } : {}), notice: (line) => terminal.note(line) });
  const interruption = catchInterruption();
  try {
    return await work(device, interruption);
  } finally {
    interruption.release();
    if (!isGiven) device.dispose();
  }
}
