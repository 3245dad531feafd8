import { formatBytes } from '@zeroseg/core/internal';
import { Command } from 'commander';
import { downloadModel } from '../hub/index.ts';
import { inspectPlace } from '../inspect/index.ts';
import { type Context, catchInterruption, count, gather, Progress, UsageError } from '../shell/index.ts';
import { kindOfPath } from '../weights/index.ts';

interface DownloadArguments {
  readonly out?: string;
  readonly revision?: string;
  readonly file?: string[];
}

/** `zeroseg download`: a model of the Hugging Face Hub. */
export function downloadCommand(context: Context): Command {
  return new Command('download')
    .description('download a model of the Hugging Face Hub by its name, and check it')
    .argument('<name>', 'its name there, such as openai/clip-vit-base-patch16')
    .option('--out <folder>', 'where to put it (default: ~/.cache/zeroseg/models, by name and commit)')
    .option('--revision <name>', 'a branch, a tag or a commit (default: the newest)')
    .option('--file <name>', 'take this file instead of the weights and settings; may come more than once', gather)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg download openai/clip-vit-base-patch16 --out models/clip-vit-base-patch16\n' +
        '  zeroseg download facebook/dino-vitb16 --revision main\n\n' +
        'Only weights are fetched (safetensors before PyTorch’s files), with settings and tokenizer. Stop it at any time: the same command goes on, and fetches nothing that is there already; ' +
        'without a network (or with HF_HUB_OFFLINE=1) it finds what was downloaded before. ' +
        'HF_ENDPOINT names another hub, HF_TOKEN a token for models that ask to agree to a licence.',
    )
    .action((name: string, options: DownloadArguments) => download(context, name, options));
}

const MEGABYTE = 1e6;

async function download({ terminal }: Context, name: string, options: DownloadArguments): Promise<void> {
  if (options.out !== undefined && (await kindOfPath(options.out)) === 'file') {
    throw new UsageError(`download: --out ${options.out}: this is a file; give a folder`);
  }
  const interruption = catchInterruption();
  let progress: Progress | undefined;
  try {
    const { out, revision, file: files } = options;
    const {
      folder,
      commit,
      files: got,
      fetched,
      isOffline,
    } = await downloadModel(name, {
      out,
      revision,
      files,
      signal: interruption.abortSignal,
      onProgress: (done, bytes) => {
        progress ??= new Progress(terminal, 'downloading', Math.ceil(bytes / MEGABYTE), 'MB');
        progress.at(Math.ceil(done / MEGABYTE));
      },
    });
    progress?.stop();
    if (isOffline)
      terminal.note('the Hub was not reached: this is what was downloaded before, and may be older than what it has');
    const bytes = got.reduce((sum, { size }) => sum + size, 0);
    const how = fetched === 0 ? 'all of it was there' : `${formatBytes(fetched)} fetched`;
    terminal.out(
      `${folder}: ${name} at ${commit.slice(0, 12)}, ${count(got.length, 'files')}, ${formatBytes(bytes)}; ${how}, checked`,
    );
    const [info] = await inspectPlace(got.length === 1 && got[0] ? `${folder}/${got[0].name}` : folder).catch(() => []);
    const [use] = info?.uses ?? [];
    if (use) {
      terminal.out(`for ${use.for}:`);
      terminal.out(`  ${use.command}`);
    }
  } finally {
    progress?.stop();
    interruption.release();
  }
}
