import { formatBytes, type WritableTensor } from '@zeroseg/core/internal';
import { readSafetensors, toFloat32, writeSafetensors } from '@zeroseg/core/nn';
import { modelInfo } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { standardStream, writeNamedFile } from '../files/index.ts';
import { findModel, readBytes } from '../runs/index.ts';
import type { Context } from '../shell/index.ts';

interface ExportArguments {
  readonly model: string;
  readonly out: string;
}

/** `zeroseg export`: a trained model as one file in half precision, to keep or to ship. */
export function exportCommand(context: Context): Command {
  return new Command('export')
    .description('write a trained model as one file in half precision')
    .requiredOption('--model <place>', 'folder of a run, or a model file')
    .requiredOption('--out <file>', 'the safetensors file to write')
    .addHelpText('after', '\nExample:\n  zeroseg export --model out/run --out student.safetensors')
    .action((options: ExportArguments) => exportModel(context, options));
}

async function exportModel({ terminal }: Context, { model, out }: ExportArguments): Promise<void> {
  const file = await findModel(model);
  const stored = readSafetensors(await readBytes(file), file);
  const { step } = modelInfo(stored, file);
  const entries = [...stored.tensors].map(([name, tensor]): [string, WritableTensor] => [
    name,
    { dtype: 'F16', shape: tensor.shape, data: toFloat32(tensor) },
  ]);
  const bytes = writeSafetensors(entries, stored.metadata, out);
  await writeNamedFile(out, bytes);
  const said = `${out}: ${formatBytes(bytes.length)}, the weights after ${step} steps`;
  // The file itself may be what standard output is for.
  terminal[standardStream(out) ? 'note' : 'out'](said);
}
