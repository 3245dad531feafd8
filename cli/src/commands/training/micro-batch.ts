import { formatBytes } from '@zeroseg/core/internal';
import type { ResolvedTraining, TrainSettings } from '@zeroseg/core/zeroseg';
import { adapterOf, type OpenMpi } from '../../mpi/index.ts';
import { estimatedMemory, fittingMicro } from '../../plan/index.ts';
import { type Context, withDevice } from '../../shell/index.ts';
import type { TrainArguments } from './train-run.ts';

/** The settings, with the micro-batch that `--micro auto` chooses. A run that goes on keeps its own: with another, its numbers would be others. */
export async function settledMicro(
  context: Context,
  { micro, adapter, gpuMemory }: TrainArguments,
  run: {
    readonly resolved: Pick<ResolvedTraining, 'config' | 'settings'>;
    readonly begun: TrainSettings | undefined;
    readonly group: OpenMpi | undefined;
  },
): Promise<TrainSettings> {
  const { begun, group } = run;
  const { config, settings } = run.resolved;
  if (micro !== 'auto') return settings;
  if (begun) return { ...settings, micro: begun.micro };
  const ranks = group?.size ?? 1;
  return withDevice(context, adapterOf(adapter, group), async (device) => {
    const memory =
      gpuMemory === undefined
        ? estimatedMemory(device)
        : { bytes: 1e9 * gpuMemory, words: `--gpu-memory ${gpuMemory}` };
    const found = await fittingMicro(device, { config, settings, ranks, memory: memory.bytes });
    context.terminal.log(
      `micro-batch ${found.micro}: ${formatBytes(found.bytes)} planned; nine tenths of the memory (${memory.words}) hold no more`,
    );
    return { ...settings, micro: found.micro };
  });
}
