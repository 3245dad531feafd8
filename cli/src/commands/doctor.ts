import { Command } from 'commander';
import { diagnose, diagnosisLines, isHealthy } from '../inspect/index.ts';
import { adapterOption, type Context, printLines, UsageError, version } from '../shell/index.ts';

interface DoctorArguments {
  readonly out: string;
  readonly adapter?: string;
  readonly json?: boolean;
}

/** `zeroseg doctor`: what this machine computes on. */
export function doctorCommand(context: Context): Command {
  return new Command('doctor')
    .description(
      'tell what this machine computes on, why, and whether it works: to be pasted into a report of a problem',
    )
    .option('--out <folder>', 'where results will go: its free space is told', 'out')
    .option('--json', 'print it as JSON')
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg doctor\n\nThe home folder is told as ~.')
    .action((options: DoctorArguments) => doctor(context, options));
}

async function doctor({ terminal }: Context, { out, adapter, json }: DoctorArguments): Promise<void> {
  const diagnosis = await diagnose(version, { folder: out, adapter });
  if (json) printLines(terminal.out, JSON.stringify(diagnosis, undefined, 2));
  else for (const line of diagnosisLines(diagnosis)) terminal.out(line);
  if (!isHealthy(diagnosis)) throw new UsageError('nothing can be computed here; see above');
}
