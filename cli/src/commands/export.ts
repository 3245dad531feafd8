import { formatBytes, namingFor, type WritableTensor } from '@zeroseg/core/internal';
import { readSafetensors, toFloat32, writeSafetensors } from '@zeroseg/core/nn';
import { modelInfo, type NamingRule, namingMetadata } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { isSameFile, standardStream, writeNamedFile } from '../files/index.ts';
import { findModel, readBytes } from '../runs/index.ts';
import {
  averageWords,
  type Context,
  checkResultFile,
  type GroupArguments,
  groupOptions,
  groupRules,
  numberFrom,
  oneOf,
  type RefineArguments,
  refineOptions,
  refineRule,
  UsageError,
  wholeNumber,
} from '../shell/index.ts';

interface ExportArguments extends GroupArguments, RefineArguments {
  readonly model: string;
  readonly out: string;
  readonly scoring?: NamingRule['scoring'];
  readonly top?: number;
  readonly background?: number;
  readonly scale?: number;
  readonly short?: number;
}

/** What the file is to say of PAMR: that it holds, or with `--refine none` its settings for whoever asks for it. */
function exportedRefine(chosen: RefineArguments, naming: NamingRule): Pick<NamingRule, 'refine' | 'pamr'> {
  const { refine, pamrSteps, pamrDilations } = chosen;
  // What the file says of PAMR stays, whether it holds or not, but for what is given.
  const known = { ...naming.pamr, ...(naming.refine || {}) };
  if (refine === 'none') {
    const pamr = { steps: pamrSteps ?? known.steps, dilations: pamrDilations ?? known.dilations };
    return { pamr: pamr.steps === undefined && pamr.dilations === undefined ? undefined : pamr };
  }
  const found = refineRule(chosen, naming);
  return found ? { refine: found } : { pamr: naming.pamr };
}

/** `zeroseg export`: a trained model as one file in half precision, to keep or to ship. */
export function exportCommand(context: Context): Command {
  return refineOptions(groupOptions(new Command('export')))
    .description('write a trained model as one file in half precision, with how it is best used')
    .requiredOption('--model <place>', 'folder of a run, a model file, or built-in')
    .requiredOption('--out <file>', 'the safetensors file to write')
    .option(
      '--scoring <kind>',
      'what `zeroseg segment` is to score by: groupvit, softmax or cosine (default: as the model says)',
      oneOf('groupvit', 'softmax', 'cosine'),
    )
    .option('--top <n>', 'how many classes the whole photo is to let through', wholeNumber(1, 65_535))
    .option('--background <score>', 'below what score there is to be background', numberFrom(0, 1e6))
    .option('--scale <factor>', 'factor on cosines before the softmax', numberFrom(1e-6, 1e4))
    .option('--short <pixels>', 'shorter side that photos are to be resized to', wholeNumber(1, 16_384))
    .addHelpText(
      'after',
      '\nExample:\n  zeroseg export --model out/run --background 0.3 --out student.safetensors\n\n' +
        'How segments are named and refined goes into the file, as far as it is given; segment, eval and score follow it unless told otherwise. ' +
        '--refine none with --pamr-steps or --pamr-dilations leaves refining off, and says what --refine pamr is to take.',
    )
    .action((options: ExportArguments) => exportModel(context, options));
}

async function exportModel(
  { terminal }: Context,
  { model, out, background: threshold, ...chosen }: ExportArguments,
): Promise<void> {
  const file = await findModel(model);
  const stored = readSafetensors(await readBytes(file), file);
  const { step, naming, ema } = modelInfo(stored, file);
  const isHalf = [...stored.tensors.values()].every(({ dtype }) => dtype === 'F16');
  if (!isHalf && (await isSameFile(file, out))) {
    throw new UsageError(
      `--out: ${out} is the model itself, whose weights would be rounded to half precision; give another file`,
    );
  }
  await checkResultFile('export: --out', out);
  const suited = namingFor(naming, chosen.scoring);
  const { scoring = naming.scoring, top = naming.top, scale = naming.scale, short = naming.short } = chosen;
  const rule = {
    ...{ scoring, top, threshold: threshold ?? naming.threshold, scale, short },
    ...groupRules(chosen, suited, { isGrouping: true, scoring }),
    ...exportedRefine(chosen, naming),
  };
  const entries = [...stored.tensors].map(([name, tensor]): [string, WritableTensor] => [
    name,
    { dtype: 'F16', shape: tensor.shape, data: toFloat32(tensor) },
  ]);
  // A rule that says nothing any more is none.
  const { naming: _, ...metadata } = stored.metadata;
  const bytes = writeSafetensors(entries, { ...metadata, ...namingMetadata(rule) }, out);
  await writeNamedFile(out, bytes);
  const said = `${out}: ${formatBytes(bytes.length)}, the weights after ${step} steps${ema > 0 ? ` (${averageWords(ema)})` : ''}`;
  // The file itself may be what standard output is for.
  terminal[standardStream(out) ? 'note' : 'out'](said);
}
