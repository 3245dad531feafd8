import { elementBytes, formatBytes, size } from '@zeroseg/core/internal';
import { type FileTensor, streamSafetensors } from '@zeroseg/core/nn';
import { Command } from 'commander';
import { isSameFile, standardStream, writeNamedFile } from '../files/index.ts';
import { type Context, catchInterruption, count, oneOf, Progress, UsageError } from '../shell/index.ts';
import { openWeights } from '../weights/index.ts';

interface ConvertArguments {
  readonly out: string;
  readonly dtype?: 'f16' | 'f32' | 'bf16';
}

/** `zeroseg convert`: any file of weights as one safetensors file. */
export function convertCommand(context: Context): Command {
  return new Command('convert')
    .description('write any file of weights that can be read as one safetensors file')
    .argument(
      '<weights>',
      'a file of PyTorch (.pth, .pt, .bin, TorchScript) or safetensors, an index of parts, or a folder with one of these',
    )
    .requiredOption('--out <file>', 'the safetensors file to write')
    .option(
      '--dtype <type>',
      'type of all floats in it: f16, f32 or bf16 (default: as they are)',
      oneOf('f16', 'f32', 'bf16'),
    )
    .addHelpText(
      'after',
      '\nExample:\n  zeroseg convert mae_pretrain_vit_base.pth --dtype f16 --out mae.safetensors\n\n' +
        'Files of PyTorch are read as data: nothing in them is run, and what weights do not need is refused by its name. ' +
        'Names of tensors stay as they are. Tensors are read and written one after another, so a file may be larger than the memory.',
    )
    .action((place: string, options: ConvertArguments) => convert(context, place, options));
}

async function convert({ terminal }: Context, place: string, { out, dtype: type }: ConvertArguments): Promise<void> {
  const { files, tensors, metadata, part } = await openWeights(place);
  for (const file of files) {
    if (await isSameFile(file, out)) throw new UsageError(`--out: ${out} is what is converted; give another file`);
  }
  const dtype = type && dtypes[type];
  // Programs of Hugging Face take no file that does not say whose layout its tensors have.
  const parts = streamSafetensors(tensors, { dtype, metadata: { format: 'pt', ...metadata }, name: out });
  const all = [...tensors.values()];
  const total = all.reduce((sum, { shape, dtype: own }) => sum + size(shape) * (elementBytes(dtype ?? own) ?? 0), 0);
  const progress = new Progress(terminal, 'converting', Math.ceil(total / MEGABYTE), 'MB');
  const interruption = catchInterruption();
  let bytes = 0;
  async function* stoppable(): AsyncGenerator<Uint8Array> {
    for await (const content of parts) {
      interruption.abortSignal.throwIfAborted();
      yield content;
      bytes += content.length;
      progress.at(Math.floor(Math.min(bytes, total) / MEGABYTE));
    }
  }
  try {
    await writeNamedFile(out, stoppable());
  } finally {
    progress.stop();
    interruption.release();
  }
  // The file itself may be what standard output is for.
  const say = (line: string): void => terminal[standardStream(out) ? 'note' : 'out'](line);
  const from = part ? `${place} ('${part}' of it)` : place;
  say(`${out}: ${formatBytes(bytes)}, ${count(tensors.size, 'tensors')} of ${from}${typesOf(tensors, dtype)}`);
  for (const names of tied(tensors)) {
    say(`  ${names.join(' and ')} are one tensor in ${place}; each has its own copy in ${out}`);
  }
}

const MEGABYTE = 1e6;
const dtypes = { f16: 'F16', f32: 'F32', bf16: 'BF16' } as const;

function typesOf(tensors: ReadonlyMap<string, FileTensor>, dtype: string | undefined): string {
  const types = [...new Set([...tensors.values()].map((one) => one.dtype))];
  return `, ${dtype === undefined || types.join() === dtype ? types.join(', ') : `${types.join(', ')} as ${dtype}`}`;
}

/** Names of tensors that are the same elements of the same file. */
function tied(tensors: ReadonlyMap<string, FileTensor>): string[][] {
  const places = new Map<string, string[]>();
  for (const [name, tensor] of tensors) {
    if (size(tensor.shape) === 0) continue;
    const key = [tensor.file, tensor.start, tensor.dtype, tensor.shape].join('|');
    places.set(key, [...(places.get(key) ?? []), name]);
  }
  return [...places.values()].filter((names) => names.length > 1);
}
